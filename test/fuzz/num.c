/* Numbers, sizes and durations: never more than the text can say, and printing always fits. */
#include "text/num.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct err err = {0};
    char out[NUM_TEXT];
    uint64_t n = 0;
    uint64_t again = 0;
    bool flag;

    if (num_parse_u64(&n, text, 1000, &err) == 0 && n > 1000)
        abort();
    /* A whole number is a size in bytes, and the same number. */
    if (num_parse_u64(&n, text, UINT64_MAX, &err) == 0 &&
        (num_parse_size(&again, text, &err) < 0 || n != again))
        abort();
    if (num_parse_size(&n, text, &err) == 0 && strlen(num_format_size(out, n)) >= NUM_TEXT)
        abort();
    if (num_parse_duration(&n, text, &err) == 0 && strlen(num_format_duration(out, n)) >= NUM_TEXT)
        abort();
    if (num_parse_bool(&flag, text, &err) == 0 && size > sizeof("false"))
        abort();
    return 0;
}
