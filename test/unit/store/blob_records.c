#include <sys/wait.h>

#include "scratch.h"
#include "store/receipt.h"
#include "sys/flock.h"
#include "text/buf.h"

#define FOLDER "hf/models--org--name"
#define NAME   ".hostler/receipts/" FOLDER "/blobs"

static struct volume opened(struct scratch *s)
{
    struct volume v = {.fd = -1};

    assert_int_equal(volume_open(&v, &s->arena, s->path, false, &s->err), 0);
    return v;
}

static struct blob_records *read_records(struct scratch *s, const struct volume *v)
{
    struct blob_records *r = NULL;

    assert_int_equal(blob_records_read(&r, &s->arena, v, FOLDER, &s->err), 0);
    assert_non_null(r);
    return r;
}

static void write_records(struct scratch *s, const struct volume *v, struct blob_records *r)
{
    assert_int_equal(blob_records_write(r, v, FOLDER, &s->err), 0);
}

static struct digest digest(uint8_t first)
{
    return (struct digest){first % 2 == 0 ? DIGEST_SHA256 : DIGEST_GIT_SHA1, {first}};
}

static struct stat file(int64_t mtime_s)
{
    struct stat st = {0};

    st.st_size = 77;
    st.st_ino = 99;
    st.st_mtim.tv_sec = mtime_s;
    st.st_mtim.tv_nsec = 5;
    return st;
}

static void what_was_set_holds_for_that_very_file_only(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct blob_records *r = read_records(s, &v);

    for (uint8_t i = 200; i > 0; i--) {
        struct digest d = digest(i);
        struct stat st = file(i - 100);

        blob_records_set(r, &d, &st);
    }
    write_records(s, &v, r);
    r = read_records(s, &v);
    for (uint8_t i = 1; i <= 200; i++) {
        struct digest d = digest(i);
        struct stat st = file(i - 100);

        assert_true(blob_records_hold(r, &d, &st));
        st.st_size++;
        assert_false(blob_records_hold(r, &d, &st));
        st = file(i - 100);
        st.st_ino++;
        assert_false(blob_records_hold(r, &d, &st));
        st = file(i - 100);
        st.st_mtim.tv_nsec++;
        assert_false(blob_records_hold(r, &d, &st));
        st = file(i - 100);
        st.st_dev++;
        assert_true(blob_records_hold(r, &d, &st));
    }
    volume_close(&v);
}

static void what_others_wrote_meanwhile_is_merged(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest a = digest(1);
    struct digest b = digest(2);
    struct digest c = digest(3);
    struct stat st = file(1);
    struct blob_records *first = read_records(s, &v);
    struct blob_records *second;

    blob_records_set(first, &a, &st);
    blob_records_set(first, &c, &st);
    write_records(s, &v, first);
    first = read_records(s, &v);
    second = read_records(s, &v);
    blob_records_set(first, &b, &st);
    blob_records_drop(second, &a);
    write_records(s, &v, first);
    write_records(s, &v, second);
    first = read_records(s, &v);
    assert_false(blob_records_hold(first, &a, &st));
    assert_true(blob_records_hold(first, &b, &st));
    assert_true(blob_records_hold(first, &c, &st));
    volume_close(&v);
}

static void what_others_dropped_meanwhile_stays_dropped(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest a = digest(1);
    struct digest b = digest(2);
    struct stat st = file(1);
    struct blob_records *first = read_records(s, &v);
    struct blob_records *second;

    blob_records_set(first, &a, &st);
    write_records(s, &v, first);
    first = read_records(s, &v);
    second = read_records(s, &v);
    blob_records_drop(second, &a);
    write_records(s, &v, second);
    blob_records_set(first, &b, &st);
    write_records(s, &v, first);
    first = read_records(s, &v);
    assert_false(blob_records_hold(first, &a, &st));
    assert_true(blob_records_hold(first, &b, &st));
    volume_close(&v);
}

/* Of a blob that two models share: one hashed it, the other touched it later. */
static void what_is_on_disk_does_not_come_over_what_others_wrote_later(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest shared = digest(1);
    struct digest own = digest(2);
    struct stat before = file(1);
    struct stat touched = file(2);
    struct blob_records *first = read_records(s, &v);
    struct blob_records *second;

    blob_records_set(first, &shared, &before);
    write_records(s, &v, first);
    second = read_records(s, &v);
    blob_records_set(second, &shared, &touched);
    write_records(s, &v, second);
    blob_records_set(first, &own, &before);
    write_records(s, &v, first);
    first = read_records(s, &v);
    assert_true(blob_records_hold(first, &shared, &touched));
    assert_true(blob_records_hold(first, &own, &before));
    volume_close(&v);
}

static void a_refresh_brings_what_others_wrote_and_keeps_what_is_ours(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest theirs = digest(1);
    struct digest ours = digest(2);
    struct digest dropped = digest(3);
    struct stat st = file(1);
    struct blob_records *first = read_records(s, &v);
    struct blob_records *second;

    blob_records_refresh(first, &v, FOLDER);
    assert_false(blob_records_hold(first, &theirs, &st));
    blob_records_set(first, &dropped, &st);
    write_records(s, &v, first);
    second = read_records(s, &v);
    blob_records_set(first, &ours, &st);
    blob_records_drop(first, &dropped);
    blob_records_set(second, &theirs, &st);
    write_records(s, &v, second);
    for (int i = 0; i < 2; i++) {
        blob_records_refresh(first, &v, FOLDER);
        assert_true(blob_records_hold(first, &theirs, &st));
        assert_true(blob_records_hold(first, &ours, &st));
        assert_false(blob_records_hold(first, &dropped, &st));
        write_records(s, &v, first);
    }
    second = read_records(s, &v);
    assert_true(blob_records_hold(second, &ours, &st));
    assert_false(blob_records_hold(second, &dropped, &st));
    volume_close(&v);
}

static void what_held_stays_known_though_another_wrote_over_it(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest read = digest(1);
    struct digest written = digest(2);
    struct digest theirs = digest(3);
    struct stat st = file(1);
    struct blob_records *early = read_records(s, &v);
    struct blob_records *ours;

    blob_records_set(early, &read, &st);
    write_records(s, &v, early);
    ours = read_records(s, &v);
    blob_records_set(ours, &written, &st);
    write_records(s, &v, ours);
    /* As one whose flock excluded nobody leaves it: what he knew before, and his own. */
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    early = read_records(s, &v);
    blob_records_set(early, &theirs, &st);
    write_records(s, &v, early);
    blob_records_refresh(ours, &v, FOLDER);
    assert_true(blob_records_hold(ours, &read, &st));
    assert_true(blob_records_hold(ours, &written, &st));
    assert_true(blob_records_hold(ours, &theirs, &st));
    volume_close(&v);
}

#define WRITERS 4
#define EACH    12

/* Each sets records of its own; none may be lost. */
static bool write_many(struct scratch *s, uint8_t writer)
{
    struct volume v = {.fd = -1};
    struct blob_records *r;
    struct stat st = file(1);

    if (volume_open(&v, &s->arena, s->path, false, &s->err) < 0 ||
        blob_records_read(&r, &s->arena, &v, FOLDER, &s->err) < 0)
        return false;
    for (uint8_t i = 0; i < EACH; i++) {
        struct digest d = {DIGEST_SHA256, {writer, i}};

        blob_records_set(r, &d, &st);
        if (blob_records_write(r, &v, FOLDER, &s->err) < 0)
            return false;
        blob_records_sweep(&v, FOLDER);
    }
    return true;
}

static void writers_without_a_common_lease_lose_nothing(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    pid_t children[WRITERS];
    struct blob_records *r;
    struct stat st = file(1);
    int status;

    (void)fflush(NULL);
    for (uint8_t w = 0; w < WRITERS; w++) {
        children[w] = fork();
        if (children[w] == 0)
            _exit(write_many(s, w) ? 0 : 1);
    }
    for (size_t w = 0; w < WRITERS; w++) {
        assert_int_equal(waitpid(children[w], &status, 0), children[w]);
        assert_int_equal(status, 0);
    }
    r = read_records(s, &v);
    for (uint8_t w = 0; w < WRITERS; w++) {
        for (uint8_t i = 0; i < EACH; i++) {
            struct digest d = {DIGEST_SHA256, {w, i}};

            assert_true(blob_records_hold(r, &d, &st));
        }
    }
    volume_close(&v);
}

static void a_writer_that_hangs_with_the_lock_is_passed(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest d = digest(1);
    struct stat st = file(1);
    struct blob_records *r = read_records(s, &v);
    int lock;

    blob_records_set(r, &d, &st);
    write_records(s, &v, r);
    lock = openat(s->fd, ".hostler/receipts/" FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    blob_records_drop(r, &d);
    write_records(s, &v, r);
    scratch_write(s, ".hostler/receipts/" FOLDER "/tmp-0123456789abcdef", "x", 1);
    blob_records_sweep(&v, FOLDER);
    assert_true(scratch_has(s, ".hostler/receipts/" FOLDER "/tmp-0123456789abcdef"));
    (void)close(lock);
    blob_records_sweep(&v, FOLDER);
    assert_false(scratch_has(s, ".hostler/receipts/" FOLDER "/tmp-0123456789abcdef"));
    r = read_records(s, &v);
    assert_false(blob_records_hold(r, &d, &st));
    volume_close(&v);
}

static void what_was_dropped_does_not_hold_and_can_be_set_again(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest a = digest(1);
    struct stat st = file(1);
    struct blob_records *r = read_records(s, &v);

    blob_records_drop(r, &a);
    blob_records_set(r, &a, &st);
    blob_records_drop(r, &a);
    assert_false(blob_records_hold(r, &a, &st));
    blob_records_set(r, &a, &st);
    assert_true(blob_records_hold(r, &a, &st));
    volume_close(&v);
}

static void nothing_is_written_without_a_change(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest a = digest(1);
    struct stat st = file(1);
    struct blob_records *r = read_records(s, &v);

    write_records(s, &v, r);
    assert_false(scratch_has(s, NAME));
    blob_records_set(r, &a, &st);
    write_records(s, &v, r);
    r = read_records(s, &v);
    assert_int_equal(unlinkat(s->fd, NAME, 0), 0);
    blob_records_set(r, &a, &st);
    write_records(s, &v, r);
    assert_false(scratch_has(s, NAME));
    volume_close(&v);
}

static void a_torn_or_newer_file_counts_as_absent(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest a = digest(1);
    struct stat st = file(1);
    struct blob_records *r = read_records(s, &v);
    size_t len = 0;
    char *text;

    blob_records_set(r, &a, &st);
    write_records(s, &v, r);
    text = scratch_read(s, NAME, &len);
    for (size_t cut = 0; cut < len; cut++) {
        scratch_write(s, NAME, text, cut);
        assert_false(blob_records_hold(read_records(s, &v), &a, &st));
    }
    scratch_write(s, NAME, text, len);
    assert_true(blob_records_hold(read_records(s, &v), &a, &st));
    text = str_format(&s->arena, "hostler-blobs 2\n");
    text = str_format(&s->arena, "%send %08x\n", text, digest_crc32c(0, text, strlen(text)));
    scratch_write(s, NAME, text, strlen(text));
    assert_false(blob_records_hold(read_records(s, &v), &a, &st));
    volume_close(&v);
}

static void lines_that_are_not_ours_are_passed_over_and_disorder_counts_as_absent(void **state)
{
    static const char hex[] = "0100000000000000000000000000000000000000";
    static const char other[] = "0300000000000000000000000000000000000000";
    static const char *const bad[] = {"zz 77 1000000005 99\n", "%s x 1000000005 99\n",
                                      "%s 77 9223372036854775808 99\n", "%s 77 1000000005 99 1\n",
                                      "%s 77 1000000005\n"};
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest d = digest(1);
    struct stat st = file(1);
    struct blob_records *r = read_records(s, &v);

    blob_records_set(r, &d, &st);
    write_records(s, &v, r);
    for (size_t i = 0; i < 7; i++) {
        struct buf b = buf_new(&s->arena, 1000);
        const char *line = i < 5 ? bad[i] : "";

        buf_addz(&b, "hostler-blobs 1\n");
        if (i == 5) /* not sorted */
            buf_addf(&b, "%s 77 1000000005 99\n", other);
        while (*line != '\0') {
            if (*line == '%') {
                buf_addz(&b, hex);
                line++;
            } else {
                buf_addc(&b, *line);
            }
            line++;
        }
        if (i >= 5)
            buf_addf(&b, "%s 77 1000000005 99\n", hex);
        buf_addf(&b, "end %08x\n", digest_crc32c(0, b.ptr, b.len));
        scratch_write(s, NAME, b.ptr, b.len);
        assert_int_equal(blob_records_hold(read_records(s, &v), &d, &st), i == 6);
    }
    volume_close(&v);
}

static void records_that_cannot_be_written_are_an_error(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct digest d = digest(1);
    struct stat st = file(1);
    struct blob_records *r = read_records(s, &v);

    blob_records_set(r, &d, &st);
    v.writable = false;
    write_records(s, &v, r);
    assert_false(scratch_has(s, NAME));
    v.writable = true;
    scratch_write(s, ".hostler", "", 0);
    assert_int_equal(blob_records_write(r, &v, FOLDER, &s->err), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
    volume_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(what_was_set_holds_for_that_very_file_only),
        SCRATCH_TEST(what_others_wrote_meanwhile_is_merged),
        SCRATCH_TEST(what_others_dropped_meanwhile_stays_dropped),
        SCRATCH_TEST(what_is_on_disk_does_not_come_over_what_others_wrote_later),
        SCRATCH_TEST(a_refresh_brings_what_others_wrote_and_keeps_what_is_ours),
        SCRATCH_TEST(what_held_stays_known_though_another_wrote_over_it),
        SCRATCH_TEST(writers_without_a_common_lease_lose_nothing),
        SCRATCH_TEST(a_writer_that_hangs_with_the_lock_is_passed),
        SCRATCH_TEST(what_was_dropped_does_not_hold_and_can_be_set_again),
        SCRATCH_TEST(nothing_is_written_without_a_change),
        SCRATCH_TEST(lines_that_are_not_ours_are_passed_over_and_disorder_counts_as_absent),
        SCRATCH_TEST(records_that_cannot_be_written_are_an_error),
        SCRATCH_TEST(a_torn_or_newer_file_counts_as_absent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
