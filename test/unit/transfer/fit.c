#include "transfer/fit.h"

#include "../check.h"

#define MIB ((uint64_t)1 << 20)

static void requests_begin_as_large_as_may_be(void **state)
{
    struct fit f;

    (void)state;
    fit_init(&f, 2 * MIB, 64 * MIB, 1000);
    assert_int_equal(f.bytes, 64 * MIB);
}

static void while_memory_is_waited_for_requests_shrink_to_the_least(void **state)
{
    struct fit f;

    (void)state;
    fit_init(&f, 2 * MIB, 64 * MIB, 0);
    for (uint64_t now = 100; now <= 1000; now += 100) {
        fit_waited(&f, 13);
        fit_tick(&f, now);
    }
    assert_int_equal(f.bytes, 2 * MIB);
}

static void a_short_stretch_is_not_judged(void **state)
{
    struct fit f;

    (void)state;
    fit_init(&f, 2 * MIB, 64 * MIB, 0);
    fit_waited(&f, 90);
    fit_tick(&f, 99);
    assert_int_equal(f.bytes, 64 * MIB);
    fit_tick(&f, 100); /* what was waited before counts in it */
    assert_int_equal(f.bytes, 16 * MIB);
}

static void a_little_waiting_leaves_them_as_they_are(void **state)
{
    struct fit f;

    (void)state;
    fit_init(&f, 2 * MIB, 64 * MIB, 0);
    fit_waited(&f, 50);
    fit_tick(&f, 100);
    for (uint64_t now = 200; now <= 1000; now += 100) {
        fit_waited(&f, 5);
        fit_tick(&f, now);
    }
    assert_int_equal(f.bytes, 16 * MIB);
}

static void once_nobody_waits_they_grow_to_the_most_again(void **state)
{
    struct fit f;

    (void)state;
    fit_init(&f, 3 * MIB, 64 * MIB, 0);
    for (uint64_t now = 100; now <= 500; now += 100) {
        fit_waited(&f, 100);
        fit_tick(&f, now);
    }
    assert_int_equal(f.bytes, 3 * MIB);
    fit_tick(&f, 600);
    assert_int_equal(f.bytes, 6 * MIB);
    for (uint64_t now = 700; now <= 2000; now += 100)
        fit_tick(&f, now);
    assert_int_equal(f.bytes, 64 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_begin_as_large_as_may_be),
        cmocka_unit_test(while_memory_is_waited_for_requests_shrink_to_the_least),
        cmocka_unit_test(a_short_stretch_is_not_judged),
        cmocka_unit_test(a_little_waiting_leaves_them_as_they_are),
        cmocka_unit_test(once_nobody_waits_they_grow_to_the_most_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
