/* Ollama's half of the grammar of names. Used by ref.c. */
#ifndef MODEL_REF_OLLAMA_H
#define MODEL_REF_OLLAMA_H

#include "model/ref.h"

#define REF_OLLAMA_HOST "registry.ollama.ai"

/* [[host[:port]/]ns/]name[:tag]; a leading https:// is dropped. */
int ref_ollama_parse(struct model_ref *out, struct arena *a, struct str text,
                     struct err *err) MUST_CHECK;

/* The same model with another tag. */
int ref_ollama_at(struct model_ref *out, struct arena *a, const struct model_ref *ref,
                  struct str tag, struct err *err) MUST_CHECK;

/* What a browser shows at ollama.com: library/llava[:tag] or ns/name[:tag]. */
int ref_ollama_page(struct model_ref *out, struct arena *a, struct str path,
                    struct err *err) MUST_CHECK;

#endif
