/*
 * Staging: files on their way, in `.hostler/` beside the store they go to.
 *
 * A staging file is named `<digest>.<token>.part`, its journal `<digest>.<token>.journal`; it
 * belongs to one holder, which keeps flock on it. Who takes over adopts a dead one in place only
 * when its holder is provably gone (local filesystem, flock free, flock proved to work); otherwise
 * what its journal claims is copied forward (reflink where it can, else copy and punch out) into a
 * file of its own, so that a paused holder that wakes can never write into an inode that someone
 * published. Only who holds the lease opens staging files.
 */
#ifndef STORE_STAGING_H
#define STORE_STAGING_H

#include <stdbool.h>
#include <stdint.h>

#include "digest/digest.h"
#include "err/err.h"
#include "mem/arena.h"
#include "store/journal.h"

/* Files up to this size arrive in one piece: no preallocation, no journal as a rule. */
#define STAGING_SMALL_BYTES ((uint64_t)1 << 20)

struct staging {
    int fd;
    int dirfd;      /* of the staging directory; the caller's, open as long as this */
    char part[128]; /* names beneath the staging directory */
    char journal_name[128];
    struct journal *journal;
    struct journal_claims claims;
    bool claims_all; /* whole, small and without a journal: hash it before fetching */
};

/*
 * Opens the staging of one file in the directory dirfd: what a dead holder left, else a new one,
 * preallocated by fallocate(2), else ftruncate(2) (files of 1 MiB and less: neither). ERR_NO_SPACE
 * where it does not fit.
 */
int staging_open(struct staging *out, struct arena *a, int dirfd, const char *token,
                 const struct journal_file *file, struct err *err) MUST_CHECK;

/* Closes; both files stay for the next run. */
void staging_close(struct staging *s);

/* Closes and removes both files (after publishing by link, or when it proved useless). */
void staging_discard(struct staging *s);

/* Removes only the journal: the part has been renamed to its place. Closes. */
void staging_published(struct staging *s);

/*
 * Bytes that dead staging of this directory occupies (st_blocks), by holders other than token: the
 * space check counts them as free. Files that do not belong to any of the digests wanted and that
 * nobody holds are counted too.
 */
uint64_t staging_dead_bytes(int dirfd, const char *token);

/*
 * What a journal in dirfd already claims of this file, for --dry-run and the space check.
 */
uint64_t staging_claimed_bytes(int dirfd, const struct digest *want, uint64_t size);

/* All that is staged in a directory. */
struct staging_sum {
    uint64_t claimed_bytes; /* by the journals, and whole small files */
    uint64_t total_bytes;   /* of the files that shall become of it, each digest once */
};

/* For who lists; reads journals and nothing else. */
struct staging_sum staging_sum(int dirfd);

/*
 * Removes staging of others than token, for digests that are published, empty leftovers, claims
 * on leases before this one, and what kills left of scratch and temporary files. For the holder of
 * the lease.
 */
void staging_sweep(int dirfd, const char *token, bool (*published)(const struct digest *d, void *),
                   void *ctx);

#endif
