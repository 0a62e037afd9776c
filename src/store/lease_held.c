/* Leases of ours: made, renewed, told, lost, given up. lease_keeper.c says when. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/lease_file.h"
#include "store/lease_keeper.h"
#include "store/lease_text.h"
#include "sys/fd.h"
#include "sys/file.h"

#define PATIENCE_MS 500 /* for a thread that hangs in a disk */

void lease_move(enum lease_phase *phase, enum lease_phase to)
{
    assert(lease_may_move(*phase, to));
    *phase = to;
}

static bool is_late(const struct lease_keeper *k, const struct lease *lease, uint64_t now)
{
    uint64_t renewed = atomic_load(&lease->renewed_ms);

    return now > renewed && now - renewed > k->takeover_ms / 2;
}

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

void lease_drop(struct lease_keeper *k, struct lease *lease)
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
        lease_drop(k, lease);
    pthread_cond_broadcast(&k->idle);
}

void lease_serve(struct lease_keeper *k, struct lease *lease, uint64_t now)
{
    if (lease->unwanted)
        finish(k, lease);
    else
        beat(k, lease, now);
}

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
        lease_wait_ms(&k->idle, &k->lock, PATIENCE_MS / 5);
    if (ours->phase == LEASE_RELEASED)
        lease_drop(k, ours);
    else
        ours->orphan = true;
    pthread_mutex_unlock(&k->lock);
}
