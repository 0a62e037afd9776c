/*
 * Where an engine finds a model of the volume, and what its clients call it. Looks at links and
 * refs alone; makes no request and writes nothing.
 */
#ifndef WORKER_MODEL_PATH_H
#define WORKER_MODEL_PATH_H

#include "config/config.h"

/*
 * Of Hugging Face: the view for vLLM where it leads to the revision that is wanted, else the
 * snapshot. Of Ollama: the name that its clients ask for, since its store has no path to a model.
 * NULL and ERR_NOT_FOUND where the volume does not have it.
 */
const char *model_path(struct arena *a, const struct config *config,
                       const struct catalog_want *want, struct err *err) MUST_CHECK;

/* "org/name", "llava:7b". */
const char *model_name(struct arena *a, const struct catalog_want *want);

/* The commit of a model of Hugging Face that is wanted, as the volume has it; NULL: not known. */
const char *model_revision(struct arena *a, const struct config *config,
                           const struct catalog_want *want);

#endif
