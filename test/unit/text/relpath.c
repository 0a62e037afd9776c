#include "text/relpath.h"

#include "../check.h"

static void refuses_what_leads_elsewhere(void **state)
{
    static const char *const bad[] = {
        "",     "/a",  "a//b", "a/",     "a/../b", "..",       ".",
        "a\\b", "C:x", "c:/x", "a\nb.c", "a\x7f",  "\xff.bin", "\xc0\xaf",
    };
    struct err err = {0};

    (void)state;
    assert_int_equal(relpath_check(STR("a/b.c"), &err), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(relpath_check(str_from(bad[i]), &err), -1);
        assert_int_equal(err.code, ERR_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_leads_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
