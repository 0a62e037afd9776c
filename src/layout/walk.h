/*
 * Looking through folders that others can write: a readdir() and no more for each, beneath one open
 * directory, within limits, following no link. For listings of a whole store.
 */
#ifndef LAYOUT_WALK_H
#define LAYOUT_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "err/err.h"

#define WALK_PATH_MAX  ((size_t)4096)
#define WALK_DEPTH_MAX 64U

struct walk_entry {
    int dirfd;        /* of the folder it is in */
    const char *name; /* hostile: any bytes but NUL and '/' */
    const char *path; /* from where the walk began; good until the callback returns */
    unsigned depth;   /* folders between */
    mode_t type;      /* S_IFREG, S_IFLNK, S_IFDIR (only at the greatest depth), ... */
};

struct walk {
    unsigned depth; /* how many folders deep; 0: one folder, whose folders are entries themselves */
    uint64_t *left; /* entries that may still be looked at: counts down */
    void (*entry)(void *ctx, const struct walk_entry *e);
    /* A folder that cannot be read (ERR_VOLUME), or a limit that was passed (ERR_LIMIT), at path.
     */
    void (*trouble)(void *ctx, const char *path, const struct err *err);
    void *ctx;
};

/*
 * Everything in the folder name beneath dirfd, in no order. A folder that is not there is empty;
 * what vanishes meanwhile is passed over. Troubles go to the callback, and the rest is walked.
 */
void walk_folder(const struct walk *w, int dirfd, const char *name);

#endif
