#include "store/learned.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct learned one;

    if (!learned_parse(&one, &a, (struct str){(const char *)data, size}))
        return 0;
    if (strlen(one.gpu) >= LEARNED_WORD || strlen(one.engine) >= sizeof(one.engine) ||
        one.weights > (UINT64_C(1) << 50))
        abort();
    return 0;
}
