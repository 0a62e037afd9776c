#include "transfer/pace.h"

#include "../check.h"

/* A host that gives bps(connections, seconds) in all; the pace is ticked four times a second. */
struct sim {
    struct pace pace;
    uint64_t now_ms;
    uint64_t (*bps)(unsigned connections, uint64_t second);
    unsigned most;
    unsigned collapses;
};

static void run(struct sim *s, unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 4; i++) {
        unsigned active = s->pace.allowed;

        pace_bytes(&s->pace, s->bps(active, s->now_ms / 1000) / 4);
        s->now_ms += 250;
        if (pace_tick(&s->pace, active, false, s->now_ms) == PACE_COLLAPSED)
            s->collapses++;
        if (s->pace.allowed > s->most)
            s->most = s->pace.allowed;
    }
}

static struct sim begin(uint64_t (*bps)(unsigned, uint64_t), unsigned max, bool fixed)
{
    struct sim s = {.now_ms = 5000, .bps = bps};

    pace_init(&s.pace, max, fixed, s.now_ms);
    return s;
}

static uint64_t each_ten(unsigned connections, uint64_t second)
{
    (void)second;
    return connections * UINT64_C(10000000);
}

static uint64_t forty_in_all(unsigned connections, uint64_t second)
{
    (void)second;
    return connections < 4 ? connections * UINT64_C(10000000) : 40000000;
}

static uint64_t crawl_above_eight(unsigned connections, uint64_t second)
{
    (void)second;
    return connections > 8 ? 1000000 : connections * UINT64_C(10000000);
}

/* After 20 s whoever has more than four gets a tenth, and the others less, too. */
static uint64_t crawl_later(unsigned connections, uint64_t second)
{
    if (second < 25)
        return connections * UINT64_C(10000000);
    return connections > 4 ? connections * UINT64_C(1000000) : connections * UINT64_C(9000000);
}

static uint64_t dead_later(unsigned connections, uint64_t second)
{
    return second < 25 ? connections * UINT64_C(10000000) : connections * UINT64_C(10000);
}

static void it_starts_with_four_and_grows_while_that_pays(void **state)
{
    struct sim s = begin(each_ten, 16, false);

    (void)state;
    assert_int_equal(s.pace.allowed, 4);
    run(&s, 10);
    assert_int_equal(s.pace.allowed, 16);
}

static void it_goes_back_when_more_bring_nothing(void **state)
{
    struct sim s = begin(forty_in_all, 16, false);

    (void)state;
    run(&s, 10);
    assert_int_equal(s.pace.allowed, 4);
    assert_int_equal(s.most, 6);
    run(&s, 10);
    assert_int_equal(s.most, 6);
}

static void it_halves_at_once_when_goodput_falls_as_they_rise(void **state)
{
    struct sim s = begin(crawl_above_eight, 16, false);

    (void)state;
    run(&s, 60);
    assert_int_equal(s.most, 12); /* 4, 6, and 12 since the two brought their full share */
    assert_in_range(s.pace.allowed, 4, 8);
}

static void a_host_that_punished_many_is_not_provoked_again(void **state)
{
    struct sim s = begin(crawl_above_eight, 16, false);

    (void)state;
    run(&s, 20);
    s.most = 0;
    run(&s, 3600);
    assert_true(s.most <= 8);
    assert_int_equal(s.collapses, 0);
}

static void a_collapse_that_comes_later_is_seen_too(void **state)
{
    struct sim s = begin(crawl_later, 16, false);

    (void)state;
    run(&s, 15);
    assert_int_equal(s.pace.allowed, 16);
    run(&s, 20);
    assert_true(s.pace.allowed <= 8);
    run(&s, 60);
    assert_true(s.pace.allowed <= 4);
}

static void a_host_that_gives_few_connections_a_crawl_is_called_collapsed(void **state)
{
    struct sim s = begin(dead_later, 16, false);

    (void)state;
    run(&s, 15);
    assert_int_equal(s.collapses, 0);
    run(&s, 20);
    assert_true(s.collapses > 0);
}

static void a_number_that_the_operator_named_is_not_grown(void **state)
{
    struct sim s = begin(each_ten, 3, true);

    (void)state;
    assert_int_equal(s.pace.allowed, 3);
    run(&s, 60);
    assert_int_equal(s.most, 3);
}

static void what_we_slowed_ourselves_proves_nothing(void **state)
{
    struct sim s = begin(each_ten, 16, false);

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        pace_bytes(&s.pace, i % 2 == 0 ? 10000000 : 1000);
        s.now_ms += 250;
        assert_int_equal(pace_tick(&s.pace, 4, true, s.now_ms), PACE_SAME);
    }
    for (unsigned i = 0; i < 100; i++) {
        s.now_ms += 250;
        assert_int_equal(pace_tick(&s.pace, 3, false, s.now_ms), PACE_SAME);
    }
    assert_int_equal(s.pace.allowed, 4);
}

/* The same, looked at every 20 ms: a yes needs no whole second. */
static void run_closely(struct sim *s, unsigned ms)
{
    for (uint64_t until_ms = s->now_ms + ms; s->now_ms < until_ms;) {
        unsigned active = s->pace.allowed;

        pace_bytes(&s->pace, s->bps(active, s->now_ms / 1000) / 50);
        s->now_ms += PACE_QUICK_TICK_MS;
        (void)pace_tick(&s->pace, active, false, s->now_ms);
        s->most = s->pace.allowed > s->most ? s->pace.allowed : s->most;
    }
}

static void where_each_brings_its_full_share_all_are_at_work_in_a_third_of_a_second(void **state)
{
    struct sim s = begin(each_ten, 16, false);

    (void)state;
    run_closely(&s, 320);
    assert_int_equal(s.pace.allowed, 16);
}

static void a_far_host_is_given_time_to_answer_before_it_is_judged(void **state)
{
    struct sim s = begin(each_ten, 16, false);

    (void)state;
    pace_waited(&s.pace, 200);
    run_closely(&s, 320);
    assert_int_equal(s.pace.allowed, 4);
    run_closely(&s, 3000);
    assert_int_equal(s.pace.allowed, 16);
}

static uint64_t crawl_above_six(unsigned connections, uint64_t second)
{
    (void)second;
    return connections > 6 ? 1000000 : connections * UINT64_C(10000000);
}

static void a_fall_to_nearly_nothing_is_seen_in_a_fraction_of_a_second(void **state)
{
    struct sim s = begin(crawl_above_six, 16, false);

    (void)state;
    run_closely(&s, 700);
    assert_int_equal(s.most, 12);
    assert_int_equal(s.pace.allowed, 6);
    assert_int_equal(s.pace.state, PACE_LOW);
    s.most = 0;
    run_closely(&s, 600000);
    assert_int_equal(s.most, 6);
}

static void a_no_takes_a_whole_second(void **state)
{
    struct sim s = begin(forty_in_all, 16, false);

    (void)state;
    run_closely(&s, 500);
    assert_int_equal(s.pace.allowed, 6);
    run_closely(&s, 1500);
    assert_int_equal(s.pace.allowed, 4);
    assert_int_equal(s.most, 6);
}

/* Connections that are still coming up to speed say nothing about how many pay. */
static void what_still_speeds_up_is_not_taken_for_the_gain_of_more(void **state)
{
    struct sim s = begin(each_ten, 16, false);
    uint64_t bps = 1000000;

    (void)state;
    for (unsigned i = 0; i < 40; i++, bps += bps / 10) {
        pace_bytes(&s.pace, bps / 50);
        s.now_ms += PACE_QUICK_TICK_MS;
        (void)pace_tick(&s.pace, s.pace.allowed, false, s.now_ms);
        assert_int_equal(s.pace.allowed, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_with_four_and_grows_while_that_pays),
        cmocka_unit_test(it_goes_back_when_more_bring_nothing),
        cmocka_unit_test(it_halves_at_once_when_goodput_falls_as_they_rise),
        cmocka_unit_test(a_host_that_punished_many_is_not_provoked_again),
        cmocka_unit_test(a_collapse_that_comes_later_is_seen_too),
        cmocka_unit_test(a_host_that_gives_few_connections_a_crawl_is_called_collapsed),
        cmocka_unit_test(a_number_that_the_operator_named_is_not_grown),
        cmocka_unit_test(what_we_slowed_ourselves_proves_nothing),
        cmocka_unit_test(where_each_brings_its_full_share_all_are_at_work_in_a_third_of_a_second),
        cmocka_unit_test(a_far_host_is_given_time_to_answer_before_it_is_judged),
        cmocka_unit_test(a_fall_to_nearly_nothing_is_seen_in_a_fraction_of_a_second),
        cmocka_unit_test(a_no_takes_a_whole_second),
        cmocka_unit_test(what_still_speeds_up_is_not_taken_for_the_gain_of_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
