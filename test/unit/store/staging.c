#include "store/staging.h"

#include "fakes.h"
#include "scratch.h"
#include "sys/stop.h"

#define BIG   ((uint64_t)3 << 20)
#define OLD   "00000000000000aa"
#define OURS  "00000000000000bb"
#define THIRD "00000000000000cc"

static const struct digest want = {DIGEST_SHA256, {1, 2, 3}};

static int open_anew(struct scratch *s, struct staging *staging, uint64_t size)
{
    struct journal_file file = {want, size};

    return staging_open(staging, &s->arena, s->fd, OURS, &file, &s->err);
}

static struct staging opened(struct scratch *s, const char *token, uint64_t size)
{
    struct staging staging = {.fd = -1};

    assert_int_equal(staging_open(&staging, &s->arena, s->fd, token,
                                  &(struct journal_file){want, size}, &s->err),
                     0);
    assert_true(staging.fd >= 0);
    return staging;
}

/* Writes len bytes of value at offset and claims them. */
static void stage(struct scratch *s, struct staging *staging, uint64_t offset, uint32_t len,
                  int value)
{
    char *bytes = arena_array(&s->arena, char, len);

    memset(bytes, value, len);
    assert_int_equal(pwrite(staging->fd, bytes, len, (off_t)offset), len);
    assert_int_equal(journal_add(staging->journal,
                                 (struct journal_range){offset, len, (uint32_t)value}, &s->err),
                     0);
}

/* The same name with the third's token. */
static const char *str_replaced(struct scratch *s, const char *name)
{
    char *copy = str_dup(&s->arena, str_from(name));
    char *token = strstr(copy, OLD);

    assert_non_null(token);
    memcpy(token, THIRD, strlen(THIRD));
    return copy;
}

static int byte_at(const struct staging *staging, uint64_t offset)
{
    char byte = 0;

    assert_int_equal(pread(staging->fd, &byte, 1, (off_t)offset), 1);
    return byte;
}

static ino_t inode_of(int fd)
{
    struct stat st = {0};

    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

static size_t names(struct scratch *s)
{
    return (size_t)staging_dead_bytes(s->fd, "") == 0 ? 0 : 1;
}

static void a_new_file_is_preallocated_and_claims_nothing(void **state)
{
    struct scratch *s = *state;
    struct staging staging = opened(s, OURS, BIG);
    struct stat st = {0};

    assert_int_equal(fstat(staging.fd, &st), 0);
    assert_int_equal(st.st_size, BIG);
    assert_true((uint64_t)st.st_blocks * 512 >= BIG);
    assert_int_equal(staging.claims.len, 0);
    assert_false(staging.claims_all);
    assert_false(scratch_has(s, staging.journal_name));
    staging_discard(&staging);
    assert_false(scratch_has(s, staging.part));
    assert_int_equal(names(s), 0);
}

static void a_dead_holder_s_file_is_adopted_in_place(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging;
    ino_t inode = inode_of(old.fd);

    stage(s, &old, 0, 1000, 7);
    stage(s, &old, 2 << 20, 1 << 20, 8);
    staging_close(&old);
    staging = opened(s, OURS, BIG);
    assert_int_equal(inode_of(staging.fd), inode);
    assert_int_equal(staging.claims.len, 2);
    assert_int_equal(staging.claims.at[1].offset, 2 << 20);
    assert_int_equal(byte_at(&staging, 2 << 20), 8);
    assert_false(scratch_has(s, old.part));
    assert_false(scratch_has(s, old.journal_name));
    staging_published(&staging);
    assert_true(scratch_has(s, staging.part));
    assert_false(scratch_has(s, staging.journal_name));
}

static void what_a_live_holder_has_open_is_carried_over_into_a_file_of_our_own(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging;

    stage(s, &old, 100, 1000, 7);
    stage(s, &old, 1100, 900, 9);
    stage(s, &old, 2 << 20, 1 << 20, 8);
    staging = opened(s, OURS, BIG);
    assert_int_not_equal(inode_of(staging.fd), inode_of(old.fd));
    assert_int_equal(staging.claims.len, 3);
    assert_int_equal(staging.claims.at[0].crc, 7);
    assert_int_equal(byte_at(&staging, 100), 7);
    assert_int_equal(byte_at(&staging, 1999), 9);
    assert_int_equal(byte_at(&staging, BIG - 1), 8);
    assert_false(scratch_has(s, old.part));
    assert_int_equal(pwrite(old.fd, "x", 1, 100), 1);
    assert_int_equal(byte_at(&staging, 100), 7);
    staging_close(&staging);
    staging_close(&old);
    staging = opened(s, THIRD, BIG);
    assert_int_equal(staging.claims.len, 3);
    staging_close(&staging);
}

/* What a holder that was paused would do next, at the worst of moments. */
struct waking {
    struct scratch *scratch;
    struct staging *staging;
    int cuts;
    int published;
};

static void publish_by_name(void *ctx)
{
    struct waking *w = ctx;

    w->cuts++;
    if (renameat(w->scratch->fd, w->staging->part, w->scratch->fd, "published") == 0)
        w->published++;
}

static void what_is_cut_off_lies_under_no_name_that_its_holder_could_publish(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct waking waking = {.scratch = s, .staging = &old};
    struct staging staging;

    stage(s, &old, 0, 1000, 7);
    stage(s, &old, 2 << 20, 1 << 20, 8);
    fakes.before_cut = publish_by_name;
    fakes.cut_ctx = &waking;
    staging = opened(s, OURS, BIG);
    fakes.before_cut = NULL;
    assert_int_equal(waking.cuts, 2);
    assert_int_equal(waking.published, 0);
    assert_int_equal(staging.claims.len, 2);
    staging_discard(&staging);
    assert_int_equal(names(s), 0); /* nothing of the old one's either */
    staging_close(&old);
}

static void a_file_that_its_holder_published_meanwhile_is_not_cut(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct stat st = {0};
    struct staging staging;

    stage(s, &old, 2 << 20, 1 << 20, 8);
    fakes.renameat = ENOENT;
    staging = opened(s, OURS, BIG);
    assert_int_equal(staging.claims.len, 1);
    assert_int_equal(fstat(old.fd, &st), 0);
    assert_int_equal(st.st_size, BIG);
    assert_int_equal(byte_at(&old, BIG - 1), 8);
    staging_close(&staging);
    staging_close(&old);
}

static void nothing_is_adopted_in_place_where_flock_lies(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging;
    ino_t inode = inode_of(old.fd);

    stage(s, &old, 0, 1000, 7);
    staging_close(&old);
    fakes.flock_lies = true;
    staging = opened(s, OURS, BIG);
    assert_int_not_equal(inode_of(staging.fd), inode);
    assert_int_equal(staging.claims.len, 1);
    assert_int_equal(byte_at(&staging, 999), 7);
    staging_close(&staging);
}

static bool is_locked(struct scratch *s, const struct staging *staging)
{
    int fd = openat(s->fd, staging->part, O_RDWR | O_CLOEXEC);
    bool locked;

    assert_true(fd >= 0);
    fakes.flock_busy = 0;
    locked = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    (void)close(fd);
    return locked;
}

static void who_only_looks_whether_it_is_locked_does_not_keep_us_from_the_lock(void **state)
{
    struct scratch *s = *state;
    struct staging staging;

    fakes.flock_busy = 3;
    staging = opened(s, OURS, BIG);
    assert_true(is_locked(s, &staging));
    stage(s, &staging, 0, 1000, 7);
    staging_close(&staging);
    assert_false(is_locked(s, &staging));
    fakes.flock_busy = 3;
    staging = opened(s, OURS, BIG);
    assert_true(is_locked(s, &staging));
    staging_close(&staging);
}

static void what_is_carried_over_is_the_same_without_copy_file_range(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging;

    stage(s, &old, 0, 1 << 20, 7);
    stage(s, &old, 1 << 20, 1000, 8);
    fakes.copy_file_range = EXDEV;
    staging = opened(s, OURS, BIG);
    assert_int_equal(staging.claims.len, 2);
    assert_int_equal(byte_at(&staging, (1 << 20) - 1), 7);
    assert_int_equal(byte_at(&staging, 1 << 20), 8);
    staging_close(&staging);
    staging_close(&old);
}

static void claims_beyond_the_end_of_a_cut_file_are_not_carried_over(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging;

    stage(s, &old, 0, 1000, 7);
    stage(s, &old, 1 << 20, 1000, 8);
    assert_int_equal(ftruncate(old.fd, (1 << 20) + 999), 0);
    staging = opened(s, OURS, BIG);
    assert_int_equal(staging.claims.len, 1);
    assert_int_equal(staging.claims.at[0].crc, 7);
    staging_close(&staging);
    staging_close(&old);
}

static void what_two_dead_holders_claim_is_carried_over_once(void **state)
{
    struct scratch *s = *state;
    struct staging first = opened(s, OLD, BIG);
    struct staging second = {.fd = -1};
    struct staging staging;
    size_t len = 0;

    stage(s, &first, 0, 1000, 7);
    stage(s, &first, 5000, 1000, 7);
    assert_int_equal(renameat(s->fd, first.part, s->fd, "part"), 0);
    assert_int_equal(renameat(s->fd, first.journal_name, s->fd, "journal"), 0);
    second = opened(s, THIRD, BIG);
    stage(s, &second, 0, 1000, 8);
    stage(s, &second, 9000, 1000, 8);
    assert_int_equal(renameat(s->fd, "part", s->fd, first.part), 0);
    assert_int_equal(renameat(s->fd, "journal", s->fd, first.journal_name), 0);
    staging = opened(s, OURS, BIG);
    assert_int_equal(staging.claims.len, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(byte_at(&staging, staging.claims.at[i].offset), staging.claims.at[i].crc);
    (void)scratch_read(s, staging.journal_name, &len);
    assert_int_equal(len, JOURNAL_HEADER + 3 * JOURNAL_RECORD);
    staging_close(&first);
    staging_close(&second);
    staging_close(&staging);
}

static void a_file_is_made_as_long_where_space_cannot_be_taken(void **state)
{
    struct scratch *s = *state;
    struct staging staging;
    struct stat st = {0};

    fakes.fallocate = EOPNOTSUPP;
    staging = opened(s, OURS, BIG);
    assert_int_equal(fstat(staging.fd, &st), 0);
    assert_int_equal(st.st_size, BIG);
    assert_int_equal(st.st_blocks, 0);
    staging_discard(&staging);
}

static void a_disk_that_fills_up_keeps_what_is_staged_and_gives_back_the_rest(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging = {.fd = -1};

    stage(s, &old, 0, 1000, 7);
    staging_close(&old);
    fakes.fallocate = EDQUOT;
    assert_int_equal(open_anew(s, &staging, BIG), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    assert_non_null(strstr(s->err.msg, "(disk quota)"));
    assert_true(staging_dead_bytes(s->fd, "") < 64 << 10);
    assert_int_equal(staging_claimed_bytes(s->fd, &want, BIG), 1000);
    fakes.fallocate = 0;
    staging = opened(s, THIRD, BIG);
    assert_int_equal(staging.claims.len, 1);
    assert_int_equal(byte_at(&staging, 999), 7);
    staging_close(&staging);
}

static void a_filesystem_for_small_files_only_says_so(void **state)
{
    struct scratch *s = *state;
    struct staging staging = {.fd = -1};

    fakes.fallocate = EFBIG;
    assert_int_equal(open_anew(s, &staging, BIG), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.hint, "another filesystem"));
}

static void a_stop_ends_the_carrying_and_what_was_carried_is_kept(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging = {.fd = -1};

    stage(s, &old, 0, 1000, 7);
    stage(s, &old, 5000, 1000, 8);
    stop_request(15);
    assert_int_equal(open_anew(s, &staging, BIG), -1);
    stop_request(0);
    assert_int_equal(s->err.code, ERR_INTERRUPTED);
    assert_int_equal(staging_claimed_bytes(s->fd, &want, BIG), 2000);
    staging_close(&old);
    staging = opened(s, THIRD, BIG);
    assert_int_equal(staging.claims.len, 2);
    assert_int_equal(byte_at(&staging, 5999), 8);
    staging_close(&staging);
}

static void our_own_small_file_is_opened_again_and_hashed(void **state)
{
    struct scratch *s = *state;
    struct staging staging = opened(s, OURS, 5);

    assert_int_equal(pwrite(staging.fd, "12345", 5, 0), 5);
    staging_close(&staging);
    assert_int_equal(staging_claimed_bytes(s->fd, &want, 5), 5);
    assert_int_equal(staging_claimed_bytes(s->fd, &want, 6), 0);
    staging = opened(s, OURS, 5);
    assert_true(staging.claims_all);
    staging_close(&staging);
}

static void a_journal_that_the_disk_cannot_read_is_an_error_and_stays(void **state)
{
    struct scratch *s = *state;
    struct staging staging = opened(s, OURS, BIG);

    stage(s, &staging, 0, 1000, 7);
    staging_close(&staging);
    fakes.pread = EIO;
    assert_int_equal(open_anew(s, &staging, BIG), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    fakes.pread = 0;
    staging = opened(s, OURS, BIG);
    assert_int_equal(staging.claims.len, 1);
    staging_close(&staging);
}

static void a_small_file_that_cannot_be_carried_over_is_an_error(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, 5);
    struct staging staging = {.fd = -1};

    assert_int_equal(pwrite(old.fd, "12345", 5, 0), 5);
    fakes.copy_file_range = EIO;
    assert_int_equal(open_anew(s, &staging, 5), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    fakes.copy_file_range = 0;
    staging = opened(s, OURS, 5);
    assert_true(staging.claims_all);
    staging_close(&staging);
    staging_close(&old);
}

static void our_own_file_is_opened_again(void **state)
{
    struct scratch *s = *state;
    struct staging staging = opened(s, OURS, BIG);
    ino_t inode = inode_of(staging.fd);

    stage(s, &staging, 0, 1000, 7);
    staging_close(&staging);
    staging = opened(s, OURS, BIG);
    assert_int_equal(inode_of(staging.fd), inode);
    assert_int_equal(staging.claims.len, 1);
    staging_close(&staging);
}

static void a_whole_small_file_without_a_journal_is_kept_unproven(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, 5);
    struct staging staging;

    assert_int_equal(pwrite(old.fd, "12345", 5, 0), 5);
    staging = opened(s, OURS, 5);
    assert_true(staging.claims_all);
    assert_int_equal(byte_at(&staging, 4), '5');
    staging_close(&old);
    staging_close(&staging);
    staging = opened(s, THIRD, 5);
    assert_true(staging.claims_all);
    staging_close(&staging);
    staging = opened(s, OURS, 6);
    assert_false(staging.claims_all);
    staging_close(&staging);
}

static void a_file_with_a_second_name_is_never_written(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging;
    ino_t inode = inode_of(old.fd);
    struct stat st = {0};

    stage(s, &old, 0, 1000, 7);
    assert_int_equal(linkat(s->fd, old.part, s->fd, "published", 0), 0);
    staging_close(&old);
    staging = opened(s, OURS, BIG);
    assert_int_not_equal(inode_of(staging.fd), inode);
    assert_int_equal(staging.claims.len, 1);
    assert_int_equal(fstatat(s->fd, "published", &st, 0), 0);
    assert_int_equal(st.st_size, BIG);
    staging_close(&staging);
}

static void what_no_disk_holds_is_no_space_with_both_figures(void **state)
{
    struct scratch *s = *state;
    struct staging staging = {.fd = -1};

    assert_int_equal(open_anew(s, &staging, (uint64_t)15 << 40), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    assert_non_null(strstr(s->err.msg, "needs 16.5 TB, has "));
    assert_null(strstr(s->err.msg, "has 0 B free"));
    assert_non_null(strstr(s->err.msg, s->path));
    assert_non_null(strstr(s->err.msg, "free"));
    assert_int_equal(names(s), 0);
}

static void the_sum_of_all_staging_counts_each_file_once(void **state)
{
    static const struct digest other = {DIGEST_GIT_SHA1, {9}};
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging small = {.fd = -1};
    struct staging_sum sum;

    stage(s, &old, 0, 1000, 7);
    scratch_write(s, ".hostler-try-0123", "x", 1);
    sum = staging_sum(s->fd);
    assert_int_equal(sum.total_bytes, BIG);
    assert_int_equal(sum.claimed_bytes, 1000);
    assert_int_equal(linkat(s->fd, old.part, s->fd, str_replaced(s, old.part), 0), 0);
    assert_int_equal(linkat(s->fd, old.journal_name, s->fd, str_replaced(s, old.journal_name), 0),
                     0);
    assert_int_equal(
        staging_open(&small, &s->arena, s->fd, OURS, &(struct journal_file){other, 5}, &s->err), 0);
    assert_int_equal(pwrite(small.fd, "12345", 5, 0), 5);
    sum = staging_sum(s->fd);
    assert_int_equal(sum.total_bytes, BIG + 5);
    assert_int_equal(sum.claimed_bytes, 2000 + 5);
    assert_int_equal(ftruncate(old.fd, 1000), 0); /* what a full disk leaves */
    sum = staging_sum(s->fd);
    assert_int_equal(sum.total_bytes, BIG + 5);
    assert_int_equal(sum.claimed_bytes, 2000 + 5);
    staging_close(&old);
    staging_close(&small);
}

static bool is_wanted(const struct digest *d, void *ctx)
{
    *(int *)ctx += 1;
    return digest_eq(d, &want);
}

static void a_staging_directory_that_is_gone_is_an_error(void **state)
{
    struct scratch *s = *state;
    struct staging staging = {.fd = -1};

    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(open_anew(s, &staging, BIG), -1);
    assert_int_equal(s->err.sys, ENOENT);
}

static void a_disk_that_fills_up_while_carrying_is_no_space_and_loses_nothing(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging = {.fd = -1};

    stage(s, &old, 0, 1000, 7);
    fakes.copy_file_range = ENOSPC;
    assert_int_equal(open_anew(s, &staging, BIG), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    assert_non_null(strstr(s->err.msg, " free"));
    fakes.copy_file_range = 0;
    fakes.pwrite = ENOSPC;
    assert_int_equal(open_anew(s, &staging, BIG), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    fakes.pwrite = 0;
    staging_close(&old);
    assert_int_equal(staging_claimed_bytes(s->fd, &want, BIG), 1000);
    staging = opened(s, OURS, BIG);
    assert_int_equal(staging.claims.len, 1);
    staging_close(&staging);
}

static void an_old_file_that_cannot_be_cut_is_carried_over_all_the_same(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging;

    stage(s, &old, 0, 1000, 7);
    stage(s, &old, 5000, 1000, 8);
    fakes.ftruncate = EPERM;
    staging = opened(s, OURS, BIG);
    assert_int_equal(staging.claims.len, 2);
    staging_close(&staging);
    staging_close(&old);
}

static void a_file_is_adopted_without_hard_links_too_or_else_carried_over(void **state)
{
    struct scratch *s = *state;
    struct staging staging = opened(s, OLD, BIG);
    ino_t inode = inode_of(staging.fd);

    stage(s, &staging, 0, 1000, 7);
    staging_close(&staging);
    fakes.linkat = EPERM;
    staging = opened(s, OURS, BIG);
    assert_int_equal(inode_of(staging.fd), inode);
    assert_int_equal(staging.claims.len, 1);
    staging_close(&staging);
    fakes.linkat = 0;
    fakes.renameat = EPERM;
    staging = opened(s, THIRD, BIG);
    assert_int_not_equal(inode_of(staging.fd), inode);
    assert_int_equal(staging.claims.len, 1);
    assert_int_equal(byte_at(&staging, 999), 7);
    staging_close(&staging);
}

static void names_that_are_not_ours_are_passed_over(void **state)
{
    static const char *const names[] = {
        "0102030000000000000000000000000000000000000000000000000000000000.XY.part",
        "0102030000000000000000000000000000000000000000000000000000000000..part",
        "0102030000000000000000000000000000000000000000000000000000000000.aa.other",
        "0102030000000000000000000000000000000000000000000000000000000000.part",
        "010203.aa.part",
    };
    struct scratch *s = *state;
    struct staging staging;
    char longest[200];

    memset(longest, 'a', sizeof(longest));
    memcpy(longest, names[0], 64);
    longest[199] = '\0';
    scratch_write(s, longest, "12345", 5);
    for (size_t i = 0; i < 5; i++)
        scratch_write(s, names[i], "12345", 5);
    assert_int_equal(staging_dead_bytes(s->fd, OURS), 0);
    assert_int_equal(staging_claimed_bytes(s->fd, &want, 5), 0);
    staging = opened(s, OURS, 5);
    assert_false(staging.claims_all);
    staging_discard(&staging);
    for (size_t i = 0; i < 5; i++)
        assert_true(scratch_has(s, names[i]));
}

static void a_staged_name_that_is_no_file_is_put_away(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    struct staging staging;

    assert_int_equal(unlinkat(s->fd, old.part, 0), 0);
    scratch_write(s, "precious", "precious", 8);
    assert_int_equal(symlinkat("precious", s->fd, old.part), 0);
    staging_close(&old);
    staging = opened(s, OURS, 8);
    assert_false(staging.claims_all);
    assert_false(scratch_has(s, old.part));
    assert_string_equal(scratch_read(s, "precious", NULL), "precious");
    staging_close(&staging);
}

static bool is_nothing(const struct digest *d, void *ctx)
{
    (void)d;
    (void)ctx;
    return false;
}

#define HEX "0203040000000000000000000000000000000000000000000000000000000000"

static void what_holds_nothing_is_swept_and_the_rest_stays(void **state)
{
    struct scratch *s = *state;
    struct staging live = opened(s, OLD, 100);

    scratch_write(s, HEX ".aa.part", "", 0);
    scratch_write(s, HEX ".bb.part", "1", 1);
    scratch_write(s, HEX ".bb.journal", "1", 1);
    scratch_write(s, HEX ".cc.journal", "1", 1);
    scratch_write(s, "lease.claim." OLD, "1", 1);
    scratch_write(s, "lease.claim." OLD ".2", "1", 1);
    scratch_write(s, "lease.claim." OURS, "1", 1);
    staging_sweep(s->fd, OURS, is_nothing, NULL);
    assert_true(scratch_has(s, live.part));
    assert_false(scratch_has(s, "lease.claim." OLD));
    assert_false(scratch_has(s, "lease.claim." OLD ".2"));
    assert_true(scratch_has(s, "lease.claim." OURS));
    assert_false(scratch_has(s, HEX ".aa.part"));
    assert_true(scratch_has(s, HEX ".bb.part"));
    assert_true(scratch_has(s, HEX ".bb.journal"));
    assert_false(scratch_has(s, HEX ".cc.journal"));
    staging_close(&live);
    staging_sweep(s->fd, OURS, is_nothing, NULL);
    assert_false(scratch_has(s, live.part));
}

static void dead_bytes_and_claims_are_counted_and_swept(void **state)
{
    struct scratch *s = *state;
    struct staging old = opened(s, OLD, BIG);
    int asked = 0;

    stage(s, &old, 0, 1000, 7);
    stage(s, &old, 5000, 1000, 7);
    assert_int_equal(staging_dead_bytes(s->fd, OURS) / BIG, 0);
    staging_close(&old);
    assert_true(staging_dead_bytes(s->fd, OURS) >= BIG);
    assert_true(staging_dead_bytes(s->fd, OLD) == 0);
    assert_int_equal(staging_claimed_bytes(s->fd, &want, BIG), 2000);
    assert_int_equal(staging_claimed_bytes(s->fd, &want, BIG + 1), 0);
    scratch_write(s, "stranger", "1", 1);
    scratch_write(s, ".hostler-try-0", "1", 1);
    staging_sweep(s->fd, OLD, is_wanted, &asked);
    assert_true(scratch_has(s, old.part));
    assert_false(scratch_has(s, ".hostler-try-0"));
    staging_sweep(s->fd, OURS, is_wanted, &asked);
    assert_false(scratch_has(s, old.part));
    assert_false(scratch_has(s, old.journal_name));
    assert_true(scratch_has(s, "stranger"));
    assert_true(asked > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_new_file_is_preallocated_and_claims_nothing),
        SCRATCH_TEST(a_dead_holder_s_file_is_adopted_in_place),
        SCRATCH_TEST(what_a_live_holder_has_open_is_carried_over_into_a_file_of_our_own),
        SCRATCH_TEST(what_is_cut_off_lies_under_no_name_that_its_holder_could_publish),
        SCRATCH_TEST(a_file_that_its_holder_published_meanwhile_is_not_cut),
        SCRATCH_TEST(nothing_is_adopted_in_place_where_flock_lies),
        SCRATCH_TEST(who_only_looks_whether_it_is_locked_does_not_keep_us_from_the_lock),
        SCRATCH_TEST(what_is_carried_over_is_the_same_without_copy_file_range),
        SCRATCH_TEST(claims_beyond_the_end_of_a_cut_file_are_not_carried_over),
        SCRATCH_TEST(what_two_dead_holders_claim_is_carried_over_once),
        SCRATCH_TEST(a_file_is_made_as_long_where_space_cannot_be_taken),
        SCRATCH_TEST(a_disk_that_fills_up_keeps_what_is_staged_and_gives_back_the_rest),
        SCRATCH_TEST(a_filesystem_for_small_files_only_says_so),
        SCRATCH_TEST(a_stop_ends_the_carrying_and_what_was_carried_is_kept),
        SCRATCH_TEST(our_own_small_file_is_opened_again_and_hashed),
        SCRATCH_TEST(a_journal_that_the_disk_cannot_read_is_an_error_and_stays),
        SCRATCH_TEST(a_small_file_that_cannot_be_carried_over_is_an_error),
        SCRATCH_TEST(our_own_file_is_opened_again),
        SCRATCH_TEST(a_whole_small_file_without_a_journal_is_kept_unproven),
        SCRATCH_TEST(a_file_with_a_second_name_is_never_written),
        SCRATCH_TEST(the_sum_of_all_staging_counts_each_file_once),
        SCRATCH_TEST(what_no_disk_holds_is_no_space_with_both_figures),
        SCRATCH_TEST(a_staging_directory_that_is_gone_is_an_error),
        SCRATCH_TEST(a_disk_that_fills_up_while_carrying_is_no_space_and_loses_nothing),
        SCRATCH_TEST(an_old_file_that_cannot_be_cut_is_carried_over_all_the_same),
        SCRATCH_TEST(a_file_is_adopted_without_hard_links_too_or_else_carried_over),
        SCRATCH_TEST(names_that_are_not_ours_are_passed_over),
        SCRATCH_TEST(a_staged_name_that_is_no_file_is_put_away),
        SCRATCH_TEST(what_holds_nothing_is_swept_and_the_rest_stays),
        SCRATCH_TEST(dead_bytes_and_claims_are_counted_and_swept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
