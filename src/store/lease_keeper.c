#include "store/lease_keeper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

void lease_move(enum lease_phase *phase, enum lease_phase to)
{
    assert(lease_may_move(*phase, to));
    *phase = to;
}

uint64_t lease_beat_ms(const struct lease_keeper *k)
{
    uint64_t third = k->takeover_ms / 3;

    return third < BEAT_MAX_MS ? third : BEAT_MAX_MS;
}

static bool is_late(const struct lease_keeper *k, const struct lease *lease, uint64_t now)
{
    uint64_t renewed = atomic_load(&lease->renewed_ms);

    return now > renewed && now - renewed > k->takeover_ms / 2;
}

/* ---- renewing one lease, without the lock ---- */

enum outcome {
    RENEWED,
    FAILED, /* not this time */
    GONE,   /* the name leads elsewhere */
};

static enum outcome renew(const struct lease *lease, const struct lease_state *state)
{
    LEASE_FILE_SCOPED f = {.fd = -1};
    struct err ignored;

    if (lease_file_write(lease->fd, state, lease->local) < 0 ||
        lease_file_read(&f, lease->dirfd, lease->name, &ignored) < 0)
        return FAILED;
    if (f.fd < 0)
        return GONE;
    if (!f.whole && f.state.format == 0)
        return FAILED; /* somebody's half-written file, or damage: the next look tells */
    return strcmp(f.state.token, state->token) == 0 ? RENEWED : GONE;
}

/* Closes and forgets it; under the lock. */
static void drop(struct lease_keeper *k, struct lease *lease)
{
    struct lease **at = &k->held;

    while (*at != lease)
        at = &(*at)->next;
    *at = lease->next;
    fd_close(&lease->fd);
    fd_close(&lease->dirfd);
    lease->next = k->spare;
    k->spare = lease;
}

/* Takes the file away if it still is ours, and what was claimed on our death; no lock needed. */
static void give_up(const struct lease *lease)
{
    LEASE_FILE_SCOPED f = {.fd = -1};
    char claim[LEASE_NAME_MAX + 64];
    struct err ignored;

    if (lease_file_read(&f, lease->dirfd, lease->name, &ignored) < 0 || f.fd < 0 || !f.whole ||
        strcmp(f.state.token, lease->state.token) != 0)
        return;
    (void)unlinkat(lease->dirfd, lease->name, 0);
    (void)snprintf(claim, sizeof(claim), "%s.claim.%s", lease->name, lease->state.token);
    (void)unlinkat(lease->dirfd, claim, 0);
}

/* By the keeper's own look or by that of lease_lost_by_a_look(), whichever comes first. */
static void lose(struct lease *lease)
{
    if (lease->phase == LEASE_HELD)
        lease_move(&lease->phase, LEASE_LOST);
    atomic_store(&lease->lost, true);
}

/* Renews one lease; the lock is held before and after, not while the file is written. */
static void beat(struct lease_keeper *k, struct lease *lease, uint64_t now)
{
    struct lease_state state;
    enum outcome outcome;

    lease->tried_ms = now;
    if (is_late(k, lease, now)) {
        lose(lease); /* others may be judging us dead by now */
        return;
    }
    lease->state.beat++;
    lease->told = false;
    lease->busy = true;
    state = lease->state;
    pthread_mutex_unlock(&k->lock);
    outcome = renew(lease, &state);
    pthread_mutex_lock(&k->lock);
    lease->busy = false;
    if (outcome == RENEWED)
        atomic_store(&lease->renewed_ms, now);
    if (outcome == GONE)
        lose(lease);
}

/* Gives one lease up; the lock as with beat(). */
static void finish(struct lease_keeper *k, struct lease *lease)
{
    lease->busy = true;
    pthread_mutex_unlock(&k->lock);
    give_up(lease);
    pthread_mutex_lock(&k->lock);
    lease->busy = false;
    lease_move(&lease->phase, LEASE_RELEASED);
    if (lease->orphan)
        drop(k, lease);
    pthread_cond_broadcast(&k->idle);
}

static void serve(struct lease_keeper *k, struct lease *lease, uint64_t now)
{
    if (lease->unwanted)
        finish(k, lease);
    else
        beat(k, lease, now);
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
        serve(k, lease, now);
    pthread_mutex_unlock(&k->lock);
}

/* ---- the thread ---- */

static void wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ms)
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
        drop(k, k->held);
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
            serve(k, lease, now);
        else
            wait_ms(&k->wake, &k->lock, next - now);
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
        wait_ms(&keeper->idle, &keeper->lock, PATIENCE_MS / 5);
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

/* ---- leases of ours ---- */

struct lease_state lease_keeper_state(struct lease_keeper *k, const char *what)
{
    struct lease_state state = {.format = LEASE_FORMAT, .pid = (uint64_t)getpid()};

    file_random_hex(state.token, LEASE_TOKEN);
    memcpy(state.host, k->host, sizeof(state.host));
    memcpy(state.boot_id, k->boot_id, sizeof(state.boot_id));
    lease_plain(state.what, sizeof(state.what), what);
    return state;
}

struct lease *lease_keep(struct lease_keeper *k, int fd, int dirfd, const char *name,
                         const struct lease_state *state, struct err *err)
{
    FD_SCOPED file = fd;
    int own = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
    struct lease *lease;

    if (own < 0) {
        (void)unlinkat(dirfd, name, 0);
        (void)file_err(err, "cannot hold the lease %s", name);
        return NULL;
    }
    pthread_mutex_lock(&k->lock);
    lease = k->spare;
    if (lease != NULL)
        k->spare = lease->next;
    else
        lease = arena_new(&k->arena, struct lease);
    memset(lease, 0, sizeof(*lease));
    lease->keeper = k;
    lease->fd = fd_take(&file);
    lease->dirfd = own;
    lease->local = k->is_local(dirfd);
    memcpy(lease->name, name, strlen(name) + 1);
    lease->state = *state;
    lease->phase = LEASE_HELD;
    lease->tried_ms = clock_now_ms(k->clock);
    atomic_init(&lease->lost, false);
    atomic_init(&lease->renewed_ms, lease->tried_ms);
    lease->next = k->held;
    k->held = lease;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    return lease;
}

void lease_tell(struct lease *lease, uint64_t done_bytes, uint64_t total_bytes, uint64_t bps)
{
    struct lease_keeper *k = lease->keeper;

    pthread_mutex_lock(&k->lock);
    lease->state.done_bytes = done_bytes;
    lease->state.total_bytes = total_bytes;
    lease->state.bps = bps;
    if (!lease->told) {
        lease->told = true;
        pthread_cond_signal(&k->wake);
    }
    pthread_mutex_unlock(&k->lock);
}

bool lease_lost(const struct lease *lease)
{
    return atomic_load(&lease->lost) ||
           is_late(lease->keeper, lease, clock_now_ms(lease->keeper->clock));
}

/* Its name, directory and token do not change as long as it is ours. */
bool lease_lost_by_a_look(struct lease *lease)
{
    LEASE_FILE_SCOPED f = {.fd = -1};
    struct lease_keeper *k = lease->keeper;
    struct err ignored;

    if (lease_lost(lease))
        return true;
    if (lease_file_read(&f, lease->dirfd, lease->name, &ignored) < 0 ||
        (f.fd >= 0 && (!f.whole || strcmp(f.state.token, lease->state.token) == 0)))
        return false; /* it cannot be read, is being written, or is ours */
    pthread_mutex_lock(&k->lock);
    lose(lease);
    pthread_mutex_unlock(&k->lock);
    return true;
}

const char *lease_token(const struct lease *lease)
{
    return lease->state.token;
}

/* The thread does it, so that a disk that hangs holds nobody else up for long. */
void lease_release(struct lease **lease)
{
    struct lease *ours = *lease;
    uint64_t give_up_ms = clock_now_ms(clock_real()) + PATIENCE_MS;
    struct lease_keeper *k;

    if (ours == NULL)
        return;
    *lease = NULL;
    k = ours->keeper;
    pthread_mutex_lock(&k->lock);
    ours->unwanted = true;
    if (!k->threaded)
        finish(k, ours);
    pthread_cond_signal(&k->wake);
    while (ours->phase != LEASE_RELEASED && clock_now_ms(clock_real()) < give_up_ms)
        wait_ms(&k->idle, &k->lock, PATIENCE_MS / 5);
    if (ours->phase == LEASE_RELEASED)
        drop(k, ours);
    else
        ours->orphan = true;
    pthread_mutex_unlock(&k->lock);
}
