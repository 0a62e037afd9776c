/* What passes is safe to be walked from a directory, segment by segment. */
#include "text/relpath.h"

#include <stdlib.h>

#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str path = {(const char *)data, size};
    struct err err = {0};
    struct str segment;
    bool more = true;

    if (relpath_check(path, &err) < 0) {
        for (const char *p = err.msg; *p != '\0'; p++) {
            if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
                abort();
        }
        return 0;
    }
    if (size == 0 || size > RELPATH_MAX || !utf8_is_valid(path) || data[0] == '/' ||
        memchr(data, '\0', size) != NULL || memchr(data, '\\', size) != NULL)
        abort();
    while (more) {
        more = str_cut(&path, '/', &segment);
        if (segment.len == 0 || segment.len > 255 || str_eqz(segment, ".") ||
            str_eqz(segment, ".."))
            abort();
    }
    return 0;
}
