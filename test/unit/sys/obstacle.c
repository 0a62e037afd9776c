#include "sys/obstacle.h"

#include <errno.h>
#include <string.h>

#include "place.h"

/* Beneath in/: folders a/b, a file, a FIFO, a link out and one that leads to itself. */
static void plant(int dir)
{
    assert_int_equal(mkdirat(dir, "a", 0755), 0);
    assert_int_equal(mkdirat(dir, "a/b", 0755), 0);
    put(dir, "a/file", "");
    assert_int_equal(mkfifoat(dir, "a/fifo", 0600), 0);
    assert_int_equal(symlinkat("../../outside", dir, "a/out"), 0);
    assert_int_equal(symlinkat("loop", dir, "a/loop"), 0);
    assert_int_equal(symlinkat("b", dir, "a/inside"), 0);
}

static void the_first_part_that_is_no_directory_is_found(void **state)
{
    static const char *const cases[][2] = {
        {"a/out/secret/more", "a/out"}, {"a/out", "a/out"},       {"a/loop/x", "a/loop"},
        {"a/file/x/y", "a/file"},       {"a//fifo/x", "a//fifo"}, {"a/inside/x", "a/inside"},
    };
    struct place *p = *state;
    ARENA_SCOPED a = {0};

    plant(p->dir);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(obstacle_find(&a, p->dir, cases[i][0]), cases[i][1]);
}

static void where_nothing_is_in_the_way_it_is_the_whole_path(void **state)
{
    static const char *const paths[] = {"a/b", "a/b/", "a/b/missing/x", "missing/x", "", "a"};
    struct place *p = *state;
    ARENA_SCOPED a = {0};

    plant(p->dir);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_string_equal(obstacle_find(&a, p->dir, paths[i]), paths[i]);
}

static void what_file_open_meets_is_told_with_its_name(void **state)
{
    static const char *const paths[] = {"a/out/x", "a/loop/x", "a/file/x"};
    static const char *const told[] = {
        "/store/a/out should be a directory of its own, and is not",
        "/store/a/loop should be a directory of its own, and is not",
        "/store/a/file should be a directory of its own, and is not"};
    struct place *p = *state;

    plant(p->dir);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct err err = {0};

        assert_int_equal(file_open(p->dir, paths[i], O_RDONLY, 0, &err), -1);
        assert_true(obstacle_is_met(&err));
        assert_int_equal(obstacle_err(&err, p->dir, "/store", paths[i]), -1);
        assert_int_equal(err.code, ERR_LIMIT);
        assert_string_equal(err.msg, told[i]);
        assert_string_equal(err.hint, "look who made it; remove it, and pull again");
    }
}

static void a_path_that_is_missing_meets_nothing(void **state)
{
    struct place *p = *state;
    struct err err = {0};

    assert_int_equal(file_open(p->dir, "missing", O_RDONLY, 0, &err), -1);
    assert_false(obstacle_is_met(&err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_part_that_is_no_directory_is_found),
        TEST(where_nothing_is_in_the_way_it_is_the_whole_path),
        TEST(what_file_open_meets_is_told_with_its_name),
        TEST(a_path_that_is_missing_meets_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
