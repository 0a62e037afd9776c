#include <stdlib.h>

#include "layout/hf_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A trees/<commit>.json that somebody put there: what is taken can be written and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct model_ref ref = {.source = "hf", .repo = "org/name", .revision = "main"};
    ARENA_SCOPED a = {0};
    struct buf text = buf_new(&a, HF_TREE_BYTES_MAX);
    struct err err = {0};
    struct manifest m;
    struct manifest again;

    if (hf_tree_parse(&m, &a, (struct str){(const char *)data, size}, &ref, "c", &err) < 0)
        return 0;
    hf_tree_text(&text, &m);
    if (text.cut || hf_tree_parse(&again, &a, buf_str(&text), &ref, "c", &err) < 0)
        abort();
    if (again.file_count != m.file_count)
        abort();
    return 0;
}
