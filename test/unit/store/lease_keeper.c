#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "scratch.h"
#include "store/lease.h"
#include "store/lease_file.h"

/* The real thread on the real clock: what is waited for here comes within milliseconds. */
#define PATIENCE_MS 10000

static struct lease_keeper *start(struct scratch *s, uint64_t takeover_ms)
{
    struct lease_keeper_options options = {
        .clock = clock_real(), .host = "host", .takeover_ms = takeover_ms};
    struct lease_keeper *k = lease_keeper_new(&options, &s->err);

    assert_non_null(k);
    return k;
}

static struct lease *take(struct scratch *s, struct lease_keeper *k, const char *name)
{
    struct lease_watch watch = {0};
    struct lease *lease = NULL;

    assert_int_equal(
        lease_try(&lease, &watch, k, &(struct lease_name){s->fd, name, "what"}, &s->err), 0);
    assert_non_null(lease);
    return lease;
}

static struct lease_state on_disk(struct scratch *s, const char *name)
{
    LEASE_FILE_SCOPED f = {.fd = -1};

    assert_int_equal(lease_file_read(&f, s->fd, name, &s->err), 0);
    return f.state;
}

static void a_moment(void)
{
    (void)poll(NULL, 0, 1);
}

static void the_thread_renews_all_leases_by_itself(void **state)
{
    struct scratch *s = *state;
    struct lease_keeper *k = start(s, 300);
    struct lease *one = take(s, k, "one");
    struct lease *two = take(s, k, "two");
    uint64_t until = clock_now_ms(clock_real()) + PATIENCE_MS;

    while ((on_disk(s, "one").beat < 3 || on_disk(s, "two").beat < 3) &&
           clock_now_ms(clock_real()) < until)
        a_moment();
    assert_true(on_disk(s, "one").beat >= 3);
    assert_true(on_disk(s, "two").beat >= 3);
    lease_release(&one);
    assert_false(scratch_has(s, "one"));
    assert_true(scratch_has(s, "two"));
    lease_release(&two);
    lease_keeper_free(&k);
    assert_null(k);
}

static void progress_is_written_before_the_next_renewal(void **state)
{
    struct scratch *s = *state;
    struct lease_keeper *k = start(s, 3600000);
    struct lease *lease = take(s, k, "one");
    uint64_t until = clock_now_ms(clock_real()) + PATIENCE_MS;

    lease_tell(lease, 5, 10, 15);
    while (on_disk(s, "one").done_bytes != 5 && clock_now_ms(clock_real()) < until)
        a_moment();
    assert_int_equal(on_disk(s, "one").done_bytes, 5);
    assert_int_equal(on_disk(s, "one").bps, 15);
    lease_release(&lease);
    lease_keeper_free(&k);
}

static void a_replaced_lease_is_found_lost(void **state)
{
    struct scratch *s = *state;
    struct lease_keeper *k = start(s, 600);
    struct lease *lease = take(s, k, "one");
    uint64_t until = clock_now_ms(clock_real()) + PATIENCE_MS;

    scratch_write(s, "other", "hostler-lease 9\n", 16);
    assert_int_equal(renameat(s->fd, "other", s->fd, "one"), 0);
    while (!lease_lost(lease) && clock_now_ms(clock_real()) < until)
        a_moment();
    assert_true(lease_lost(lease));
    lease_release(&lease);
    assert_true(scratch_has(s, "one"));
    lease_keeper_free(&k);
}

static void freeing_the_keeper_gives_up_what_is_held(void **state)
{
    struct scratch *s = *state;
    struct lease_keeper *k = start(s, 15000);

    (void)take(s, k, "one");
    (void)take(s, k, "two");
    lease_keeper_free(&k);
    assert_false(scratch_has(s, "one"));
    assert_false(scratch_has(s, "two"));
    lease_keeper_free(&k);
}

/* ---- a disk that hangs: pwrite(2) of this program waits at the gate ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool shut;
    unsigned waiting;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};

ssize_t pwrite(int fd, const void *buffer, size_t len, off_t offset)
{
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    pthread_cond_broadcast(&gate.news);
    while (gate.shut)
        pthread_cond_wait(&gate.news, &gate.lock);
    gate.waiting--;
    pthread_mutex_unlock(&gate.lock);
    return syscall(SYS_pwrite64, fd, buffer, len, offset);
}

static void gate_shut(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.shut = true;
    while (gate.waiting == 0)
        pthread_cond_wait(&gate.news, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_open(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.shut = false;
    pthread_cond_broadcast(&gate.news);
    pthread_mutex_unlock(&gate.lock);
}

static void a_lease_on_a_disk_that_hangs_is_lost_in_time_and_holds_nobody_up(void **state)
{
    struct scratch *s = *state;
    struct lease_keeper *k = start(s, 300);
    struct lease *lease = take(s, k, "one");
    uint64_t began;

    gate_shut();
    began = clock_now_ms(clock_real());
    lease_tell(lease, 1, 2, 3);
    while (!lease_lost(lease) && clock_now_ms(clock_real()) - began < PATIENCE_MS)
        a_moment();
    assert_true(lease_lost(lease));
    lease_release(&lease);
    assert_true(clock_now_ms(clock_real()) - began < 5000);
    gate_open();
    while (scratch_has(s, "one") && clock_now_ms(clock_real()) - began < PATIENCE_MS)
        a_moment();
    assert_false(scratch_has(s, "one"));
    lease_keeper_free(&k);
}

static void a_keeper_whose_thread_hangs_is_left_behind(void **state)
{
    struct scratch *s = *state;
    struct lease_keeper *k = start(s, 300);
    uint64_t began;

    (void)take(s, k, "one");
    (void)take(s, k, "two");
    gate_shut();
    began = clock_now_ms(clock_real());
    lease_keeper_free(&k);
    assert_null(k);
    assert_true(clock_now_ms(clock_real()) - began < 5000);
    gate_open();
}

/* ---- a crowd of threads, each its own host, on real files ---- */

struct crowd {
    struct scratch *s;
    atomic_int inside;
    atomic_int most;
    atomic_int turns;
};

static void *contend(void *arg)
{
    struct crowd *crowd = arg;
    struct lease_keeper_options options = {
        .clock = clock_real(), .host = "h", .takeover_ms = 60000};
    struct err err = {0};
    struct lease_keeper *k = lease_keeper_new(&options, &err);

    for (int turn = 0; k != NULL && turn < 10;) {
        struct lease_watch watch = {0};
        struct lease *lease = NULL;

        if (lease_try(&lease, &watch, k, &(struct lease_name){crowd->s->fd, "one", "what"}, &err) <
            0)
            break;
        if (lease == NULL) {
            a_moment();
            continue;
        }
        if (atomic_fetch_add(&crowd->inside, 1) + 1 > atomic_load(&crowd->most))
            atomic_store(&crowd->most, atomic_load(&crowd->inside));
        lease_tell(lease, 1, 2, 3);
        atomic_fetch_add(&crowd->turns, 1);
        turn++;
        atomic_fetch_sub(&crowd->inside, 1);
        lease_release(&lease);
    }
    lease_keeper_free(&k);
    return NULL;
}

static void of_a_crowd_one_at_a_time_is_inside(void **state)
{
    struct crowd crowd = {.s = *state};
    pthread_t threads[6];

    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contend, &crowd), 0);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.turns), 60);
    assert_int_equal(atomic_load(&crowd.most), 1);
    assert_int_equal(rmdir(crowd.s->path), 0);
    assert_int_equal(mkdir(crowd.s->path, 0700), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(the_thread_renews_all_leases_by_itself),
        SCRATCH_TEST(progress_is_written_before_the_next_renewal),
        SCRATCH_TEST(a_replaced_lease_is_found_lost),
        SCRATCH_TEST(freeing_the_keeper_gives_up_what_is_held),
        SCRATCH_TEST(a_lease_on_a_disk_that_hangs_is_lost_in_time_and_holds_nobody_up),
        SCRATCH_TEST(a_keeper_whose_thread_hangs_is_left_behind),
        SCRATCH_TEST(of_a_crowd_one_at_a_time_is_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
