/*
 * The index of sharded weights (`model.safetensors.index.json`): which files a reader of this model
 * will open. Where nobody kept a listing of the repository, it alone tells that one is missing.
 *
 * Source of the format: transformers' sharded checkpoints: {"metadata": {...}, "weight_map":
 * {"<tensor>": "<file>", ...}}, files beside the index. Hostile until this has parsed it.
 */
#ifndef MODEL_SAFETENSORS_INDEX_H
#define MODEL_SAFETENSORS_INDEX_H

#include <stddef.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

#define SAFETENSORS_INDEX_ENDING     ".safetensors.index.json"
#define SAFETENSORS_INDEX_BYTES_MAX  ((size_t)64 << 20)
#define SAFETENSORS_INDEX_SHARDS_MAX ((size_t)10000)

struct safetensors_index {
    const char *const *shards; /* sorted, none twice; plain names, in the folder of the index */
    size_t shard_count;
};

/*
 * Broken JSON, a map that is none, a shard that is no plain file name, or more of them than the
 * limit is ERR_LIMIT that says which. An index without tensors has no shards.
 */
int safetensors_index_parse(struct safetensors_index *out, struct arena *a, struct str text,
                            struct err *err) MUST_CHECK;

#endif
