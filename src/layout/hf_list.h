/* One repository of a huggingface_hub cache while it is listed: what both files of that share. */
#ifndef LAYOUT_HF_LIST_H
#define LAYOUT_HF_LIST_H

#include "layout/list.h"
#include "store/receipt.h"

#define HF_STAGING ".hostler" /* the folder of a repository that is ours */

/* The driver's list(). */
void hf_list_all(struct layout_listing *l, const struct layout *self);

struct hf_listed_ref {
    const char *name; /* "main", "refs/pr/1" */
    const char *commit;
    bool placed; /* its snapshot is there */
};

struct hf_listed_repo {
    struct layout_listing *l;
    struct arena *scratch; /* lives as long as this */
    const struct layout_place
        *place;        /* for the shared blob store; has nothing but that and the hub */
    const char *name;  /* "models--org--name" */
    const char *shown; /* its path */
    const char *repo;  /* "org/name" */
    int fd;
    uint32_t store;
    uint32_t model;
    struct listed_blobs blobs;
    struct listed_blobs arriving; /* of other programs, by the blob that they shall become */
    bool blind;                   /* blobs that are there could not be looked at */
    VEC(struct hf_listed_ref) refs;
    struct blob_records *records; /* of what was verified */
    struct blob_records *copies;  /* NULL: not read yet */
    VEC(struct listed_revision) revisions;
};

/* The path of a name in the folder, for messages. */
static inline const char *hf_listed_in(const struct hf_listed_repo *r, const char *name)
{
    return str_format(r->scratch, "%s/%s", r->shown, name);
}

/* What one snapshot, snapshots/<commit>, has; its files and its blobs are accounted for. */
struct listed_revision hf_list_revision(struct hf_listed_repo *r, const char *commit);

/* The download that lies in the folder, if there is one, goes to the revision that it is for. */
void hf_list_arriving(struct hf_listed_repo *r);

#endif
