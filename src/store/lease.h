/*
 * Leases: one downloader for each model (or blob) of a store, among all processes of all hosts.
 *
 * A lease is a file beside the staging that it protects. Nothing rests on flock, fcntl, clocks of
 * other hosts or process ids; correctness does not rest on the lease at all (two holders waste
 * bytes and break nothing). doc/architecture.md, "Leases", is the rule. Calling sequence:
 *
 *     keeper = lease_keeper_new(...)             one thread for all leases of the process
 *     struct lease_watch watch = {0}
 *     while (lease_try(&lease, &watch, keeper, dirfd, name, err) == 0 && lease == NULL)
 *         show watch.holder; wait watch.again_ms or do other work
 *     work; lease_tell(lease, done, total) now and then; stop when lease_lost(lease)
 *     lease_release(&lease)
 *
 * The keeper rewrites each lease every third of the takeover time, every 3 s at most, and checks
 * that the name still leads to it; one that it could not renew for half the takeover time is lost.
 * Who takes over waits the whole time, so a holder that was paused and wakes has stopped before.
 */
#ifndef STORE_LEASE_H
#define STORE_LEASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "store/formats.h"
#include "sys/clock.h"
#include "text/str.h"

#define LEASE_TOKEN     16 /* hex digits of the holder's random token */
#define LEASE_BYTES_MAX ((size_t)4096)

/* What a lease file says; everything in it is hostile until parsed. */
struct lease_state {
    unsigned format; /* unknown: counts as held, and only that */
    char token[LEASE_TOKEN + 1];
    char host[65];
    char boot_id[40];
    uint64_t pid;   /* for people */
    char what[129]; /* "hf:org/name@main" */
    uint64_t beat;  /* grows with each renewal */
    uint64_t done_bytes;
    uint64_t total_bytes; /* 0: not known yet */
    uint64_t bps;
};

/* False if it is no lease at all (torn while being rewritten: look again). Fuzz target. */
bool lease_parse(struct lease_state *out, struct str text);

struct lease_keeper;

struct lease_keeper_options {
    const struct clock *clock;
    const char *host;     /* HOSTLER_HOST */
    uint64_t takeover_ms; /* 15,000 */
    bool manual;          /* no thread: lease_keeper_beat() is called by hand (tests) */
    /* What proves a holder's death; NULL: volume_is_local() and volume_flock_works(). */
    bool (*is_local)(int dirfd);
    bool (*flock_works)(int dirfd);
};

struct lease_keeper *lease_keeper_new(const struct lease_keeper_options *options,
                                      struct err *err) MUST_CHECK;
void lease_keeper_beat(struct lease_keeper *k); /* renews what is due */
/* Gives up all leases that are still held. */
void lease_keeper_free(struct lease_keeper **k);

/*
 * A file that is watched not to change. Time counts only as far as we kept looking, so that a
 * waiter that was paused itself judges nobody by its own absence.
 */
struct lease_sight {
    bool seen;
    uint32_t crc;
    uint64_t looked_ms;
    uint64_t unchanged_ms;
};

/* What a contender for a lease is about; lease_may_move() has the table of moves. */
enum lease_phase {
    LEASE_LOOKING,  /* has not seen anything yet */
    LEASE_WATCHING, /* somebody holds it */
    LEASE_OUTRUN,   /* its holder is dead, but somebody else claims it */
    LEASE_CLAIMING, /* its holder is dead, and the claim is ours */
    LEASE_HELD,     /* ours */
    LEASE_LOST,     /* was ours */
    LEASE_RELEASED, /* given up */
    LEASE_PHASES,
};

bool lease_may_move(enum lease_phase from, enum lease_phase to);

/* One waiter's memory of what it saw, for judging by its own clock. Zero to start. */
struct lease_watch {
    struct lease_state holder; /* who holds it, to show */
    uint64_t unchanged_ms;     /* how long its file has not changed under our eyes */
    uint64_t again_ms;         /* look again after this */
    bool moved;                /* it changed (progress or beat) since the last look */
    /* private */
    enum lease_phase phase;
    struct lease_sight lease;
    struct lease_sight claim;
    unsigned claim_suffix; /* of the claim that we watch or try next; 0 and 1: none */
};

struct lease; /* one that is ours */

/* Where it lies, and what people read in it. */
struct lease_name {
    int dirfd;
    const char *file; /* at most LEASE_NAME_MAX bytes */
    const char *what; /* "hf:org/name@main" */
};

/*
 * Takes the lease name in dirfd if it is free, dead by the watch, or its holder is provably gone
 * (same boot and same host, a filesystem that is surely local, its flock free and flock proved to
 * work). Else *ret is NULL and the watch tells. A directory that cannot be written is ERR_VOLUME.
 */
#define LEASE_NAME_MAX ((size_t)100)
int lease_try(struct lease **ret, struct lease_watch *watch, struct lease_keeper *k,
              const struct lease_name *name, struct err *err) MUST_CHECK;

/*
 * lease_try() failed because its directory is not there any more: who had it took it away when it
 * was empty. Open it again and try; LEASE_TRIES is enough of that.
 */
#define LEASE_TRIES 100
static inline bool lease_place_gone(const struct err *err)
{
    return err->sys == ENOENT || err->sys == ESTALE;
}

/* For waiters' eyes; written with the next renewal, or at once when it is half a second old. */
void lease_tell(struct lease *lease, uint64_t done_bytes, uint64_t total_bytes, uint64_t bps);

/* It is not ours any more: stop writing. Any thread. */
bool lease_lost(const struct lease *lease);

/*
 * As lease_lost(), and looks at the file too: a clock that stood still (a virtual machine that was
 * paused whole) tells nothing of the successor who took over meanwhile. For moments that count: an
 * error may be his doing. Where the file cannot be read, what was known holds. Any thread.
 */
bool lease_lost_by_a_look(struct lease *lease);

/* The token; staging files are named by it. */
const char *lease_token(const struct lease *lease);

/* Removes the file if it is still ours. */
void lease_release(struct lease **lease);

/*
 * For who only looks: what the lease name in dirfd says; false if none is there that can be read.
 * Neither waits nor writes, so it cannot tell a dead holder on another host from a living one.
 * *ret_gone: the holder's process is gone (it ran on this very kernel, the filesystem is local, and
 * the flock that it held is free).
 */
bool lease_look(struct lease_state *out, bool *ret_gone, int dirfd, const char *name);

#endif
