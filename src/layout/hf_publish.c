#include "layout/hf_publish.h"

#include <string.h>
#include <sys/stat.h>

#include "layout/blobs.h"
#include "layout/folder.h"
#include "layout/hf_find.h"
#include "layout/hf_lock.h"
#include "layout/hf_ref.h"
#include "layout/hf_snapshot.h"
#include "layout/hf_tree.h"
#include "layout/hf_views.h"

/* ---- blobs ---- */

static const char *blob_name(struct arena *a, const struct digest *d)
{
    return digest_format(d, arena_array(a, char, DIGEST_HEX + 1));
}

static int is_there(bool *ret_there, const struct layout_place *p, const struct model_file *file,
                    struct err *err)
{
    char hex[DIGEST_HEX + 1];
    enum hf_blob kind;
    struct stat st;

    if (hf_blob_stat(&kind, &st, p, digest_format(&file->digest, hex), err) < 0)
        return -1;
    *ret_there = kind != HF_BLOB_NONE && hf_holds(p, &file->digest, &st);
    return 0;
}

/* Under huggingface_hub's own lock. */
static int rename_locked(const struct layout_place *p, const struct publish_item *item,
                         struct err *err)
{
    struct hf_lock lock = hf_lock_take(p, item->to);
    int rc = publish_rename(item, err);

    hf_lock_give(p, &lock);
    return rc;
}

int hf_publish_blobs(struct layout_place *p, const struct blob_batch *batch, struct err *err)
{
    const struct hf_place *s = hf_state(p);
    struct blob_shelf shelf = {.mode = s->file_mode,
                               .name = blob_name,
                               .is_there = is_there,
                               .rename = rename_locked,
                               .record = hf_record};

    if (hf_blobs(p, err) < 0)
        return -1;
    shelf.fd = s->blobs_fd;
    return blobs_publish(p, &shelf, batch, err) < 0 ? -1 : hf_flush(p, false, err);
}

/* ---- the model ---- */

int hf_publish_model(struct layout_place *p, const struct manifest *m, bool whole, struct err *err)
{
    bool by_commit = ref_is_commit(m->ref.revision);

    if (!ref_is_commit(m->commit))
        return err_set(err, ERR_LIMIT, "%s: \"%.64s\" is no commit", p->shown, m->commit);
    if (by_commit && strcmp(m->ref.revision, m->commit) != 0)
        return err_set(err, ERR_LIMIT, "%s: asked for commit %.12s, the origin lists %.12s",
                       p->shown, m->ref.revision, m->commit);
    /* Names of blobs that another program left and we found right: the snapshot leads to them. */
    if (hf_blobs(p, err) < 0 || folder_sync(p, hf_state(p)->blobs_fd, err) < 0)
        return -1;
    hf_snapshot_begin(p);
    if (hf_snapshot_publish(p, m, err) < 0 || hf_flush(p, true, err) < 0)
        return -1;
    if ((whole || by_commit) && hf_tree_publish(p, m, err) < 0)
        return -1;
    if (!by_commit && hf_ref_publish(p, m->ref.revision, m->commit, err) < 0)
        return -1;
    return hf_views_mend(p, m, err);
}
