/* The headers of a model that the volume has. */
#ifndef PLAN_ON_VOLUME_H
#define PLAN_ON_VOLUME_H

#include "config/config.h"
#include "model/facts.h"

/*
 * ERR_NOT_FOUND where the volume does not have it, or not all of it; ERR_LIMIT for headers that
 * cannot be read. *ret_path: where it lies; of a model of Ollama its weights.
 */
int on_volume_facts(struct model_facts *out, const char **ret_path, struct arena *a,
                    const struct config *config, const struct model_ref *ref,
                    struct err *err) MUST_CHECK;

#endif
