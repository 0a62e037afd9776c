/* Making a model appear to Ollama: the driver's publish_blobs(), publish_model() and complete(). */
#ifndef LAYOUT_OLLAMA_PUBLISH_H
#define LAYOUT_OLLAMA_PUBLISH_H

#include "layout/ollama_place.h"

bool ollama_complete(struct layout_place *p, const struct manifest *m, bool whole);

/* No lock of Ollama's is held: it has none. */
int ollama_publish_blobs(struct layout_place *p, const struct blob_batch *batch,
                         struct err *err) MUST_CHECK;

/*
 * The manifest comes last, after a look at every blob, and is taken away again when one has gone
 * meanwhile. ERR_USAGE for a part of a model: to Ollama a model is whole, or it is broken.
 */
int ollama_publish_model(struct layout_place *p, const struct manifest *m, bool whole,
                         struct err *err) MUST_CHECK;

#endif
