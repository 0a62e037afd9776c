#include "transfer/rate.h"

#include "../check.h"

static void without_a_limit_it_is_always_open(void **state)
{
    struct rate r;

    (void)state;
    rate_init(&r, 0, 0);
    rate_take(&r, 1 << 30);
    assert_true(rate_open(&r, 0));
    assert_int_equal(rate_wait_ms(&r, 0), 0);
}

static void over_ten_seconds_the_bytes_keep_to_the_rate(void **state)
{
    struct rate r;
    uint64_t sum = 0;

    (void)state;
    rate_init(&r, 5000000, 1000);
    for (uint64_t now = 1000; now < 11000; now++)
        while (rate_open(&r, now)) {
            rate_take(&r, 16384);
            sum += 16384;
        }
    assert_in_range(sum, 49500000, 50500000);
}

static void what_is_overdrawn_is_waited_for(void **state)
{
    struct rate r;
    uint64_t wait;

    (void)state;
    rate_init(&r, 1000, 0);
    assert_true(rate_open(&r, 100));
    rate_take(&r, 600);
    assert_false(rate_open(&r, 100));
    wait = rate_wait_ms(&r, 100);
    assert_in_range(wait, 400, 600);
    assert_true(rate_open(&r, 100 + wait));
}

static void a_long_pause_does_not_save_up_a_burst(void **state)
{
    struct rate r;
    uint64_t sum = 0;

    (void)state;
    rate_init(&r, 1000000, 0);
    while (rate_open(&r, 3600000)) {
        rate_take(&r, 1000);
        sum += 1000;
    }
    assert_in_range(sum, 99000, 102000);
}

static void a_rate_of_a_few_bytes_is_kept_too(void **state)
{
    struct rate r;
    uint64_t sum = 0;

    (void)state;
    rate_init(&r, 3, 0);
    for (uint64_t now = 0; now < 100000; now += 10)
        while (rate_open(&r, now)) {
            rate_take(&r, 1);
            sum++;
        }
    assert_in_range(sum, 290, 302);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_it_is_always_open),
        cmocka_unit_test(over_ten_seconds_the_bytes_keep_to_the_rate),
        cmocka_unit_test(what_is_overdrawn_is_waited_for),
        cmocka_unit_test(a_long_pause_does_not_save_up_a_burst),
        cmocka_unit_test(a_rate_of_a_few_bytes_is_kept_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
