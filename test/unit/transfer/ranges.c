#include "transfer/ranges.h"

#include "../check.h"

#define NONE ((struct journal_claims){0})

static void expect_take(struct ranges *r, uint64_t want, uint64_t start, uint64_t end)
{
    struct ranges_span span = {0};

    assert_true(ranges_take(r, want, &span));
    assert_int_equal(span.start, start);
    assert_int_equal(span.end, end);
}

static void bytes_are_handed_out_in_ascending_order(void **state)
{
    ARENA_SCOPED a = {0};
    struct ranges r;
    struct ranges_span span;

    (void)state;
    ranges_init(&r, &a, 250, NONE);
    expect_take(&r, 100, 0, 100);
    expect_take(&r, 100, 100, 200);
    expect_take(&r, 100, 200, 250);
    assert_false(ranges_take(&r, 100, &span));
    assert_int_equal(r.missing, 0);
}

static void what_is_given_back_comes_first_and_grows_together(void **state)
{
    ARENA_SCOPED a = {0};
    struct ranges r;

    (void)state;
    ranges_init(&r, &a, 300, NONE);
    expect_take(&r, 100, 0, 100);
    expect_take(&r, 100, 100, 200);
    ranges_give(&r, (struct ranges_span){50, 100});
    ranges_give(&r, (struct ranges_span){20, 20}); /* nothing */
    assert_int_equal(r.missing, 150);
    assert_int_equal(r.gaps.len, 2);
    ranges_give(&r, (struct ranges_span){100, 200});
    assert_int_equal(r.gaps.len, 1);
    expect_take(&r, 1000, 50, 300);
    ranges_give(&r, (struct ranges_span){250, 260});
    ranges_give(&r, (struct ranges_span){60, 70});
    ranges_give(&r, (struct ranges_span){70, 80});
    assert_int_equal(r.gaps.len, 2);
    expect_take(&r, 1000, 60, 80);
    expect_take(&r, 1000, 250, 260);
}

static void claims_leave_only_their_gaps_to_fetch(void **state)
{
    struct journal_range at[] = {{10, 10, 1}, {20, 5, 2}, {50, 50, 3}};
    ARENA_SCOPED a = {0};
    struct ranges r;

    (void)state;
    ranges_init(&r, &a, 100, (struct journal_claims){at, 3});
    assert_int_equal(r.staged, 65);
    assert_int_equal(r.missing, 35);
    expect_take(&r, 1000, 0, 10);
    expect_take(&r, 1000, 25, 50);
}

static void claims_that_overlap_or_leave_the_file_are_dropped(void **state)
{
    struct journal_range at[] = {{0, 10, 1}, {5, 10, 2}, {20, 0, 3}, {90, 20, 4}, {200, 5, 5}};
    ARENA_SCOPED a = {0};
    struct ranges r;

    (void)state;
    ranges_init(&r, &a, 100, (struct journal_claims){at, 5});
    assert_int_equal(r.staged, 10);
    expect_take(&r, 1000, 10, 100);
}

static void a_stream_takes_from_its_place_on(void **state)
{
    struct journal_range at[] = {{40, 20, 1}};
    ARENA_SCOPED a = {0};
    struct ranges r;
    struct ranges_span span;

    (void)state;
    ranges_init(&r, &a, 100, (struct journal_claims){at, 1});
    assert_true(ranges_take_from(&r, 10, &span));
    assert_int_equal(span.start, 10);
    assert_int_equal(span.end, 40);
    assert_true(ranges_take_from(&r, 40, &span));
    assert_int_equal(span.start, 60);
    assert_int_equal(span.end, 100);
    assert_false(ranges_take_from(&r, 10, &span));
    expect_take(&r, 1000, 0, 10);
}

static void the_middle_of_a_gap_can_be_taken(void **state)
{
    ARENA_SCOPED a = {0};
    struct ranges r;
    struct ranges_span span;

    (void)state;
    ranges_init(&r, &a, 100, NONE);
    assert_true(ranges_take_from(&r, 60, &span));
    assert_int_equal(span.end, 100);
    assert_int_equal(r.missing, 60);
    expect_take(&r, 30, 0, 30);
    expect_take(&r, 100, 30, 60);
}

static void the_hash_reads_back_what_is_staged_where_it_stands(void **state)
{
    struct journal_range claims[] = {{10, 10, 7}};
    ARENA_SCOPED a = {0};
    struct ranges r;
    struct journal_range record;

    (void)state;
    ranges_init(&r, &a, 40, (struct journal_claims){claims, 1});
    assert_false(ranges_readable(&r, &record));
    ranges_stage(&r, (struct journal_range){20, 20, 9});
    ranges_stage(&r, (struct journal_range){0, 10, 8});
    assert_true(ranges_readable(&r, &record));
    assert_int_equal(record.crc, 8);
    ranges_hash(&r, 10);
    assert_true(ranges_readable(&r, &record));
    assert_int_equal(record.crc, 7);
    ranges_hash(&r, 10);
    assert_true(ranges_readable(&r, &record));
    assert_int_equal(record.crc, 9);
    ranges_hash(&r, 20);
    assert_int_equal(r.hashed, 40);
    assert_false(ranges_readable(&r, &record));
}

static void a_record_that_proves_wrong_is_missing_again(void **state)
{
    struct journal_range claims[] = {{0, 10, 7}, {10, 10, 8}};
    ARENA_SCOPED a = {0};
    struct ranges r;
    struct journal_range record;

    (void)state;
    ranges_init(&r, &a, 20, (struct journal_claims){claims, 2});
    ranges_reject(&r);
    assert_int_equal(r.staged, 10);
    assert_false(ranges_readable(&r, &record));
    expect_take(&r, 100, 0, 10);
    ranges_hash(&r, 10); /* it came once more, from memory */
    assert_true(ranges_readable(&r, &record));
    assert_int_equal(record.crc, 8);
}

static void a_reset_makes_everything_missing(void **state)
{
    struct journal_range claims[] = {{0, 10, 7}};
    ARENA_SCOPED a = {0};
    struct ranges r;
    struct journal_range record;

    (void)state;
    ranges_init(&r, &a, 30, (struct journal_claims){claims, 1});
    ranges_stage(&r, (struct journal_range){20, 10, 9});
    ranges_hash(&r, 10);
    ranges_reset(&r);
    assert_int_equal(r.hashed, 0);
    assert_int_equal(r.staged, 0);
    assert_int_equal(r.missing, 30);
    assert_false(ranges_readable(&r, &record));
    expect_take(&r, 100, 0, 30);
}

static void thousands_of_records_come_out_in_order(void **state)
{
    ARENA_SCOPED a = {0};
    struct ranges r;
    struct journal_range record;

    (void)state;
    ranges_init(&r, &a, 20000, NONE);
    for (uint32_t i = 0; i < 1000; i++) {
        ranges_stage(&r, (struct journal_range){(uint64_t)i * 20 + 10, 10, i});
        ranges_stage(&r, (struct journal_range){(uint64_t)i * 20, 10, i});
        for (int half = 0; half < 2; half++) {
            assert_true(ranges_readable(&r, &record));
            assert_int_equal(record.crc, i);
            ranges_hash(&r, 10);
        }
    }
    assert_int_equal(r.hashed, 20000);
    assert_true(r.records.cap < 1000); /* what is done does not stay */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_handed_out_in_ascending_order),
        cmocka_unit_test(what_is_given_back_comes_first_and_grows_together),
        cmocka_unit_test(claims_leave_only_their_gaps_to_fetch),
        cmocka_unit_test(claims_that_overlap_or_leave_the_file_are_dropped),
        cmocka_unit_test(a_stream_takes_from_its_place_on),
        cmocka_unit_test(the_middle_of_a_gap_can_be_taken),
        cmocka_unit_test(the_hash_reads_back_what_is_staged_where_it_stands),
        cmocka_unit_test(a_record_that_proves_wrong_is_missing_again),
        cmocka_unit_test(a_reset_makes_everything_missing),
        cmocka_unit_test(thousands_of_records_come_out_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
