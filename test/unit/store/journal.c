#include "store/journal.h"

#include "fakes.h"
#include "scratch.h"

#define SIZE ((uint64_t)10 << 20)
#define NAME "f.journal"

static const struct digest want = {DIGEST_SHA256, {1, 2, 3}};

static struct journal *opened(struct scratch *s, struct journal_claims *claims)
{
    struct journal *j =
        journal_open(claims, &s->arena, s->fd, NAME, &(struct journal_file){want, SIZE}, &s->err);

    assert_non_null(j);
    return j;
}

static void add(struct scratch *s, struct journal *j, uint64_t offset, uint32_t len, uint32_t crc)
{
    assert_int_equal(journal_add(j, (struct journal_range){offset, len, crc}, &s->err), 0);
}

/* What a fresh reader of the file would claim. */
static struct journal_claims reread(struct scratch *s)
{
    size_t len = 0;
    char *bytes = scratch_read(s, NAME, &len);

    return journal_parse(&s->arena, (struct str){bytes, len}, SIZE, &want);
}

static void what_was_added_is_claimed_again_in_order(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);

    assert_int_equal(claims.len, 0);
    assert_false(scratch_has(s, NAME));
    add(s, j, 5000, 1000, 55);
    add(s, j, 0, 5000, 44);
    add(s, j, SIZE - JOURNAL_RANGE_MAX, JOURNAL_RANGE_MAX, 66);
    journal_close(&j);
    assert_null(j);
    j = opened(s, &claims);
    assert_int_equal(claims.len, 3);
    assert_int_equal(claims.at[0].offset, 0);
    assert_int_equal(claims.at[0].len, 5000);
    assert_int_equal(claims.at[0].crc, 44);
    assert_int_equal(claims.at[1].offset, 5000);
    assert_int_equal(claims.at[2].offset, SIZE - JOURNAL_RANGE_MAX);
    add(s, j, 6000, 1, 77);
    journal_close(&j);
    assert_int_equal(reread(s).len, 4);
}

static void of_two_that_overlap_the_later_wins(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);

    add(s, j, 0, 1000, 1);
    add(s, j, 1000, 1000, 2);
    add(s, j, 1500, 1000, 3);
    add(s, j, 200, 100, 4);
    add(s, j, 9000, 10, 5);
    add(s, j, 9000, 10, 6);
    add(s, j, 8000, 10, 7);
    add(s, j, 7995, 10, 8);
    add(s, j, 8001, 5, 9);
    add(s, j, 5000, 100, 10);
    add(s, j, 4999, 100, 11);
    journal_close(&j);
    claims = reread(s);
    assert_int_equal(claims.len, 5);
    assert_int_equal(claims.at[0].crc, 4);
    assert_int_equal(claims.at[1].crc, 3);
    assert_int_equal(claims.at[2].crc, 11);
    assert_int_equal(claims.at[3].crc, 9);
    assert_int_equal(claims.at[4].crc, 6);
}

static void a_torn_tail_ends_the_reading_and_is_written_over(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);
    char *bytes;
    size_t len = 0;

    for (uint64_t i = 0; i < 5; i++)
        add(s, j, i * 100, 100, (uint32_t)i);
    journal_close(&j);
    bytes = scratch_read(s, NAME, &len);
    assert_int_equal(len, JOURNAL_HEADER + 5 * JOURNAL_RECORD);
    bytes[JOURNAL_HEADER + 2 * JOURNAL_RECORD + 3] ^= 1;
    scratch_write(s, NAME, bytes, len);
    j = opened(s, &claims);
    assert_int_equal(claims.len, 2);
    add(s, j, 1000, 100, 9);
    journal_close(&j);
    claims = reread(s);
    assert_int_equal(claims.len, 3);
    assert_int_equal(claims.at[2].crc, 9);
    for (size_t cut = 0; cut < len; cut++) {
        struct journal_claims some =
            journal_parse(&s->arena, (struct str){bytes, cut}, SIZE, &want);

        assert_true(some.len <= 2);
    }
}

static void a_journal_of_another_file_claims_nothing_and_is_replaced(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);
    struct digest other = {DIGEST_SHA256, {9}};
    struct digest same_bytes = {DIGEST_GIT_SHA1, {1, 2, 3}};
    size_t len = 0;
    char *bytes;

    add(s, j, 0, 100, 1);
    journal_close(&j);
    bytes = scratch_read(s, NAME, &len);
    assert_int_equal(reread(s).len, 1);
    assert_int_equal(journal_parse(&s->arena, (struct str){bytes, len}, SIZE, &other).len, 0);
    assert_int_equal(journal_parse(&s->arena, (struct str){bytes, len}, SIZE, &same_bytes).len, 0);
    assert_int_equal(journal_parse(&s->arena, (struct str){bytes, len}, SIZE - 1, &want).len, 0);
    bytes[8] = JOURNAL_FORMAT + 1;
    scratch_write(s, NAME, bytes, len);
    j = opened(s, &claims);
    assert_int_equal(claims.len, 0);
    add(s, j, 7, 7, 7);
    journal_close(&j);
    claims = reread(s);
    assert_int_equal(claims.len, 1);
    assert_int_equal(claims.at[0].offset, 7);
}

static void a_claim_that_leaves_the_file_is_not_made(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    const struct journal_range bad[] = {
        {SIZE, 1, 0},
        {SIZE - 1, 2, 0},
        {UINT64_MAX, 1, 0},
        {0, 0, 0},
        {0, JOURNAL_RANGE_MAX + 1, 0},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct journal *j = opened(s, &claims);

        assert_int_equal(journal_add(j, bad[i], &s->err), 0);
        add(s, j, 0, 10, 0);
        journal_close(&j);
        assert_int_equal(reread(s).len, 0);
        assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    }
}

static void reset_forgets_on_disk_too(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);

    add(s, j, 0, 100, 1);
    assert_int_equal(journal_reset(j, &s->err), 0);
    assert_false(scratch_has(s, NAME));
    add(s, j, 100, 100, 2);
    journal_close(&j);
    claims = reread(s);
    assert_int_equal(claims.len, 1);
    assert_int_equal(claims.at[0].offset, 100);
}

static void what_is_no_regular_file_is_replaced_and_not_followed(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j;

    scratch_write(s, "precious", "precious", 8);
    assert_int_equal(symlinkat("precious", s->fd, NAME), 0);
    j = opened(s, &claims);
    add(s, j, 0, 100, 1);
    journal_close(&j);
    assert_string_equal(scratch_read(s, "precious", NULL), "precious");
    assert_int_equal(reread(s).len, 1);
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    assert_int_equal(mkfifoat(s->fd, NAME, 0600), 0);
    j = opened(s, &claims);
    assert_int_equal(claims.len, 0);
    add(s, j, 0, 100, 1);
    journal_close(&j);
    assert_int_equal(reread(s).len, 1);
}

static void a_record_in_another_s_place_ends_the_reading(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);
    char record[JOURNAL_RECORD];
    size_t len = 0;
    char *bytes;

    for (uint64_t i = 0; i < 4; i++)
        add(s, j, i * 100, 100, (uint32_t)i);
    journal_close(&j);
    bytes = scratch_read(s, NAME, &len);
    memcpy(record, bytes + JOURNAL_HEADER + JOURNAL_RECORD, JOURNAL_RECORD);
    memcpy(bytes + JOURNAL_HEADER + JOURNAL_RECORD + JOURNAL_RECORD, record, JOURNAL_RECORD);
    assert_int_equal(journal_parse(&s->arena, (struct str){bytes, len}, SIZE, &want).len, 2);
}

static void a_link_to_another_s_journal_is_not_followed(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);
    size_t before = 0;
    size_t after = 0;

    add(s, j, 0, 100, 1);
    journal_close(&j);
    assert_int_equal(renameat(s->fd, NAME, s->fd, "another"), 0);
    assert_int_equal(symlinkat("another", s->fd, NAME), 0);
    (void)scratch_read(s, "another", &before);
    j = opened(s, &claims);
    assert_int_equal(claims.len, 0);
    add(s, j, 200, 100, 1);
    journal_close(&j);
    (void)scratch_read(s, "another", &after);
    assert_int_equal(before, after);
}

static void what_cannot_be_read_is_an_error_only_where_the_disk_is_broken(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);

    add(s, j, 0, 100, 1);
    journal_close(&j);
    journal_close(&j);
    fakes.pread = EIO;
    assert_null(
        journal_open(&claims, &s->arena, s->fd, NAME, &(struct journal_file){want, SIZE}, &s->err));
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, NAME));
}

static void a_record_that_was_cut_is_written_over_by_the_next(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);

    fakes.pwrite_short = true;
    assert_int_equal(journal_add(j, (struct journal_range){0, 100, 1}, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    fakes.pwrite_short = false;
    add(s, j, 100, 100, 2);
    fakes.pwrite = ENOSPC;
    assert_int_equal(journal_add(j, (struct journal_range){200, 100, 3}, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    fakes.pwrite = 0;
    add(s, j, 300, 100, 4);
    journal_close(&j);
    claims = reread(s);
    assert_int_equal(claims.len, 2);
    assert_int_equal(claims.at[0].crc, 2);
    assert_int_equal(claims.at[1].crc, 4);
}

static void a_directory_that_is_gone_is_an_error(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);

    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(journal_add(j, (struct journal_range){0, 100, 1}, &s->err), -1);
    assert_int_equal(s->err.sys, ENOENT);
    journal_close(&j);
}

static void a_reset_that_fails_says_so(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);

    assert_int_equal(mkdirat(s->fd, NAME, 0700), 0);
    assert_int_equal(journal_reset(j, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    journal_close(&j);
}

static void a_journal_that_cannot_be_written_says_so_by_name(void **state)
{
    struct scratch *s = *state;
    struct journal_claims claims;
    struct journal *j = opened(s, &claims);

    assert_int_equal(mkdirat(s->fd, NAME, 0700), 0);
    assert_int_equal(journal_add(j, (struct journal_range){0, 1, 0}, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, NAME));
    assert_int_equal(unlinkat(s->fd, NAME, AT_REMOVEDIR), 0);
    add(s, j, 0, 1, 0);
    journal_close(&j);
    assert_int_equal(reread(s).len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(what_was_added_is_claimed_again_in_order),
        SCRATCH_TEST(of_two_that_overlap_the_later_wins),
        SCRATCH_TEST(a_torn_tail_ends_the_reading_and_is_written_over),
        SCRATCH_TEST(a_journal_of_another_file_claims_nothing_and_is_replaced),
        SCRATCH_TEST(a_claim_that_leaves_the_file_is_not_made),
        SCRATCH_TEST(reset_forgets_on_disk_too),
        SCRATCH_TEST(what_is_no_regular_file_is_replaced_and_not_followed),
        SCRATCH_TEST(a_record_in_another_s_place_ends_the_reading),
        SCRATCH_TEST(a_link_to_another_s_journal_is_not_followed),
        SCRATCH_TEST(what_cannot_be_read_is_an_error_only_where_the_disk_is_broken),
        SCRATCH_TEST(a_record_that_was_cut_is_written_over_by_the_next),
        SCRATCH_TEST(a_directory_that_is_gone_is_an_error),
        SCRATCH_TEST(a_reset_that_fails_says_so),
        SCRATCH_TEST(a_journal_that_cannot_be_written_says_so_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
