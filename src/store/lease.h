/*
 * Leases: one downloader for each model (or blob) of a store, among all processes of all hosts.
 *
 * A lease is a file beside the staging that it protects. Nothing rests on flock, fcntl, clocks of
 * other hosts or process ids; correctness does not rest on the lease at all (two holders waste
 * bytes and break nothing). doc/architecture.md, "Leases", is the rule. Calling sequence:
 *
 *     keeper = lease_keeper_new(...)             one thread for all leases of the process
 *     lease_watch_init(&watch)
 *     while (lease_try(&lease, &watch, keeper, dirfd, name, err) == 0 && lease == NULL)
 *         show watch.holder; wait watch.again_ms or do other work
 *     work; lease_tell(lease, done, total) now and then; stop when lease_lost(lease)
 *     lease_release(&lease)
 *
 * The keeper rewrites each lease every third of the takeover time at most 3 s and checks that the
 * name still leads to its inode; one that it could not renew for half the takeover time is lost.
 */
#ifndef STORE_LEASE_H
#define STORE_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "sys/clock.h"

#define LEASE_FORMAT    1
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
};

struct lease_keeper *lease_keeper_new(const struct lease_keeper_options *options,
                                      struct err *err) MUST_CHECK;
void lease_keeper_beat(struct lease_keeper *k); /* renews what is due */
/* Gives up all leases that are still held. */
void lease_keeper_free(struct lease_keeper **k);

/* One waiter's memory of what it saw, for judging by its own clock. Zero to start. */
struct lease_watch {
    struct lease_state holder; /* who holds it, to show */
    uint64_t unchanged_ms;     /* how long its file has not changed under our eyes */
    uint64_t again_ms;         /* look again after this */
    bool moved;                /* it changed (progress or beat) since the last look */
    /* private */
    uint64_t since_ms;
    uint32_t seen_crc;
    bool seen;
    struct lease_state claim;
    uint64_t claim_since_ms;
    uint32_t claim_crc;
    unsigned claim_suffix;
};

struct lease; /* one that is ours */

/*
 * Takes the lease name in dirfd if it is free, dead by the watch, or its holder is provably gone
 * (same boot and same host, a filesystem that is surely local, its flock free and flock proved to
 * work). Else *ret is NULL and the watch tells. A directory that cannot be written is ERR_VOLUME.
 */
int lease_try(struct lease **ret, struct lease_watch *watch, struct lease_keeper *k, int dirfd,
              const char *name, const char *what, struct err *err) MUST_CHECK;

/* For waiters' eyes; written with the next renewal, or at once when it is half a second old. */
void lease_tell(struct lease *lease, uint64_t done_bytes, uint64_t total_bytes, uint64_t bps);

/* It is not ours any more: stop writing. Any thread. */
bool lease_lost(const struct lease *lease);

/* The token; staging files are named by it. */
const char *lease_token(const struct lease *lease);

/* Removes the file if it is still ours. */
void lease_release(struct lease **lease);

#endif
