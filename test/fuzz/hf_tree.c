#include <stdint.h>
#include <stdlib.h>

#include "source/hf_parse.h"
#include "source/refusal.h"
#include "text/relpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken must be within the limits that the store relies on. */
static void check(const struct hf_listing *listing)
{
    struct err err = {0};
    bool whole;
    struct manifest m = {
        .ref = {.source = "hf", .text = "hf:org/name"},
        .files = listing->files.at,
        .file_count = listing->files.len,
    };

    for (size_t i = 0; i < m.file_count; i++) {
        if (relpath_check(str_from(m.files[i].path), &err) < 0 ||
            m.files[i].digest.kind == DIGEST_NONE || m.files[i].size > MANIFEST_SIZE_MAX ||
            strlen(m.files[i].oid) != 40 ||
            (m.files[i].xet[0] != '\0' && strlen(m.files[i].xet) != 64))
            abort();
    }
    if (manifest_check(&m, &err) < 0)
        return;
    if (selection_apply(&whole, &m, &(struct selection){0}, &err) == 0 &&
        manifest_wanted_count(&m) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct str body = {(const char *)data, size};
    struct err err = {0};
    struct hf_listing listing = {0};
    struct hf_revision revision;

    if (hf_parse_page(&listing, &a, body, "page", &err) == 0)
        check(&listing);
    else if (listing.files.len != 0)
        abort();
    if (hf_parse_revision(&revision, &a, body, "revision", &err) == 0 &&
        !ref_is_commit(revision.commit))
        abort();
    (void)refusal_read(&a, (struct str){0}, body);
    return 0;
}
