/*
 * The volume: the directory that the workers share, what lies on it, and what it can do.
 *
 * A store is one root on it that one kind of reader knows (the HF hub cache, later an Ollama
 * store). Both are opened once and given around as plain values; the descriptors live until
 * volume_close().
 */
#ifndef STORE_VOLUME_H
#define STORE_VOLUME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "err/err.h"
#include "mem/arena.h"

struct volume {
    const char *path;
    int fd;                /* the root directory */
    struct stat root;      /* new directories take group, setgid and write bits from it */
    bool writable;         /* by its mount and its modes */
    int refusal;           /* the errno of writing there; 0 if writable */
    const char *ephemeral; /* "tmpfs", "ramfs" or "overlay" where nothing survives; else NULL */
};

/*
 * Opens the root, which must be there (or, with make, is made; nothing is ever made at `/`).
 * A missing one is ERR_USAGE with the hint `--volume ~/models`.
 */
int volume_open(struct volume *out, struct arena *a, const char *path, bool make,
                struct err *err) MUST_CHECK;
void volume_close(struct volume *v);

/* False: its path leads to another directory by now, or nowhere: moved, removed or unmounted. */
bool volume_is_there(const struct volume *v);

/* One directory beneath which a reader looks; may lie outside the volume (HF_HUB_CACHE). */
struct store {
    const char *path; /* as the operator knows it, for messages */
    int fd;
    const struct volume *volume;
};

/* Opens, and makes where it is missing and make is set. A missing one without make is
 * ERR_NOT_FOUND. A permission is ERR_VOLUME that names uid, owner, mode and the chown that mends.
 */
int store_open(struct store *out, struct arena *a, const struct volume *v, const char *path,
               bool make, struct err *err) MUST_CHECK;
void store_close(struct store *s);

/*
 * Adds to a refusal (err->sys is EACCES or EPERM; all else is left alone) who we are, which
 * directory refused, its owner and mode, and the chown that mends it. path is what was to be read
 * or made. Returns -1.
 */
int volume_explain(struct err *err, const char *path, const char *volume_path);

struct space {
    uint64_t free_bytes; /* what we may still write: f_bavail, less what a quota leaves */
    uint64_t total_bytes;
    const char *limit; /* "filesystem" or "quota" */
};

/* Of the filesystem under dirfd. */
int volume_space(struct space *out, int dirfd, struct err *err) MUST_CHECK;

/* True for filesystems that are surely not shared with another host (ext4, xfs, btrfs, tmpfs,
 * overlay, f2fs, zfs ...): by statfs. */
bool volume_is_local(int dirfd);

/* Names of scratch files that try what the filesystem can do begin so; a kill may leave one. */
#define VOLUME_PROBE ".hostler-try-"

/* Does flock work here? Proved just now on a scratch file through two opens of our own. */
bool volume_flock_works(int dirfd);

#endif
