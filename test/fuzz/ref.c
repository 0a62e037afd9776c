#include "model/ref.h"

#include <stdint.h>
#include <stdlib.h>

#include "text/relpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken must be safe in a path, and its canonical text must mean the same. */
static void check(struct arena *a, const struct model_ref *ref)
{
    struct err err = {0};
    struct model_ref again;

    if (relpath_check(str_from(ref->repo), &err) < 0 ||
        relpath_check(str_from(ref->revision), &err) < 0 ||
        (ref->host != NULL && (ref->host[0] == '.' || strchr(ref->host, '/') != NULL)))
        abort();
    if (ref_parse(&again, a, str_from(ref->text), &err) < 0)
        abort();
    if (strcmp(again.text, ref->text) != 0 || strcmp(again.repo, ref->repo) != 0 ||
        strcmp(again.revision, ref->revision) != 0 || strcmp(again.source, ref->source) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct str text = {(const char *)data, size};
    struct err err = {0};
    struct model_ref ref;

    if (ref_parse(&ref, &a, text, &err) == 0)
        check(&a, &ref);
    else if (err.code != ERR_USAGE || err.msg[0] == '\0')
        abort();
    return 0;
}
