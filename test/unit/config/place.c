#include "config/place.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"

static char home[] = "HOME=/home/u";
static char name[] = "NAME_1=x";
static char empty[] = "EMPTY=";
static char *const variables[] = {home, name, empty, NULL};

static void assert_expanded(const char *path, const char *expected)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    const char *got = NULL;

    assert_int_equal(place_expand(&got, &a, variables, path, "V", &err), 0);
    assert_string_equal(got, expected);
}

static void homes_and_variables_are_expanded_as_the_hub_does(void **state)
{
    (void)state;
    assert_expanded("~", "/home/u");
    assert_expanded("~/x/", "/home/u/x");
    assert_expanded("/a/~/b", "/a/~/b");
    assert_expanded("/a/$NAME_1/${NAME_1}b", "/a/x/xb");
    assert_expanded("/a/$NAME_1b", "/a/$NAME_1b");
    assert_expanded("/a/$UNSET/${NAME_1", "/a/$UNSET/${NAME_1");
    assert_expanded("/a/$", "/a/$");
    assert_expanded("/a/${}", "/a/${}");
    assert_expanded("/", "/");
    assert_expanded("///", "/");
}

static void relative_paths_begin_in_the_current_folder(void **state)
{
    char here[PATH_MAX];
    char expected[PATH_MAX + 8];

    (void)state;
    assert_non_null(getcwd(here, sizeof(here)));
    (void)snprintf(expected, sizeof(expected), "%s/models", here);
    assert_expanded("models", expected);
    assert_expanded("./models/", expected);
    assert_expanded(".", here);
    assert_expanded("./", here);
}

static void a_path_has_a_limit_and_a_home_must_be_known(void **state)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    char *const none[] = {NULL};
    char path[PATH_MAX + 2];
    const char *got = NULL;

    (void)state;
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(place_expand(&got, &a, variables, path, "V", &err), -1);
    assert_string_equal(err.msg, "V: longer than 4095 bytes");
    assert_int_equal(place_expand(&got, &a, none, "~/x", "V", &err), -1);
    assert_string_equal(err.msg, "V: ~/x: HOME is not set");
    assert_null(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(homes_and_variables_are_expanded_as_the_hub_does),
        cmocka_unit_test(relative_paths_begin_in_the_current_folder),
        cmocka_unit_test(a_path_has_a_limit_and_a_home_must_be_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
