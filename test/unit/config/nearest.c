#include "config/nearest.h"

#include <string.h>

#include "../check.h"

static const char *nearest_of(const char *written)
{
    static const char *const names[] = {"update",    "offline", "optional",
                                        "all-files", "wait",    "pull"};
    struct nearest n = nearest_to(str_from(written));

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        nearest_offer(&n, names[i]);
    return n.best == NULL ? "" : n.best;
}

static void slips_are_recognised(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("updaet"), "update");
    assert_string_equal(nearest_of("ofline"), "offline");
    assert_string_equal(nearest_of("allfiles"), "all-files");
    assert_string_equal(nearest_of("plul"), "pull");
    assert_string_equal(nearest_of("opt"), "optional");
}

static void what_is_far_from_all_is_no_slip(void **state)
{
    char large[100];

    (void)state;
    assert_string_equal(nearest_of("zzz"), "");
    assert_string_equal(nearest_of("frobnicate"), "");
    assert_string_equal(nearest_of("p"), "");
    assert_string_equal(nearest_of(""), "");
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_string_equal(nearest_of(large), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_are_recognised),
        cmocka_unit_test(what_is_far_from_all_is_no_slip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
