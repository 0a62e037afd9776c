/* Where the bytes of a file already are: the driver's find() and take(). */
#ifndef LAYOUT_HF_FIND_H
#define LAYOUT_HF_FIND_H

#include "layout/hf_place.h"

/*
 * Looks, in this order, at the repository's own blob (a regular file, or huggingface_hub's link
 * into the shared store; any other link is ERR_LIMIT), at plain files of its snapshots (caches
 * without links, copies by `cp -rL`), at the shared store by Xet hash, and, for files large enough
 * to be worth it, at other repositories of this hub. found->where is a path beneath the hub.
 */
int hf_find(struct blob_found *out, struct layout_place *p, const struct model_file *file,
            struct err *err) MUST_CHECK;

int hf_take(struct layout_place *p, const struct model_file *file, const struct blob_found *found,
            struct err *err) MUST_CHECK;

/* What stands under a blob's name in the repository. */
enum hf_blob {
    HF_BLOB_NONE,   /* nothing, or a link of the right form whose entry is gone or unreadable */
    HF_BLOB_FILE,   /* a regular file */
    HF_BLOB_SHARED, /* a link into the shared store */
};

/* For FILE and SHARED *st is that of the bytes. */
int hf_blob_stat(enum hf_blob *ret_kind, struct stat *st, const struct layout_place *p,
                 const char *hex, struct err *err) MUST_CHECK;

/* The plain file of a snapshot that holds d by its record: its path beneath snapshots/, or NULL. */
const char *hf_plain_file(struct stat *st, const struct layout_place *p,
                          const struct model_file *file);

#endif
