/*
 * Which files of a model an engine reads when it starts, and in what order. Looks at names, links
 * and sizes alone, never at bytes.
 *
 * A model of Hugging Face, folder by folder as its readers do: safetensors by name (without
 * consolidated*.safetensors where model*.safetensors stands beside it), else *.bin, else *.pt, else
 * *.gguf; the top folder first, then the folders in it by name. vLLM sorts the names that glob()
 * gives it in the top folder (model_loader/weight_utils.py). A model of Ollama: the blob of the
 * model, then its adapters and projectors, in the order of its manifest.
 */
#ifndef WORKER_READ_ORDER_H
#define WORKER_READ_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "layout/layout.h"
#include "mem/arena.h"
#include "model/ref.h"
#include "text/vec.h"
#include "worker/read_ahead.h"

#define READ_ORDER_FILES_MAX ((size_t)10000)

struct read_order {
    VEC(struct read_ahead_file) files;
    uint64_t bytes;
};

/* Of a snapshot or a view; none there is no error. ERR_VOLUME, ERR_LIMIT. */
int read_order_folder(struct read_order *out, struct arena *a, const char *path,
                      struct err *err) MUST_CHECK;

/* Of a model in the Ollama store; ERR_NOT_FOUND where the store does not have it. */
int read_order_ollama(struct read_order *out, struct arena *a, const struct layout_config *config,
                      const struct model_ref *ref, struct err *err) MUST_CHECK;

/* One after the other, as one list. */
void read_order_join(struct read_order *all, struct arena *a, const struct read_order *more);

#endif
