/*
 * Facts of a model from the headers of its files, wherever they are: whoever has the files shows
 * their names and sizes, and the first bytes of those that are asked for.
 *
 * Of a model of the Hub: config.json, quantize_config.json, and of the weights in its top folder
 * what an engine loads: the shards of model.safetensors.index.json, else model*.safetensors, else
 * any .safetensors but consolidated ones; where there are none, a GGUF file; else pickles, whose
 * sizes alone are known. Of a model of Ollama: each GGUF file, the weights first.
 */
#ifndef PLAN_HEADERS_H
#define PLAN_HEADERS_H

#include "err/err.h"
#include "model/facts.h"
#include "text/str.h"

#define HEADERS_FILES_MAX ((size_t)20000)
#define HEADERS_FIRST     ((uint64_t)1 << 20) /* that are asked for at first: most heads are less */

struct headers_file {
    const char *path; /* in the model's folder */
    uint64_t bytes;
};

struct headers_from {
    const char *name; /* of the model, for messages */
    const struct headers_file *files;
    size_t count;
    /* The first `bytes` of a file, or all of it if it is shorter, in the arena. */
    int (*first)(void *ctx, struct str *out, struct arena *a, size_t file, uint64_t bytes,
                 struct err *err);
    /* These will be asked for HEADERS_FIRST bytes each: they can be got at once. May be NULL. */
    void (*expect)(void *ctx, const size_t *files, size_t count);
    void *ctx;
};

/* ERR_LIMIT for headers that cannot be read, ERR_NOT_FOUND where there are no weights. */
int headers_hub(struct model_facts *out, struct arena *a, const struct headers_from *from,
                struct err *err) MUST_CHECK;
int headers_ollama(struct model_facts *out, struct arena *a, const struct headers_from *from,
                   struct err *err) MUST_CHECK;

#endif
