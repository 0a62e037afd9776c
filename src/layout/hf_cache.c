/*
 * The cache of huggingface_hub, which transformers and vLLM read too: folder by folder as
 * doc/huggingface-cache.md has it. This file is the driver's table; the parts are beside it.
 */
#include <string.h>

#include "layout/hf_find.h"
#include "layout/hf_list.h"
#include "layout/hf_place.h"
#include "layout/hf_publish.h"
#include "layout/hf_ref.h"
#include "layout/hf_snapshot.h"
#include "layout/hf_tree.h"
#include "layout/hf_views.h"

static bool hf_complete(struct layout_place *p, const struct manifest *m, bool whole)
{
    bool by_commit = ref_is_commit(m->ref.revision);
    char commit[HF_COMMIT_HEX + 1];

    if (!ref_is_commit(m->commit) || !hf_snapshot_complete(p, m))
        return false;
    if ((whole || by_commit) && !hf_tree_there(p, m->commit))
        return false;
    if (!by_commit &&
        (!hf_ref_read(commit, p, m->ref.revision, true) || strcmp(commit, m->commit) != 0))
        return false;
    return hf_views_right(p, m);
}

static const char *hf_local_commit(struct layout_place *p, const char *revision)
{
    char commit[HF_COMMIT_HEX + 1];

    if (ref_is_commit(revision))
        return str_dup(p->arena, str_from(revision));
    return hf_ref_read(commit, p, revision, false) ? str_dup(p->arena, str_from(commit)) : NULL;
}

const struct layout layout_hf_cache = {
    .name = "hf_cache",
    .source = "hf",
    .open = hf_place_open,
    .close = hf_place_close,
    .complete = hf_complete,
    .find = hf_find,
    .take = hf_take,
    .publish_blobs = hf_publish_blobs,
    .publish_model = hf_publish_model,
    .local_commit = hf_local_commit,
    .local_manifest = hf_tree_read,
    .list = hf_list_all,
};
