/*
 * One model's place in an Ollama store, and what is known of it while it is open: the part that the
 * other files of the driver share. The shape of the store: doc/layout-ollama.md.
 *
 * Everything is opened beneath the store's directory. Links in it are followed as long as they stay
 * there, as Ollama follows them; a link in the store's own way that leads out of it is hostile:
 * ERR_LIMIT that names it. All functions: one thread, the place's.
 */
#ifndef LAYOUT_OLLAMA_PLACE_H
#define LAYOUT_OLLAMA_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "layout/layout.h"

/* Ollama compares names without regard to case. */
struct ollama_name {
    const char *host;
    const char *ns;
    const char *model;
    const char *tag;
};

struct ollama_place {
    struct ollama_name name; /* as it was asked for */
    const char *staging;     /* this model's folder of ours, beneath the store */
    int blobs_fd;            /* -1 until it is there */
    mode_t file_mode;        /* of blobs and manifests: 0666 as the umask leaves it */
    bool dirty;              /* records that are not on disk */
};

static inline struct ollama_place *ollama_state(const struct layout_place *p)
{
    return p->state;
}

/* ERR_USAGE for a host too long to be a folder's name; Ollama could not keep it either. */
int ollama_place_open(struct layout_place *p, const struct model_ref *ref,
                      struct err *err) MUST_CHECK;

/* Writes records that are left. Folders of ours that are empty are taken away again. */
void ollama_place_close(struct layout_place *p);

/* blobs_fd, made now if it is not there. */
int ollama_blobs(const struct layout_place *p, struct err *err) MUST_CHECK;

/* The records that all models of the store share, beneath `.hostler/receipts/` on the volume. */
#define OLLAMA_RECORDS "ollama-store"

/*
 * The file is what was verified as d: its record holds. Others write records too: they are read
 * again before the answer is no.
 */
bool ollama_holds(const struct layout_place *p, const struct digest *d, const struct stat *st);

void ollama_record(const struct layout_place *p, const struct digest *d, const struct stat *st);

/* Writes the records if there are new ones; at once, since others rest on them. */
int ollama_flush(const struct layout_place *p, struct err *err) MUST_CHECK;

#endif
