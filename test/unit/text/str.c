#include "text/str.h"

#include "../check.h"

static void cut_takes_what_is_before_the_separator(void **state)
{
    struct str s = STR("a/b/c");
    struct str head;

    (void)state;
    assert_true(str_cut(&s, '/', &head));
    assert_true(str_eqz(head, "a"));
    assert_true(str_eqz(s, "b/c"));
    assert_false(str_cut(&s, ':', &head));
    assert_true(str_eqz(head, "b/c"));
    assert_int_equal(s.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_takes_what_is_before_the_separator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
