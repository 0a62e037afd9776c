/*
 * What is known of the built-in catalog's models, so that they can be planned before a byte of them
 * is there. Figures of headers that were read; where one is estimated the facts say so in `odd`.
 */
#ifndef MODEL_KNOWN_H
#define MODEL_KNOWN_H

#include "model/facts.h"

/* By the canonical text of a reference without a revision: "ollama:llava:7b". NULL: not known. */
const struct model_facts *known_facts(const char *ref);

#endif
