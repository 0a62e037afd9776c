/*
 * Staged files become blobs: the one way for all stores whose blobs are files named by their digest
 * in one folder. A driver's publish_blobs() says where and how, in a struct blob_shelf.
 */
#ifndef LAYOUT_BLOBS_H
#define LAYOUT_BLOBS_H

#include "layout/layout.h"

struct blob_shelf {
    int fd; /* the folder */
    mode_t mode;
    /* A blob's name there; in the arena. */
    const char *(*name)(struct arena *a, const struct digest *d);
    /* What stands at the blob's name is what file says, by its record. */
    int (*is_there)(bool *ret_there, const struct layout_place *p, const struct model_file *file,
                    struct err *err);
    /* The synced file takes its name. */
    int (*rename)(const struct layout_place *p, const struct publish_item *item, struct err *err);
    void (*record)(const struct layout_place *p, const struct digest *d, const struct stat *st);
    /* One that was there already is used; may be NULL. */
    void (*keep)(const struct layout_place *p, const struct digest *d);
};

/*
 * As publish_blobs() of struct layout, but for the records, which are the driver's to write: all
 * are synced, then each takes its name or, where another has brought the same bytes meanwhile, is
 * discarded; then the folder is synced.
 */
int blobs_publish(struct layout_place *p, const struct blob_shelf *shelf,
                  const struct blob_batch *batch, struct err *err) MUST_CHECK;

#endif
