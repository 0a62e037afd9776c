/*
 * Blobs of an Ollama store, `blobs/sha256-<hex>`: the driver's find() and take().
 *
 * Ollama takes a blob's name for its word and looks at neither size nor bytes; we look at both. A
 * starting server removes every blob that no manifest names and that has not changed for an hour,
 * so what is to be used for a model that is not there yet is touched first.
 */
#ifndef LAYOUT_OLLAMA_FIND_H
#define LAYOUT_OLLAMA_FIND_H

#include "layout/ollama_place.h"

#define OLLAMA_BLOB_NAME (sizeof("sha256-") + DIGEST_HEX)

/* "sha256-<64 hex>"; returns out. */
const char *ollama_blob_name(char out[static OLLAMA_BLOB_NAME], const struct digest *d);

/*
 * *ret_there: the name leads to a regular file, *st is its stat. A link that leads nowhere, or
 * where we may not go, is nothing; one that leads out of the store, or to no file, is ERR_LIMIT.
 */
int ollama_blob_stat(bool *ret_there, struct stat *st, const struct layout_place *p,
                     const struct digest *d, struct err *err) MUST_CHECK;

/*
 * Restarts the hour of grace of a blob whose record holds, and records the new time. A courtesy:
 * what we may not touch stays as it is.
 */
void ollama_touch(const struct layout_place *p, const struct digest *d);

int ollama_find(struct blob_found *out, struct layout_place *p, const struct model_file *file,
                struct err *err) MUST_CHECK;
int ollama_take(struct layout_place *p, const struct model_file *file,
                const struct blob_found *found, struct err *err) MUST_CHECK;

#endif
