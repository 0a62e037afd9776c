/*
 * Links for people: `models/<name>/<tag>` in an Ollama store leads to the model's weights, so that
 * a volume can be looked through by name. Ollama never looks there, and nothing rests on them.
 *
 *     models/llava/7b -> ../../blobs/sha256-...           of Ollama's own library
 *     models/mattw+m/t, models/hf.co+org+repo/Q4_K_M      of another namespace, of another host
 *
 * No part of a name may hold a `+`, so no two models have one link. On a filesystem without links
 * it is a small file that holds the same text.
 */
#ifndef LAYOUT_OLLAMA_LINKS_H
#define LAYOUT_OLLAMA_LINKS_H

#include "layout/ollama_place.h"

/* There is nothing that ollama_links_mend() would do. A model without weights has no link. */
bool ollama_links_right(const struct layout_place *p, const struct manifest *m);

/* Makes it right. What somebody else put in its way stays and is named in a notice. */
int ollama_links_mend(const struct layout_place *p, const struct manifest *m,
                      struct err *err) MUST_CHECK;

#endif
