/*
 * One repository's folder in a huggingface_hub cache, and what is known of it while it is open: the
 * part that the other files of the driver share. The shape of the cache: doc/huggingface-cache.md.
 *
 * Everything is opened beneath the hub's directory. A folder of ours that proves to be a link, and
 * a blob that is a link of any other form than huggingface_hub's own, is hostile: ERR_LIMIT that
 * names it. All functions: one thread, the place's.
 */
#ifndef LAYOUT_HF_PLACE_H
#define LAYOUT_HF_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "layout/layout.h"

#define HF_XET_HEX ((size_t)64)

struct hf_names {
    const char *const *at;
    size_t len;
    bool read;
};

enum hf_pointer { /* what a name in a snapshot is made of here */
                  HF_POINTER_UNTRIED,
                  HF_POINTER_SYMLINK,
                  HF_POINTER_HARD_LINK,
                  HF_POINTER_FILE, /* neither: the blob itself moves there */
};

struct hf_place {
    const char *name; /* "models--org--name" */
    int repo_fd;      /* the folder; -1: not there (read-only) */
    int blobs_fd;     /* -1 until it is there */
    int snapshots_fd;
    int shared_fd;               /* the shared blob store; -1: none, or not looked for yet */
    bool shared_looked;          /* for the marker */
    struct blob_records *copies; /* NULL: not read yet */
    bool dirty;                  /* records that are not on disk */
    uint64_t written_ms;         /* when they last were */
    mode_t file_mode;            /* of blobs, listings and refs: 0666 as the umask leaves it */
    enum hf_pointer pointer;
    uint64_t lock_waited_ms; /* for locks of huggingface_hub, all together */
    bool begun;              /* hf_snapshot_begin() */
    bool lock_passed;        /* one was not given back in time, and was named */
    bool locks_there;        /* the folder of locks */
    struct hf_names commits; /* folders of snapshots/ */
    struct hf_names repos;   /* folders of other models in the hub */
};

static inline struct hf_place *hf_state(const struct layout_place *p)
{
    return p->state;
}

int hf_place_open(struct layout_place *p, const struct model_ref *ref, struct err *err) MUST_CHECK;

/* Writes records that are left. A folder that is still empty is taken away again. */
void hf_place_close(struct layout_place *p);

/* blobs_fd and snapshots_fd, made now if they are not there. */
int hf_blobs(const struct layout_place *p, struct err *err) MUST_CHECK;

/* The file is what was verified as d: its record holds. */
bool hf_holds(const struct layout_place *p, const struct digest *d, const struct stat *st);

/*
 * The same for the name path ("<commit>/<path>") of file in snapshots/, which may also be an empty
 * file, or a copy of the blob that hf_record_copy() was told of.
 */
bool hf_holds_at(const struct layout_place *p, const struct model_file *file, const char *path,
                 const struct stat *st);

/* Records st as d; written with the next hf_flush(). */
void hf_record(const struct layout_place *p, const struct digest *d, const struct stat *st);

/* Records st as a copy of file's blob, at path in snapshots/. Copies have a file of their own. */
int hf_record_copy(const struct layout_place *p, const struct model_file *file, const char *path,
                   const struct stat *st, struct err *err) MUST_CHECK;

/* Writes the records if there are new ones; without now only when the last time is a while ago. */
int hf_flush(const struct layout_place *p, bool now, struct err *err) MUST_CHECK;

/* Names in the directory dirfd, at most limit of them, that are directories or links. */
struct hf_names hf_list(struct arena *a, int dirfd, size_t limit);

const struct clock *hf_clock(const struct layout_place *p);

#endif
