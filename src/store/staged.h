/*
 * The names in a staging directory: `<digest>.<token>.part` and `<digest>.<token>.journal`. Anyone
 * who can write the volume can put names there, so everything else is passed over.
 */
#ifndef STORE_STAGED_H
#define STORE_STAGED_H

#include <stdbool.h>
#include <stddef.h>

#include "digest/digest.h"
#include "mem/arena.h"

#define STAGED_NAME      ((size_t)128)
#define STAGED_TOKEN_MAX ((size_t)32)
#define STAGED_MAX       ((size_t)100000) /* names that are looked at */

enum staged_kind {
    STAGED_PART,
    STAGED_JOURNAL,
    STAGED_PROBE, /* a scratch file that a kill left behind */
    STAGED_CLAIM, /* on the lease that had this token */
};

struct staged {
    char name[STAGED_NAME];
    enum staged_kind kind;
    struct digest digest;
    char token[STAGED_TOKEN_MAX + 1];
};

struct staged_list {
    struct staged *at;
    size_t len;
};

/* The name of a file of our own. */
void staged_name(char out[static STAGED_NAME], const struct digest *digest, const char *token,
                 enum staged_kind kind);

/* All of them; of one digest only, unless it is NULL. A directory that cannot be read has none. */
struct staged_list staged_read(struct arena *a, int dirfd, const struct digest *digest);

/* A staging file of someone else: its descriptor (read and write, else read only), or -1. */
int staged_open(bool *ret_writable, int dirfd, const char *name);

/* Nobody holds flock on the file, as far as flock tells; the lock is ours until fd is closed. */
bool staged_lock(int fd);

/*
 * The lock of a file of our own, which shows others that we live. Who only looks whether somebody
 * holds it (staged_lock()) has it for that moment, and must not leave us without one for good: it
 * is asked for again for STAGED_HOLD_TRIES ms. False where flock does not work, and after that.
 */
#define STAGED_HOLD_TRIES 1000
bool staged_hold(int fd);

#endif
