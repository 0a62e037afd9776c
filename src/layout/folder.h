/*
 * Folders of a store, as every driver opens, makes and syncs them. What should be a folder of the
 * store and proves to be a link is hostile: ERR_LIMIT that names it.
 */
#ifndef LAYOUT_FOLDER_H
#define LAYOUT_FOLDER_H

#include <stdbool.h>

#include "layout/layout.h"

/* ERR_LIMIT: `<store>/<where> <what>`. Returns -1. */
int folder_hostile(struct err *err, const struct layout_place *p, const char *where,
                   const char *what);

/*
 * Of an error of file_open() for a folder, where being its path beneath the store: a link where
 * none may be is hostile. Returns -1.
 */
int folder_refused(struct err *err, const struct layout_place *p, const char *where);

/*
 * Opens the directory name beneath dirfd, which may not be a link. Missing: made if make is set,
 * else *ret_fd is -1 and 0 is returned.
 */
int folder_open(int *ret_fd, const struct layout_place *p, int dirfd, const char *name, bool make,
                struct err *err) MUST_CHECK;

/* fsync; filesystems that have nothing to sync are fine. */
int folder_sync(const struct layout_place *p, int fd, struct err *err) MUST_CHECK;

#endif
