#include "store/lease_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "store/lease_file.h"
#include "store/lease_text.h"
#include "store/volume.h"
#include "sys/fd.h"
#include "sys/file.h"

#define BEAT_MAX_MS   3000
#define TELL_AGAIN_MS 500 /* progress is written so often */
#define PATIENCE_MS   500 /* for a thread that hangs in a disk */
#define STACK_BYTES   ((size_t)128 << 10)
#define BOOT_ID       "sys/kernel/random/boot_id"

uint64_t lease_beat_ms(const struct lease_keeper *k)
{
    uint64_t third = k->takeover_ms / 3;

    return third < BEAT_MAX_MS ? third : BEAT_MAX_MS;
}

static uint64_t due_ms(const struct lease_keeper *k, const struct lease *lease)
{
    uint64_t beat_ms = lease_beat_ms(k);

    return lease->tried_ms + (lease->told && beat_ms > TELL_AGAIN_MS ? TELL_AGAIN_MS : beat_ms);
}

/* The lease whose turn it is; NULL: none before *ret_next_ms. */
static struct lease *due(const struct lease_keeper *k, uint64_t now, uint64_t *ret_next_ms)
{
    uint64_t next = UINT64_MAX;

    for (struct lease *lease = k->held; lease != NULL; lease = lease->next) {
        uint64_t at = due_ms(k, lease);

        if (lease->unwanted && lease->phase != LEASE_RELEASED && !lease->busy)
            return lease;
        if (lease->phase != LEASE_HELD || lease->busy)
            continue;
        if (at <= now)
            return lease;
        next = at < next ? at : next;
    }
    *ret_next_ms = next;
    return NULL;
}

void lease_keeper_beat(struct lease_keeper *k)
{
    uint64_t now = clock_now_ms(k->clock);
    struct lease *lease;
    uint64_t next;

    pthread_mutex_lock(&k->lock);
    while ((lease = due(k, now, &next)) != NULL)
        lease_serve(k, lease, now);
    pthread_mutex_unlock(&k->lock);
}

void lease_wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    ms = ms < 3600000 ? ms : 3600000;
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(cond, lock, &at);
}

static void destroy(struct lease_keeper *k)
{
    struct arena a = k->arena;

    while (k->held != NULL)
        lease_drop(k, k->held);
    pthread_cond_destroy(&k->wake);
    pthread_cond_destroy(&k->idle);
    pthread_mutex_destroy(&k->lock);
    arena_free(&a);
}

static void *run(void *arg)
{
    struct lease_keeper *k = arg;
    bool forsaken;

    pthread_mutex_lock(&k->lock);
    while (!k->stop) {
        uint64_t now = clock_now_ms(k->clock);
        uint64_t next;
        struct lease *lease = due(k, now, &next);

        if (lease != NULL)
            lease_serve(k, lease, now);
        else
            lease_wait_ms(&k->wake, &k->lock, next - now);
    }
    k->ended = true;
    forsaken = k->forsaken;
    pthread_cond_broadcast(&k->idle);
    pthread_mutex_unlock(&k->lock);
    if (forsaken)
        destroy(k);
    return NULL;
}

static int start(struct lease_keeper *k, struct err *err)
{
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    int sys;

    pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
    sys = pthread_create(&k->thread, &attr, run, k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (sys != 0) {
        errno = sys;
        err_sys(err, ERR_LIMIT, "cannot start the thread that keeps leases");
        return err_hint(err, "raise the limit of processes (ulimit -u, pids of the cgroup)");
    }
    k->threaded = true;
    return 0;
}

void lease_boot_id(char out[static LEASE_BOOT_ID])
{
    ARENA_SCOPED a = {0};
    struct err ignored;
    struct str text;
    FD_SCOPED proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    memcpy(out, "-", 2);
    if (proc < 0 || file_read_all(&text, &a, proc, BOOT_ID, 4096, &ignored) < 0)
        return;
    lease_plain(out, LEASE_BOOT_ID, str_dup(&a, str_trim(text)));
}

struct lease_keeper *lease_keeper_new(const struct lease_keeper_options *options, struct err *err)
{
    struct arena a = {0};
    struct lease_keeper *k = arena_new(&a, struct lease_keeper);
    pthread_condattr_t attr;

    k->arena = a;
    k->clock = options->clock;
    k->takeover_ms = options->takeover_ms;
    k->is_local = options->is_local != NULL ? options->is_local : volume_is_local;
    k->flock_works = options->flock_works != NULL ? options->flock_works : volume_flock_works;
    lease_plain(k->host, sizeof(k->host), options->host);
    lease_boot_id(k->boot_id);
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &attr);
    pthread_cond_init(&k->idle, &attr);
    pthread_condattr_destroy(&attr);
    if (!options->manual && start(k, err) < 0) {
        lease_keeper_free(&k);
        return NULL;
    }
    return k;
}

/* Newer ones stand before older ones: those behind one that hangs would hang with it. */
static struct lease *next_to_release(struct lease_keeper *k)
{
    struct lease *lease;

    pthread_mutex_lock(&k->lock);
    lease = k->held != NULL && !k->held->orphan ? k->held : NULL;
    pthread_mutex_unlock(&k->lock);
    return lease;
}

void lease_keeper_free(struct lease_keeper **k)
{
    struct lease_keeper *keeper = *k;
    uint64_t give_up_ms = clock_now_ms(clock_real()) + PATIENCE_MS;
    struct lease *lease;

    if (keeper == NULL)
        return;
    *k = NULL;
    while ((lease = next_to_release(keeper)) != NULL)
        lease_release(&lease);
    pthread_mutex_lock(&keeper->lock);
    keeper->stop = true;
    pthread_cond_signal(&keeper->wake);
    while (keeper->threaded && !keeper->ended && clock_now_ms(clock_real()) < give_up_ms)
        lease_wait_ms(&keeper->idle, &keeper->lock, PATIENCE_MS / 5);
    if (keeper->threaded && !keeper->ended) {
        keeper->forsaken = true; /* it hangs in a disk; should it come back, it cleans up */
        pthread_detach(keeper->thread);
        pthread_mutex_unlock(&keeper->lock);
        return;
    }
    pthread_mutex_unlock(&keeper->lock);
    if (keeper->threaded)
        pthread_join(keeper->thread, NULL);
    destroy(keeper);
}
