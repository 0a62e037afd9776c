#include "worker/beats.h"

#include "../check.h"

#define HALF (UINT32_MAX / 2)

static struct beats_event event(enum beats_what what, uint64_t now_ms)
{
    return (struct beats_event){.what = what, .now_ms = now_ms, .random = HALF};
}

static enum beats_news answer(struct beats *b, enum beats_what what, uint64_t now_ms)
{
    struct beats_event e = event(what, now_ms);

    return beats_answer(b, &e);
}

static void the_first_message_is_due_at_once_and_is_the_whole_record(void **state)
{
    struct beats b;

    (void)state;
    beats_init(&b, 1, 1000);
    assert_int_equal(beats_due_ms(&b, BEATS_SAME, 1000), 1000);
    assert_int_equal(beats_message(&b, BEATS_PROGRESS), BEATS_REGISTER);
    assert_int_equal(answer(&b, BEATS_OK, 1000), BEATS_FIRST);
    assert_int_equal(beats_message(&b, BEATS_SAME), BEATS_BEAT);
    assert_int_equal(beats_message(&b, BEATS_PROGRESS), BEATS_BEAT);
    assert_int_equal(beats_message(&b, BEATS_MEMBERS), BEATS_REPORT);
}

static void beats_come_as_the_coordinator_wishes_and_changes_sooner(void **state)
{
    struct beats b;
    struct beats_event e = event(BEATS_OK, 1000);

    (void)state;
    beats_init(&b, 1, 0);
    e.every_ms = 2000;
    (void)beats_answer(&b, &e);
    assert_in_range(beats_due_ms(&b, BEATS_SAME, 1000), 1000 + 1600, 1000 + 2400);
    assert_int_equal(beats_due_ms(&b, BEATS_PROGRESS, 1100), 1000 + BEATS_CHANGES_MS);
    assert_int_equal(beats_due_ms(&b, BEATS_MEMBERS, 5000), 5000);
    assert_int_equal(beats_due_ms(&b, BEATS_STATE, 1100), 1100);
    e.every_ms = 1;
    (void)beats_answer(&b, &e);
    assert_int_equal(b.every_ms, BEATS_EVERY_LEAST_MS);
    e.every_ms = UINT64_MAX;
    (void)beats_answer(&b, &e);
    assert_int_equal(b.every_ms, BEATS_EVERY_MOST_MS);
}

static void waits_grow_to_the_time_between_two_beats(void **state)
{
    struct beats b;
    uint64_t now = 0;
    uint64_t last = 0;

    (void)state;
    beats_init(&b, 1, 0);
    for (int i = 0; i < 12; i++) {
        uint64_t wait;

        (void)answer(&b, BEATS_NOTHING, now);
        wait = beats_due_ms(&b, BEATS_SAME, now) - now;
        assert_true(wait >= last && wait > 0);
        assert_true(wait <= BEATS_EVERY_MS * 6 / 5);
        last = wait;
        now += wait;
    }
    assert_true(last >= BEATS_EVERY_MS * 4 / 5);
}

static void who_does_not_answer_is_left_for_the_next_and_that_is_told_once(void **state)
{
    struct beats b;

    (void)state;
    beats_init(&b, 2, 0);
    assert_int_equal(answer(&b, BEATS_OK, 0), BEATS_FIRST);
    assert_int_equal(answer(&b, BEATS_NOTHING, 100), BEATS_QUIET);
    assert_int_equal(b.at, 1);
    assert_int_equal(beats_message(&b, BEATS_SAME), BEATS_REGISTER);
    assert_int_equal(beats_due_ms(&b, BEATS_SAME, 100), 100);
    assert_int_equal(answer(&b, BEATS_OK, 200), BEATS_MOVED);
    assert_int_equal(answer(&b, BEATS_OK, 300), BEATS_QUIET);
}

static void a_loss_is_told_once_and_so_is_the_return(void **state)
{
    struct beats b;
    uint64_t now = 0;
    int told = 0;

    (void)state;
    beats_init(&b, 2, 0);
    (void)answer(&b, BEATS_OK, 0);
    for (int i = 0; i < 50; i++) {
        now = beats_due_ms(&b, BEATS_SAME, now);
        told += answer(&b, BEATS_FAILING, now) == BEATS_LOST;
    }
    assert_int_equal(told, 1);
    assert_int_equal(answer(&b, BEATS_OK, now), BEATS_BACK);
    assert_int_equal(answer(&b, BEATS_OK, now), BEATS_QUIET);
}

static void who_does_not_know_us_is_registered_with_at_once(void **state)
{
    struct beats b;

    (void)state;
    beats_init(&b, 1, 0);
    (void)answer(&b, BEATS_OK, 0);
    assert_int_equal(answer(&b, BEATS_UNKNOWN, 10), BEATS_QUIET);
    assert_int_equal(beats_message(&b, BEATS_SAME), BEATS_REGISTER);
    assert_int_equal(beats_due_ms(&b, BEATS_SAME, 10), 10);
    /* Who does not know us when we register is no coordinator: that mends nobody soon. */
    (void)answer(&b, BEATS_UNKNOWN, 20);
    assert_true(beats_due_ms(&b, BEATS_STATE, 20) >= 20 + BEATS_LATE_MS * 4 / 5);
}

static void a_newer_one_ends_it(void **state)
{
    struct beats b;

    (void)state;
    beats_init(&b, 2, 0);
    (void)answer(&b, BEATS_OK, 0);
    assert_int_equal(answer(&b, BEATS_SUPERSEDED, 10), BEATS_ENDED);
    assert_true(b.over);
    assert_true(beats_due_ms(&b, BEATS_STATE, 1000) == UINT64_MAX);
}

static void a_record_that_is_too_large_is_told_without_gpus(void **state)
{
    struct beats b;

    (void)state;
    beats_init(&b, 1, 0);
    assert_int_equal(answer(&b, BEATS_TOO_LARGE, 0), BEATS_QUIET);
    assert_true(b.lean);
    assert_int_equal(beats_due_ms(&b, BEATS_SAME, 0), 0);
    (void)answer(&b, BEATS_TOO_LARGE, 1);
    assert_true(beats_due_ms(&b, BEATS_SAME, 1) > 1);
}

static void a_wait_that_is_named_is_obeyed_up_to_a_minute(void **state)
{
    struct beats b;
    struct beats_event e = event(BEATS_BUSY, 1000);

    (void)state;
    beats_init(&b, 2, 0);
    e.named_ms = 7000;
    (void)beats_answer(&b, &e);
    assert_int_equal(b.at, 0);
    assert_in_range(beats_due_ms(&b, BEATS_STATE, 1000), 8000, 8500);
    e.named_ms = UINT64_MAX;
    (void)beats_answer(&b, &e);
    assert_in_range(beats_due_ms(&b, BEATS_STATE, 1000), 61000, 61500);
}

static void a_refused_token_is_tried_again_at_once_when_it_was_mended(void **state)
{
    struct beats b;

    (void)state;
    beats_init(&b, 1, 0);
    assert_int_equal(answer(&b, BEATS_TOKEN, 0), BEATS_LOST);
    assert_true(beats_due_ms(&b, BEATS_STATE, 0) >= BEATS_LATE_MS * 4 / 5);
    beats_mended(&b, 700);
    assert_int_equal(beats_due_ms(&b, BEATS_STATE, 700), 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_message_is_due_at_once_and_is_the_whole_record),
        cmocka_unit_test(beats_come_as_the_coordinator_wishes_and_changes_sooner),
        cmocka_unit_test(waits_grow_to_the_time_between_two_beats),
        cmocka_unit_test(who_does_not_answer_is_left_for_the_next_and_that_is_told_once),
        cmocka_unit_test(a_loss_is_told_once_and_so_is_the_return),
        cmocka_unit_test(who_does_not_know_us_is_registered_with_at_once),
        cmocka_unit_test(a_newer_one_ends_it),
        cmocka_unit_test(a_record_that_is_too_large_is_told_without_gpus),
        cmocka_unit_test(a_wait_that_is_named_is_obeyed_up_to_a_minute),
        cmocka_unit_test(a_refused_token_is_tried_again_at_once_when_it_was_mended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
