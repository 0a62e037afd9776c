#include "layout/hf_lock.h"

#include <errno.h>

#include "hub.h"
#include "sys/flock.h"

#define LOCK "huggingface/hub/.locks/models--org--name/"

static const struct content contents[] = {{"config.json", "{}", false}, {0}};

/* Each look at this clock is a second later. */
static uint64_t next_second(const struct clock *c)
{
    uint64_t *now = c->ctx;

    *now += 1000;
    return *now;
}

struct lock_test {
    struct hub h;
    struct manifest m;
    uint64_t now_ms;
    struct clock clock;
    const char *path;
};

static void begin(struct lock_test *t, struct scratch *s)
{
    *t = (struct lock_test){.now_ms = 0};
    hub_init(&t->h, s);
    t->clock = (struct clock){.now_ms = next_second, .unix_ms = next_second, .ctx = &t->now_ms};
    t->h.config.clock = &t->clock;
    t->m = listing(&t->h, "org/name", "main", COMMIT_A, contents);
    t->path = str_format(t->h.arena, LOCK "%s.lock", hex_of(&t->h, "{}", false));
}

static void its_own_lock_file_is_left_and_free(void **state)
{
    struct lock_test t;
    int fd;

    begin(&t, *state);
    assert_pulled(&t.h, &t.m, contents, true);
    assert_int_equal(mode_of(&t.h, t.path), 0664);
    fd = openat(t.h.scratch->fd, t.path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_string_equal(text_of(&t.h, t.path), "");
    (void)close(fd);
    assert_string_equal(t.h.notices, "");
    hub_done(&t.h);
}

static void one_that_is_never_given_back_is_named_once_and_passed(void **state)
{
    static const struct content two[] = {
        {"config.json", "{}", false}, {"other.json", "[]", false}, {0}};
    struct lock_test t;
    const char *other;
    const char *first;
    int fd;
    int second;

    begin(&t, *state);
    t.m = listing(&t.h, "org/name", "main", COMMIT_A, two);
    other = str_format(t.h.arena, LOCK "%s.lock", hex_of(&t.h, "[]", false));
    put(&t.h, t.path, "");
    put(&t.h, other, "");
    fd = openat(t.h.scratch->fd, t.path, O_RDWR | O_CLOEXEC);
    second = openat(t.h.scratch->fd, other, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(flock(second, LOCK_EX), 0);
    assert_pulled(&t.h, &t.m, two, true);
    first = strstr(t.h.notices, t.path);
    assert_non_null(first);
    assert_null(strstr(t.h.notices, other));
    assert_string_equal(text_of(&t.h, SNAP_A "config.json"), "{}");
    assert_true(scratch_has(*state, t.path));
    (void)close(fd);
    (void)close(second);
    hub_done(&t.h);
}

static void a_soft_lock_that_somebody_left_is_named_and_passed_and_stays(void **state)
{
    struct lock_test t;

    begin(&t, *state);
    put(&t.h, t.path, "4711\nanother-host\n");
    assert_pulled(&t.h, &t.m, contents, true);
    assert_non_null(strstr(t.h.notices, t.path));
    assert_string_equal(text_of(&t.h, t.path), "4711\nanother-host\n");
    hub_done(&t.h);
}

static void one_that_is_given_back_in_time_is_taken(void **state)
{
    struct lock_test t;
    struct hf_lock lock;
    int fd;

    begin(&t, *state);
    assert_int_equal(hub_open(&t.h, &t.m), 0);
    lock = hf_lock_take(&t.h.place, "etag");
    assert_true(lock.fd >= 0);
    fd = openat(t.h.scratch->fd, LOCK "etag.lock", O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    hf_lock_give(&t.h.place, &lock);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    (void)close(fd);
    hub_done(&t.h);
}

static void what_cannot_be_locked_is_passed_at_once(void **state)
{
    struct lock_test t;

    begin(&t, *state);
    put_link(&t.h, "../../../elsewhere", t.path);
    assert_pulled(&t.h, &t.m, contents, true);
    assert_string_equal(t.h.notices, "");
    assert_false(scratch_has(*state, "elsewhere"));
    remove_all(&t.h, "huggingface/hub/.locks");
    remove_all(&t.h, REPO "blobs");
    put(&t.h, "huggingface/hub/.locks", "a file");
    assert_pulled(&t.h, &t.m, contents, true);
    assert_string_equal(text_of(&t.h, SNAP_A "config.json"), "{}");
    hub_done(&t.h);
}

/* The last of all: the filter that plays such a mount cannot be taken away again. */
static void where_flock_is_missing_the_file_itself_is_the_lock(void **state)
{
    struct lock_test t;
    struct hf_lock lock;

    begin(&t, *state);
    assert_true(deny(SYS_flock, ENOSYS));
    assert_int_equal(hub_open(&t.h, &t.m), 0);
    lock = hf_lock_take(&t.h.place, "etag");
    assert_int_equal(lock.fd, -1);
    assert_true(str_starts(str_from(text_of(&t.h, LOCK "etag.lock")),
                           str_from(str_format(t.h.arena, "%ld\n", (long)getpid()))));
    assert_null(hf_lock_take(&t.h.place, "etag").exists); /* waited for, named, passed */
    assert_non_null(strstr(t.h.notices, LOCK "etag.lock"));
    hf_lock_give(&t.h.place, &lock);
    /* Whatever is left there would stop every client for ever. */
    assert_false(scratch_has(*state, LOCK "etag.lock"));
    assert_pulled(&t.h, &t.m, contents, true);
    assert_false(scratch_has(*state, t.path));
    hub_done(&t.h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(its_own_lock_file_is_left_and_free),
        SCRATCH_TEST(one_that_is_never_given_back_is_named_once_and_passed),
        SCRATCH_TEST(a_soft_lock_that_somebody_left_is_named_and_passed_and_stays),
        SCRATCH_TEST(one_that_is_given_back_in_time_is_taken),
        SCRATCH_TEST(what_cannot_be_locked_is_passed_at_once),
        SCRATCH_TEST(where_flock_is_missing_the_file_itself_is_the_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
