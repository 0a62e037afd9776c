/*
 * Which files of a model are its weights, by their names: what an engine reads into memory.
 */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "model/manifest.h"

/* Formats of weights, best first: a reader takes the first one that a folder has. */
#define WEIGHTS_FORMATS ((size_t)4)
extern const char *const weights_formats[WEIGHTS_FORMATS]; /* globs */

/* By the last part of a path: "optimizer.pt" ends like weights and holds none. */
bool weights_in(const char *name);

/*
 * What an engine must hold at the least to serve the model: of the wanted files those of the format
 * that has most bytes. Of a model of Ollama its largest part.
 */
uint64_t weights_bytes(const struct manifest *m);

#endif
