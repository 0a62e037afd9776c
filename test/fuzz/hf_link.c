#include <stdint.h>
#include <stdlib.h>

#include "source/hf_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str value = {(const char *)data, size};
    struct str url;

    if (hf_parse_next(&url, value) &&
        (url.ptr < value.ptr || url.ptr + url.len > value.ptr + value.len ||
         memchr(url.ptr, '>', url.len) != NULL))
        abort();
    return 0;
}
