#include "model/ollama_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "text/relpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken must be within the limits that the source and the layout rely on. */
static void check(const struct manifest *m)
{
    struct err err = {0};

    if (!str_is_hex(str_from(m->commit)) || strlen(m->commit) != 64 || m->file_count == 0 ||
        m->file_count > OLLAMA_MANIFEST_LAYERS_MAX + 1 || manifest_find(m, "config") == NULL)
        abort();
    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];

        if (relpath_check(str_from(f->path), &err) < 0 || strchr(f->path, '/') != NULL ||
            f->path[0] == '.' || f->digest.kind != DIGEST_SHA256 || f->size > MANIFEST_SIZE_MAX ||
            !f->wanted || f->oid[0] != '\0' || f->xet[0] != '\0')
            abort();
        if (i > 0 && strcmp(m->files[i - 1].path, f->path) >= 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct model_ref ref = {.source = "ollama",
                                         .host = "registry.ollama.ai",
                                         .repo = "library/m",
                                         .revision = "latest",
                                         .text = "ollama:m"};
    ARENA_SCOPED a = {0};
    struct str text = {(const char *)data, size};
    struct manifest m = {0};
    struct manifest again = {0};
    struct err err = {0};

    if (ollama_manifest_parse(&m, &a, &ref, text, &err) < 0) {
        if (err.code != ERR_LIMIT || m.commit != NULL)
            abort();
        return 0;
    }
    check(&m);
    if (!str_eq(m.raw, text) || ollama_manifest_parse(&again, &a, &ref, m.raw, &err) < 0 ||
        strcmp(again.commit, m.commit) != 0)
        abort();
    return 0;
}
