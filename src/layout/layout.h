/*
 * Layouts: the shapes of stores, as their readers know them. A layout knows a store and nothing of
 * networks.
 *
 * A layout is one file that defines one struct layout, and one line in layout.c. Given a manifest
 * it says what is there, takes staged files in, and makes the model appear under the names that its
 * readers use: blobs first, then the snapshot as a whole, then listings, names of revisions last.
 */
#ifndef LAYOUT_LAYOUT_H
#define LAYOUT_LAYOUT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "err/err.h"
#include "mem/arena.h"
#include "model/manifest.h"
#include "store/publish.h"
#include "store/receipt.h"
#include "store/staging.h"
#include "store/volume.h"
#include "sys/clock.h"

struct layout_config {
    const struct volume *volume;
    const char *hf_hub;             /* path of the hub cache */
    const char *vllm_cache;         /* path of the folder of vLLM views; NULL: no views */
    const char *transformers_cache; /* a view there too; NULL: none */
    const char *ollama_models;      /* path of Ollama's store */
    bool no_shared_blobs;           /* HF_HUB_DISABLE_SHARED_BLOBS and kin */
    bool read_only;                 /* look, never write, make nothing */
    const struct clock *clock;      /* for waiting on others' locks; NULL: the real one */
    /* What the operator should know and nothing fails of: one line, as for err. NULL: nobody. */
    void (*notice)(void *ctx, const char *text);
    void *notice_ctx;
};

/* The lease's name in a staging directory. */
#define LAYOUT_LEASE "lease"

/* One model's place in a store. One thread. */
struct layout_place {
    const struct layout *layout;
    const struct layout_config *config;
    struct arena *arena;
    struct store store;
    const char *folder; /* receipts' folder: "hf/models--org--name", "ollama/HOST/NS/NAME" */
    const char *shown;  /* path for people */
    int staging_fd;     /* `.hostler/` of this model: lease and staging; -1 read-only and absent */
    struct blob_records *records;
    void *state; /* the driver's */
};

/* Files that arrived: files[i] is staged in staged[i]. */
struct blob_batch {
    const struct model_file *const *files;
    struct staging *const *staged;
    size_t count;
    bool replace; /* what stands at a blob's name is wrong, whatever its record says */
};

enum blob_state {
    BLOB_ABSENT,
    BLOB_VERIFIED,   /* there, and its record holds */
    BLOB_UNVERIFIED, /* there, right size, no record: hash it once */
};

struct blob_found {
    enum blob_state state;
    int fd;            /* BLOB_UNVERIFIED: open for reading, the caller's; else -1 */
    struct stat st;    /* of fd before a byte was read: what take() records, so that a change made
                        * since then shows */
    const char *where; /* for messages and for layout_take(): the name that was found */
    bool elsewhere;    /* found in another repository or the shared store: to be duplicated */
};

struct layout_listing;

struct layout {
    const char *name;   /* "hf_cache" */
    const char *source; /* the references it holds: "hf" */
    int (*open)(struct layout_place *p, const struct model_ref *ref, struct err *err);
    void (*close)(struct layout_place *p);
    /*
     * Is all that is wanted of m under the names that readers use, by stat alone: pointers,
     * records, refs, listing, views? Never opens a blob, never writes.
     */
    bool (*complete)(struct layout_place *p, const struct manifest *m, bool whole);
    /* Is this file's blob there, in this repository, a shared store, or another repository? */
    int (*find)(struct blob_found *out, struct layout_place *p, const struct model_file *file,
                struct err *err);
    /* An unverified blob proved right: record it; elsewhere: bring it in (reflink, link, copy). */
    int (*take)(struct layout_place *p, const struct model_file *file,
                const struct blob_found *found, struct err *err);
    /*
     * Where models share blobs: the directory in which this file is staged, with a lease of its own
     * (LAYOUT_LEASE) beside the staging, so that of two models that share a blob one fetches it.
     * *ret_dirfd is -1 for a file that is staged in staging_fd under the model's own lease, and
     * without make for a directory that is not there. NULL: all files are staged in staging_fd. A
     * directory that is left is taken away again when it is empty.
     */
    int (*open_staging)(int *ret_dirfd, struct layout_place *p, const struct model_file *file,
                        bool make, struct err *err);
    void (*leave_staging)(struct layout_place *p, const struct model_file *file, int *dirfd);
    /* Staged, verified files become blobs: synced together, then renamed. */
    int (*publish_blobs)(struct layout_place *p, const struct blob_batch *batch, struct err *err);
    /* All blobs are there: snapshot, listing, views, revision names, records. Idempotent. */
    int (*publish_model)(struct layout_place *p, const struct manifest *m, bool whole,
                         struct err *err);
    /* What the volume says without a network: the commit a revision means, from the store's own
     * refs; NULL if it does not know. */
    const char *(*local_commit)(struct layout_place *p, const char *revision);
    /* The listing of a commit as the store itself keeps it (hf_cache: trees/<commit>.json);
     * ERR_NOT_FOUND if it has none. For caches that another program began. */
    int (*local_manifest)(struct manifest *out, struct layout_place *p, const struct model_ref *ref,
                          const char *commit, struct err *err);
    /* What the store holds, whoever wrote it (layout/list.h). self is this driver. */
    void (*list)(struct layout_listing *l, const struct layout *self);
};

extern const struct layout layout_hf_cache;
extern const struct layout layout_ollama_store;

/* Opens the place of ref in the layout that holds its source. */
int layout_open(struct layout_place *out, struct arena *a, const struct layout_config *config,
                const struct model_ref *ref, struct err *err) MUST_CHECK;
void layout_close(struct layout_place *p);

/* One line to config->notice, if there is one. For drivers. */
void layout_notice(const struct layout_config *config, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
