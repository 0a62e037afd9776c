#include "transfer/content_range.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct content_range r = {0};

    if (!content_range_parse(&r, (struct str){(const char *)data, size}))
        return 0;
    if (!r.has_range && !r.has_total)
        abort();
    if (r.has_range && (r.first >= r.end || (r.has_total && r.end > r.total)))
        abort();
    return 0;
}
