/*
 * Publishing: from staging to the name that readers use.
 *
 * Group commit: files are synced together (fdatasync for a few, and on file servers; syncfs for
 * many on a local disk) and then renamed, so that what is visible was synced first and 2,000 small
 * files do not cost 2,000 syncs.
 */
#ifndef STORE_PUBLISH_H
#define STORE_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "err/err.h"

struct publish_item {
    int fd; /* of the staged file */
    int from_dirfd;
    const char *from; /* its name */
    int to_dirfd;
    const char *to; /* the reader's name beneath to_dirfd */
    mode_t mode;
    bool replace; /* what stands there is wrong or was to be fetched again */
};

/*
 * Syncs the contents of all items. Errors are ERR_VOLUME, full disks ERR_NO_SPACE. After an I/O
 * error the items' staged names are removed: what the disk lost may still read back right from
 * memory, and a second sync would not tell.
 */
int publish_sync(const struct publish_item *items, size_t count, struct err *err) MUST_CHECK;

/*
 * Renames one synced item to its name (link+unlink semantics are not needed: equal names hold equal
 * verified bytes). Without replace an existing regular file stays and the staged one is removed.
 * The mode is set before. The caller syncs the directories once at the end.
 */
int publish_rename(const struct publish_item *item, struct err *err) MUST_CHECK;

/* What the filesystem under dirfd can do, tried once on scratch files in the directory dirfd. */
struct publish_abilities {
    bool symlinks;
    bool hard_links;
    bool reflinks;
};

int publish_probe(struct publish_abilities *out, int dirfd, struct err *err) MUST_CHECK;

/*
 * A second name or copy of the same bytes: reflink, else hard link, else a copy, synced. from_fd is
 * open for reading; mode goes to a new inode only. It appears whole under to; what stands there is
 * replaced unless it is a regular file (then it stays). On its way it is `<to>.<8 hex>.incomplete`,
 * which the caches' own cleaners know. *ret_how says what it became: "reflink", "link", "copy".
 * ERR_INTERRUPTED when a stop is wanted.
 */
int publish_duplicate(const char **ret_how, int from_fd, int to_dirfd, const char *to, mode_t mode,
                      struct err *err) MUST_CHECK;

#endif
