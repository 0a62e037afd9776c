#include "store/receipt.h"

#include <stdlib.h>
#include <string.h>

#include "text/relpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str text)
{
    ARENA_SCOPED a = {0};
    struct manifest m;
    struct err err;

    if (!receipt_parse(&m, &a, text))
        return;
    if (m.commit == NULL || strchr(m.commit, '/') != NULL || m.commit[0] == '.')
        abort();
    for (size_t i = 0; i < m.file_count; i++) {
        if (relpath_check(str_from(m.files[i].path), &err) < 0 || m.files[i].oid == NULL ||
            m.files[i].xet == NULL || m.files[i].size > MANIFEST_SIZE_MAX)
            abort();
        if (i > 0 && strcmp(m.files[i - 1].path, m.files[i].path) >= 0)
            abort();
    }
}

/* Each input twice: as it is, and as the lines of a text whose seal is right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "hostler-receipt 1\n";
    ARENA_SCOPED a = {0};
    size_t len = sizeof(first) - 1 + size;
    char *text = arena_array(&a, char, len + 14);

    check((struct str){(const char *)data, size});
    memcpy(text, first, sizeof(first) - 1);
    if (size > 0)
        memcpy(text + sizeof(first) - 1, data, size);
    memcpy(text + len, str_format(&a, "end %08x\n", digest_crc32c(0, text, len)), 13);
    check((struct str){text, len + 13});
    return 0;
}
