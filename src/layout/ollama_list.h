/* An Ollama store while it is listed: the driver's list(), and what both files of that share. */
#ifndef LAYOUT_OLLAMA_LIST_H
#define LAYOUT_OLLAMA_LIST_H

#include "layout/list.h"
#include "store/receipt.h"

/* The driver's list(). */
void ollama_list_all(struct layout_listing *l, const struct layout *self);

/* A model has one manifest, and perhaps another one on its way. */
#define OLLAMA_LISTED_REVISIONS 2

struct ollama_stock {
    struct layout_listing *l;
    struct arena *scratch; /* lives as long as this */
    const char *path;
    int fd;
    uint32_t store;
    struct listed_blobs blobs;
    bool blind; /* blobs that are there could not be looked at */
    struct blob_records *records;
};

/* The path of a name in the store, for messages. */
static inline const char *ollama_listed_in(const struct ollama_stock *s, const char *name)
{
    return str_format(s->scratch, "%s/%s", s->path, name);
}

/*
 * The model of "<host>/<ns>/<model>/<tag>": named as pull takes it, else (a tag of Ollama's cloud,
 * or what no name of Ollama is) after that path.
 */
struct model_ref ollama_listed_ref(struct layout_listing *l, const char *path);

/* Adds a model with one revision, and room for OLLAMA_LISTED_REVISIONS. */
uint32_t ollama_listed_model(struct ollama_stock *s, const struct model_ref *ref,
                             const struct listed_revision *revision);

/* Calls entry with s for each name in a folder of the store. */
void ollama_list_walk(struct ollama_stock *s, const char *name, unsigned depth,
                      void (*entry)(void *ctx, const struct walk_entry *e));

/* Downloads of ours; once all manifests are listed. */
void ollama_list_arriving(struct ollama_stock *s);

#endif
