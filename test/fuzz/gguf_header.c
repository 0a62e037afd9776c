#include <stdint.h>
#include <stdlib.h>

#include "model/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct model_facts facts = {0};
    const struct gguf_file file = {
        .what = "f", .bytes = UINT64_C(1) << 40, .head = {(const char *)data, size}};
    uint64_t need = 0, sum = 0;
    struct err err = {0};

    /* The file goes on behind what is there: a head may ask for more of it, never for less. */
    if (gguf_read(&facts, &a, &need, &file, &err) < 0) {
        if (err.code != ERR_LIMIT || facts.tensor_bytes != 0)
            abort();
        return 0;
    }
    if (need != 0) {
        if (need <= size || need > GGUF_HEADER_MAX || facts.dtype_count != 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < facts.dtype_count; i++)
        sum += facts.dtypes[i].bytes;
    if (facts.projector_bytes == 0 && sum != facts.tensor_bytes)
        abort();
    if (facts.layer_bytes > facts.tensor_bytes || facts.shape.layers >= FACTS_NUMBER)
        abort();
    return 0;
}
