#include "pull/notices.h"

#include <stdio.h>
#include <string.h>

#include "../check.h"

static char shown[NOTICE_BYTES];

static void show(void *ctx, const char *text)
{
    (void)ctx;
    (void)snprintf(shown, sizeof(shown), "%s", text);
}

/* Another thread's notice: only those are queued. */
static void *put(void *args)
{
    void **a = args;

    notices_put(a[0], a[1]);
    return NULL;
}

static void put_elsewhere(struct notices *n, const char *text)
{
    pthread_t thread;
    char copy[4 * NOTICE_BYTES];
    void *args[2] = {n, copy};

    (void)snprintf(copy, sizeof(copy), "%s", text);
    assert_int_equal(pthread_create(&thread, NULL, put, args), 0);
    (void)pthread_join(thread, NULL);
}

static void the_owners_own_are_shown_at_once(void **state)
{
    struct notices n;
    char text[NOTICE_BYTES];

    (void)state;
    notices_init(&n, show, NULL);
    notices_put(&n, "waiting 12 s");
    assert_string_equal(shown, "waiting 12 s");
    assert_false(notices_take(&n, text));
    notices_done(&n);
}

static void come_out_in_the_order_they_went_in(void **state)
{
    struct notices n;
    char text[NOTICE_BYTES];

    (void)state;
    notices_init(&n, show, NULL);
    put_elsewhere(&n, "first");
    put_elsewhere(&n, "second");
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
    notices_init(&n, show, NULL);
    for (int i = 0; i < NOTICES_MAX + 3; i++)
        put_elsewhere(&n, "again");
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
    notices_init(&n, show, NULL);
    put_elsewhere(&n, huge);
    assert_true(notices_take(&n, text));
    assert_int_equal(strlen(text), NOTICE_BYTES - 1);
    notices_done(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owners_own_are_shown_at_once),
        cmocka_unit_test(come_out_in_the_order_they_went_in),
        cmocka_unit_test(those_that_do_not_fit_are_counted),
        cmocka_unit_test(a_long_text_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
