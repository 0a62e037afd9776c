#include "pull/notices.h"

#include <stdio.h>
#include <string.h>

#include "../check.h"

static void come_out_in_the_order_they_went_in(void **state)
{
    struct notices n;
    char text[NOTICE_BYTES];

    (void)state;
    notices_init(&n);
    notices_put(&n, "first");
    notices_put(&n, "second");
    assert_true(notices_take(&n, text));
    assert_string_equal(text, "first");
    assert_true(notices_take(&n, text));
    assert_string_equal(text, "second");
    assert_false(notices_take(&n, text));
    notices_done(&n);
}

static void those_that_do_not_fit_are_counted(void **state)
{
    struct notices n;
    char text[NOTICE_BYTES];

    (void)state;
    notices_init(&n);
    for (int i = 0; i < NOTICES_MAX + 3; i++)
        notices_put(&n, "again");
    for (int i = 0; i < NOTICES_MAX; i++)
        assert_true(notices_take(&n, text));
    assert_true(notices_take(&n, text));
    assert_string_equal(text, "3 more notices of the network");
    assert_false(notices_take(&n, text));
    notices_done(&n);
}

static void a_long_text_is_cut(void **state)
{
    struct notices n;
    char text[NOTICE_BYTES];
    char huge[4 * NOTICE_BYTES];

    (void)state;
    memset(huge, 'x', sizeof(huge));
    huge[sizeof(huge) - 1] = '\0';
    notices_init(&n);
    notices_put(&n, huge);
    assert_true(notices_take(&n, text));
    assert_int_equal(strlen(text), NOTICE_BYTES - 1);
    notices_done(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(come_out_in_the_order_they_went_in),
        cmocka_unit_test(those_that_do_not_fit_are_counted),
        cmocka_unit_test(a_long_text_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
