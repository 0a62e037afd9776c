/*
 * Snapshots: the folder of one commit, whose names lead to blobs.
 *
 * A new one is built whole beside the staging files and renamed into place; one that is there is
 * completed name by name. Where blobs have to be moved into it (layout/hf_pointer.h) it is filled
 * in place from the start.
 */
#ifndef LAYOUT_HF_SNAPSHOT_H
#define LAYOUT_HF_SNAPSHOT_H

#include "layout/hf_place.h"

/* All wanted blobs are there and recorded; else ERR_VOLUME. Synced when it returns. */
int hf_snapshot_publish(const struct layout_place *p, const struct manifest *m,
                        struct err *err) MUST_CHECK;

/* Every wanted name of the commit leads to what was verified. By stat alone. */
bool hf_snapshot_complete(const struct layout_place *p, const struct manifest *m);

/* Names are plain files here, not links (told by one that is there). */
bool hf_snapshot_is_plain(const struct layout_place *p, const struct manifest *m);

/*
 * Opens the directory path ("a/b") beneath dirfd, made where it is missing, no link followed. An
 * empty path is dirfd itself. *ret_fd is the caller's.
 */
int hf_open_parents(int *ret_fd, const struct layout_place *p, int dirfd, struct str path,
                    struct err *err) MUST_CHECK;

/*
 * To be called before anything temporary is made in the staging directory: removes what killed runs
 * left half built there, unless another process is at it (which flock tells, held on the directory
 * until the place is closed). Once for each open place; the caller has the lease.
 */
void hf_snapshot_begin(const struct layout_place *p);

#endif
