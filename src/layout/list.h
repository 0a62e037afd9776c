/*
 * What is on the volume: the models of all stores, whoever wrote them, as far as names, sizes and
 * times tell. Nothing is hashed, asked of a network, waited for or written.
 *
 * layout_list_all() asks each driver's list() in turn. A driver adds its store, its models with
 * their revisions, and every file that it meets with the model that the file belongs to; sums are
 * made at the end, by inode, so that what two models share counts once. All that lies there is
 * hostile until parsed: names are shown escaped, links are not followed, files that are read have
 * limits. What cannot be read is a problem of the listing and not its end. One thread.
 */
#ifndef LAYOUT_LIST_H
#define LAYOUT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "digest/digest.h"
#include "err/err.h"
#include "layout/layout.h"
#include "layout/walk.h"
#include "mem/arena.h"
#include "store/volume.h"
#include "text/vec.h"

#define LISTING_ENTRIES_MAX  ((uint64_t)500000) /* names that are looked at in one folder's tree */
#define LISTING_PROBLEMS_MAX ((size_t)100)      /* that are told; the rest are counted */

enum listed_state {
    LISTED_VERIFIED,    /* all there, and each file is still what we once hashed and found right */
    LISTED_COMPLETE,    /* all there, as far as can be told without reading the bytes */
    LISTED_PARTIAL,     /* something is missing */
    LISTED_DOWNLOADING, /* the same, and somebody has the lease */
    LISTED_DAMAGED,     /* something is not what it should be: a size, a link that leads astray */
    LISTED_UNREADABLE,  /* we may not look */
};

/* Bytes on their way, in a staging directory of ours. */
struct listed_arrival {
    const char *host; /* who has the lease; NULL: nobody, or surely nobody any more */
    const char *what; /* the model, as a lease that lies there names it; NULL: none does */
    uint64_t bytes;   /* by the lease of a holder, else what the journals claim */
    uint64_t total;   /* the same; 0: not known */
    uint64_t bps;
};

struct listed_revision {
    const char *revision; /* hf: the commit; ollama: its ID, of 64 digits; NULL: not known yet */
    const char *const *names; /* branches and tags that lead to it; for ollama the tag */
    size_t name_count;
    enum listed_state state;
    const char *why; /* what is missing or wrong, one line; NULL: nothing, or not known */
    uint64_t files;  /* that it has here */
    uint64_t bytes;  /* of them; a blob that it has twice counts once */
    int64_t used;    /* when a file of it was read last, in s since 1970; 0: there is none */
    struct listed_arrival arriving; /* all zero: nothing */
};

/* On disk, by blocks: all, and parts of that. */
struct listed_sums {
    uint64_t bytes;
    uint64_t shared;  /* what several models have */
    uint64_t partial; /* downloads that have not ended, of whatever program */
    uint64_t unused;  /* blobs that no revision has */
};

struct listed_model {
    size_t store; /* its index in stores */
    const char
        *name; /* as pull takes it: "hf:org/name", "ollama:llava:7b"; hostile if nobody can */
    const char *host; /* of its reference: ollama only */
    const char *repo;
    struct listed_revision *revisions;
    size_t revision_count;
    struct listed_sums sums;
};

struct listed_store {
    const struct layout *layout;
    const char *path;
    struct space space;
    struct listed_sums sums;  /* everything in it, what several models have once */
    struct listed_sums other; /* of that, what belongs to no model */
};

/* What a file is to the model that it belongs to, best first. */
enum listed_part {
    LISTED_PART_USED, /* a revision has it */
    LISTED_PART_META, /* refs, listings, manifests */
    LISTED_PART_ARRIVING,
    LISTED_PART_UNUSED, /* a blob that no revision has */
};

struct listed_file {
    dev_t dev;
    ino_t ino;
    uint32_t store;
    uint32_t model; /* LISTED_NO_MODEL: of no model */
    enum listed_part part;
    uint64_t disk_bytes;
    uint64_t bytes;
};

#define LISTED_NO_MODEL UINT32_MAX

struct layout_listing {
    struct arena *arena;
    const struct layout_config *config;
    bool disk;
    uint64_t entries_max;  /* LISTING_ENTRIES_MAX; tests take less */
    uint64_t entries_left; /* 0: what was met since is not to be judged */
    bool over;             /* that was told */
    VEC(struct listed_store) stores;
    VEC(struct listed_model) models; /* by store, then by name */
    VEC(struct err) problems;        /* what could not be looked at, each a whole message */
    size_t problem_count;            /* also those beyond LISTING_PROBLEMS_MAX */
    uint64_t bytes;                  /* of all models' files, shared ones once */
    uint64_t disk_bytes;             /* of everything in all stores, shared ones once */
    VEC(struct listed_file) files;   /* for the sums */
};

/*
 * An empty listing. disk: sums of the disk are wanted too; then files are looked at that tell
 * nothing of a model's state (a cache may hold datasets of a million files).
 */
struct layout_listing list_new(struct arena *a, const struct layout_config *config, bool disk);

/*
 * Everything that the drivers know to list. Never fails: what could not be read is in l->problems,
 * and so is a limit that was passed.
 */
void layout_list_all(struct layout_listing *l);

/* ---- for drivers ---- */

/*
 * Opens the store at path and adds it; *ret_store is its index. Returns a descriptor, the caller's,
 * or -1 where there is none, or where it may not be opened, which is then a problem.
 */
int list_open_store(uint32_t *ret_store, struct layout_listing *l, const struct layout *layout,
                    const char *path);

/* Adds a model; its index, good for list_file(). Revisions are put in later. */
uint32_t list_model(struct layout_listing *l, const struct listed_model *model);

/* A file was met. */
void list_file(struct layout_listing *l, uint32_t store, uint32_t model, enum listed_part part,
               const struct stat *st);

/* `<where>: <what err says>`, with its hint. */
void list_problem(struct layout_listing *l, const char *where, const struct err *err);

/* A repository, or a store whose models share a folder: the count of entries begins anew. */
void list_begin_count(struct layout_listing *l);

/* What a walk tells of: where it is, and what it does with each name. */
struct listed_folder {
    int dirfd;
    const char *name;  /* the folder, beneath dirfd */
    const char *shown; /* the folder's whole path */
    unsigned depth;
    uint64_t *left; /* its own limit of entries; NULL: the common one */
    void (*entry)(void *ctx, const struct walk_entry *e);
    void *ctx;
};

/* Walks; troubles become problems. */
void list_walk(struct layout_listing *l, const struct listed_folder *folder);

/* Every file in the folder, however deep, is of this model and of this part. META is for the sums
 * of the disk alone. */
void list_walk_files(struct layout_listing *l, const struct listed_folder *folder, uint32_t store,
                     uint32_t model, enum listed_part part);

/*
 * The staging directory `folder` (entry and ctx are not used): its files are those of the model
 * that are arriving. Whose lease lies there, and how far they are.
 */
struct listed_arrival list_arrival(struct layout_listing *l, const struct listed_folder *folder,
                                   uint32_t store, uint32_t model);

/* Something could not be looked at since there were `problems` of them. */
bool list_is_blind(const struct layout_listing *l, size_t problems);

/* True if something arrives, or lies there half done. */
bool list_arrives(const struct listed_arrival *a);

/* Sorts the models and makes the sums; by layout_list_all(). */
void list_finish(struct layout_listing *l);

/* ---- blobs: one folder of them ---- */

struct listed_blob {
    struct digest digest;
    struct stat st; /* of the bytes */
    bool astray;    /* the name is there, and is what no reader should follow */
    bool used;      /* a revision has it */
};

struct listed_blobs {
    VEC(struct listed_blob) all;
};

/* To be called once all are there: listed_blob_find() wants them sorted. */
void listed_blobs_sort(struct listed_blobs *blobs);
struct listed_blob *listed_blob_find(const struct listed_blobs *blobs, const struct digest *d);

#endif
