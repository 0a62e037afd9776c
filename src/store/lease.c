#include "store/lease.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/lease_file.h"
#include "store/lease_keeper.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"

#define AGAIN_MAX_MS 500
#define AGAIN_MIN_MS 10
#define SUFFIX_MAX   1000U /* so many dead claims of one lease are passed by */
#define CLAIM_NAME   (LEASE_NAME_MAX + 64)

/* One call of lease_try(). */
struct contest {
    struct lease_watch *watch;
    struct lease_keeper *keeper;
    int dirfd;
    const char *name;
    const char *what;
    bool local;
    uint64_t now_ms;
};

/* Looks at what is watched; true if it has changed. */
static bool look(struct lease_sight *sight, const struct contest *c, uint32_t crc)
{
    uint64_t step = c->now_ms - sight->looked_ms;
    uint64_t most = c->keeper->takeover_ms / 3;

    sight->looked_ms = c->now_ms;
    if (sight->seen && sight->crc == crc) {
        sight->unchanged_ms += step < most ? step : most;
        return false;
    }
    sight->seen = true;
    sight->crc = crc;
    sight->unchanged_ms = 0;
    return true;
}

/*
 * Its process is gone for sure: it ran on this very kernel, on a filesystem that no other has, and
 * its flock, which lives as long as it does, is free, while flock was just proved to work here.
 */
static bool is_provably_gone(const struct contest *c, const struct lease_file *f)
{
    return f->whole && f->state.format == LEASE_FORMAT && c->local &&
           strcmp(c->keeper->boot_id, "-") != 0 &&
           strcmp(f->state.boot_id, c->keeper->boot_id) == 0 &&
           flock(f->fd, LOCK_EX | LOCK_NB) == 0 && c->keeper->flock_works(c->dirfd);
}

static bool is_dead(const struct contest *c, const struct lease_file *f,
                    const struct lease_sight *sight)
{
    if (f->whole && f->state.format != LEASE_FORMAT)
        return false; /* we do not know how that one lives */
    return sight->unchanged_ms >= c->keeper->takeover_ms || is_provably_gone(c, f);
}

/* Somebody else has it; look again soon. */
static int stand_by(struct contest *c, enum lease_phase phase)
{
    uint64_t again = c->keeper->takeover_ms / 5;

    lease_move(&c->watch->phase, phase);
    again = again < AGAIN_MAX_MS ? again : AGAIN_MAX_MS;
    c->watch->again_ms = again > AGAIN_MIN_MS ? again : AGAIN_MIN_MS;
    return 0;
}

static int hold(struct lease **ret, struct contest *c, int fd, const struct lease_state *state,
                struct err *err)
{
    struct lease *lease = lease_keep(c->keeper, fd, c->dirfd, c->name, state, err);

    if (lease == NULL)
        return -1;
    lease_move(&c->watch->phase, LEASE_HELD);
    *ret = lease;
    return 0;
}

static int take_free(struct lease **ret, struct contest *c, struct err *err)
{
    struct lease_state state = lease_keeper_state(c->keeper, c->what);
    int fd = -1;

    if (lease_file_make(&fd, c->dirfd, c->name, &state, c->local, err) < 0)
        return -1;
    return fd < 0 ? stand_by(c, LEASE_WATCHING) : hold(ret, c, fd, &state, err);
}

/* The name of the n-th claim on what is watched now. */
static void claim_name(char out[static CLAIM_NAME], const struct contest *c, unsigned n)
{
    char watched[24];

    if (c->watch->holder.token[0] != '\0')
        (void)snprintf(watched, sizeof(watched), "%s", c->watch->holder.token);
    else
        (void)snprintf(watched, sizeof(watched), "torn%08x", c->watch->lease.crc);
    if (n < 2)
        (void)snprintf(out, CLAIM_NAME, "%s.claim.%s", c->name, watched);
    else
        (void)snprintf(out, CLAIM_NAME, "%s.claim.%s.%u", c->name, watched, n);
}

/* Is the lease still what we judged? A claim that was won late finds another one there. */
static int is_as_judged(bool *out, const struct contest *c, struct err *err)
{
    LEASE_FILE_SCOPED f = {.fd = -1};
    uint64_t now = clock_now_ms(c->keeper->clock);

    if (lease_file_read(&f, c->dirfd, c->name, err) < 0)
        return -1;
    *out =
        f.fd >= 0 && f.crc == c->watch->lease.crc && now - c->now_ms < c->keeper->takeover_ms / 4;
    return 0;
}

/* Whose token the lease has now. */
static bool is_ours_now(const struct contest *c, const struct lease_state *state)
{
    LEASE_FILE_SCOPED f = {.fd = -1};
    struct err ignored;

    return lease_file_read(&f, c->dirfd, c->name, &ignored) == 0 && f.fd >= 0 && f.whole &&
           strcmp(f.state.token, state->token) == 0;
}

/* The claim is ours: it becomes the lease, by one rename. fd is its. */
static int take_over(struct lease **ret, struct contest *c, int fd, const char *claim,
                     const struct lease_state *state, struct err *err)
{
    FD_SCOPED mine = fd;
    char older[CLAIM_NAME];
    bool as_judged = false;
    int result;
    int sys = 0;

    lease_move(&c->watch->phase, LEASE_CLAIMING);
    result = is_as_judged(&as_judged, c, err);
    if (!as_judged) {
        (void)unlinkat(c->dirfd, claim, 0);
        (void)stand_by(c, LEASE_WATCHING);
        return result;
    }
    if (renameat(c->dirfd, claim, c->dirfd, c->name) < 0)
        sys = errno;
    if (!is_ours_now(c, state)) {
        (void)unlinkat(c->dirfd, claim, 0);
        (void)stand_by(c, LEASE_WATCHING);
        errno = sys;
        return sys == 0 || sys == ENOENT ? 0 : file_err(err, "cannot take over %s", c->name);
    }
    for (unsigned n = 1; n < c->watch->claim_suffix; n++) {
        claim_name(older, c, n);
        (void)unlinkat(c->dirfd, older, 0);
    }
    return hold(ret, c, fd_take(&mine), state, err);
}

/* Somebody else has the claim. True if he is dead too, so that the next suffix is free for all. */
static int judge_claim(bool *ret_dead, struct contest *c, const char *claim, struct err *err)
{
    LEASE_FILE_SCOPED f = {.fd = -1};

    *ret_dead = false;
    if (lease_file_read(&f, c->dirfd, claim, err) < 0)
        return -1;
    if (f.fd < 0)
        return 0; /* has become the lease, or was given up */
    (void)look(&c->watch->claim, c, f.crc);
    *ret_dead = is_dead(c, &f, &c->watch->claim);
    return 0;
}

static int claim(struct lease **ret, struct contest *c, struct err *err)
{
    struct lease_state state = lease_keeper_state(c->keeper, c->what);
    unsigned *n = &c->watch->claim_suffix;
    char name[CLAIM_NAME];

    for (*n = *n < 1 ? 1 : *n; *n <= SUFFIX_MAX; ++*n) {
        bool dead = false;
        int fd = -1;

        claim_name(name, c, *n);
        if (lease_file_make(&fd, c->dirfd, name, &state, c->local, err) < 0)
            return -1;
        if (fd >= 0)
            return take_over(ret, c, fd, name, &state, err);
        if (judge_claim(&dead, c, name, err) < 0)
            return -1;
        if (!dead)
            return stand_by(c, LEASE_OUTRUN);
        c->watch->claim = (struct lease_sight){0};
    }
    return err_set(err, ERR_VOLUME, "%s: %u dead claims on it; remove them", c->name, SUFFIX_MAX);
}

static int contend(struct lease **ret, struct contest *c, struct err *err)
{
    LEASE_FILE_SCOPED f = {.fd = -1};
    struct lease_watch *watch = c->watch;

    if (lease_file_read(&f, c->dirfd, c->name, err) < 0)
        return -1;
    if (f.fd < 0)
        return take_free(ret, c, err);
    watch->moved = look(&watch->lease, c, f.crc);
    watch->unchanged_ms = watch->lease.unchanged_ms;
    watch->holder = f.state;
    if (watch->moved) {
        watch->claim = (struct lease_sight){0};
        watch->claim_suffix = 0;
    }
    return is_dead(c, &f, &watch->lease) ? claim(ret, c, err) : stand_by(c, LEASE_WATCHING);
}

int lease_try(struct lease **ret, struct lease_watch *watch, struct lease_keeper *k,
              const struct lease_name *name, struct err *err)
{
    struct lease *lease = NULL;
    struct contest c = {
        .watch = watch,
        .keeper = k,
        .dirfd = name->dirfd,
        .name = name->file,
        .what = name->what,
        .local = k->is_local(name->dirfd),
        .now_ms = clock_now_ms(k->clock),
    };

    assert(strlen(name->file) <= LEASE_NAME_MAX);
    if (watch->phase == LEASE_HELD || watch->phase == LEASE_CLAIMING)
        *watch = (struct lease_watch){0}; /* that was another contest */
    if (contend(&lease, &c, err) < 0)
        return -1;
    /* What holds after every move: it is ours or we know when to look again. */
    assert((lease != NULL) == (watch->phase == LEASE_HELD));
    assert(lease != NULL || watch->again_ms > 0);
    assert(watch->phase != LEASE_OUTRUN || watch->claim_suffix > 0);
    *ret = lease;
    return 0;
}
