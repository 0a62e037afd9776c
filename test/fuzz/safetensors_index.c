#include "model/safetensors_index.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/relpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct safetensors_index index = {0};
    struct err err = {0};

    if (safetensors_index_parse(&index, &a, (struct str){(const char *)data, size}, &err) < 0) {
        if (err.code != ERR_LIMIT || index.shards != NULL)
            abort();
        return 0;
    }
    if (index.shard_count > SAFETENSORS_INDEX_SHARDS_MAX)
        abort();
    for (size_t i = 0; i < index.shard_count; i++) {
        if (relpath_check(str_from(index.shards[i]), &err) < 0 ||
            strchr(index.shards[i], '/') != NULL ||
            (i > 0 && strcmp(index.shards[i - 1], index.shards[i]) >= 0))
            abort();
    }
    return 0;
}
