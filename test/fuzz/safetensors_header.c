#include <stdint.h>
#include <stdlib.h>

#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct model_facts facts = {0};
    struct str text = {(const char *)data, size};
    uint64_t header, sum = 0;
    struct err err = {0};

    /* The file is as long as the head says it must be, or as long as the input. */
    if (safetensors_size(&header, text, UINT64_MAX / 2, "f", &err) < 0) {
        if (err.code != ERR_LIMIT)
            abort();
        return 0;
    }
    if (safetensors_read(&facts, &a, (struct str){text.ptr, header < size ? (size_t)header : size},
                         size, "f", &err) < 0) {
        if (err.code != ERR_LIMIT || facts.tensor_bytes != 0 || facts.dtype_count != 0)
            abort();
        return 0;
    }
    safetensors_load_bytes(&facts);
    for (size_t i = 0; i < facts.dtype_count; i++)
        sum += facts.dtypes[i].bytes;
    if (sum != facts.tensor_bytes || facts.tensor_bytes != size - header ||
        facts.load_bytes > facts.tensor_bytes)
        abort();
    return 0;
}
