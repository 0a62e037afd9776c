#include "worker/restart.h"

#include "../check.h"

static void the_waits_double_up_to_a_minute(void **state)
{
    static const uint64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    struct restart r = {.limit = UINT64_MAX};
    uint64_t wait_ms = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        assert_true(restart_next(&r, 0, &wait_ms));
        assert_int_equal(wait_ms, waits_ms[i]);
        assert_int_equal(r.count, i + 1);
    }
}

static void after_five_minutes_of_work_it_is_one_second_again(void **state)
{
    struct restart r = {.limit = UINT64_MAX};
    uint64_t wait_ms = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(restart_next(&r, 0, &wait_ms));
    assert_true(restart_next(&r, RESTART_CALM_MS - 1, &wait_ms));
    assert_int_equal(wait_ms, 16000);
    assert_true(restart_next(&r, RESTART_CALM_MS, &wait_ms));
    assert_int_equal(wait_ms, 1000);
    assert_true(restart_next(&r, 0, &wait_ms));
    assert_int_equal(wait_ms, 2000);
}

static void it_is_started_as_often_as_was_said_and_no_more(void **state)
{
    struct restart r = {.limit = 2};
    struct restart never = {.limit = 0};
    uint64_t wait_ms = 7;

    (void)state;
    assert_false(restart_next(&never, RESTART_CALM_MS, &wait_ms));
    assert_int_equal(wait_ms, 7);
    assert_true(restart_next(&r, 0, &wait_ms));
    assert_true(restart_next(&r, RESTART_CALM_MS, &wait_ms));
    assert_false(restart_next(&r, RESTART_CALM_MS, &wait_ms));
    assert_int_equal(r.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_waits_double_up_to_a_minute),
        cmocka_unit_test(after_five_minutes_of_work_it_is_one_second_again),
        cmocka_unit_test(it_is_started_as_often_as_was_said_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
