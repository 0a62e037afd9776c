#include "layout/hf_publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layout/blobs.h"
#include "layout/folder.h"
#include "layout/hf_find.h"
#include "layout/hf_lock.h"
#include "layout/hf_snapshot.h"
#include "layout/hf_tree.h"
#include "layout/hf_views.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/stop.h"
#include "text/relpath.h"

/* A client that truncates a ref writes its 40 bytes at once afterwards. */
#define REF_AGAIN_MS 20

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

/* ---- names of revisions ---- */

static ssize_t read_ref_once(char *text, size_t room, const struct layout_place *p,
                             const char *path)
{
    struct err ignored = {0};
    FD_SCOPED fd =
        file_open(hf_state(p)->repo_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &ignored);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    return read(fd, text, room);
}

bool hf_read_ref(char out[static HF_COMMIT_HEX + 1], const struct layout_place *p,
                 const char *revision, bool exact)
{
    char path[RELPATH_MAX + sizeof("refs/")];
    char text[HF_COMMIT_HEX + 24];
    struct str commit;
    ssize_t len;

    if (hf_state(p)->repo_fd < 0 || strlen(revision) > RELPATH_MAX)
        return false;
    (void)snprintf(path, sizeof(path), "refs/%s", revision);
    len = read_ref_once(text, sizeof(text), p, path);
    if (len == 0) {
        (void)stop_wait_ms(REF_AGAIN_MS);
        len = read_ref_once(text, sizeof(text), p, path);
    }
    if (len < (ssize_t)HF_COMMIT_HEX)
        return false;
    commit = (struct str){text, (size_t)len};
    if (!exact)
        commit = str_trim(commit);
    if (commit.len != HF_COMMIT_HEX)
        return false;
    memcpy(out, commit.ptr, HF_COMMIT_HEX);
    out[HF_COMMIT_HEX] = '\0';
    return ref_is_commit(out);
}

/*
 * 40 digits and nothing else. The temporary file is elsewhere: a stray name beneath refs/ makes a
 * scan of the cache call the whole repository corrupted.
 */
static int publish_ref(const struct layout_place *p, const char *revision, const char *commit,
                       struct err *err)
{
    const struct hf_place *s = hf_state(p);
    char there[HF_COMMIT_HEX + 1];
    const char *path = str_format(p->arena, "refs/%s", revision);
    const char *slash = strrchr(path, '/');
    FD_SCOPED parent = -1;

    if (relpath_check(str_from(revision), err) < 0)
        return err_wrap(err, "%s: revision", p->shown);
    if (hf_open_parents(&parent, p, s->repo_fd, (struct str){path, (size_t)(slash - path)}, err) <
        0) {
        (void)err_wrap(err, "%s: the name of revision %s", p->shown, revision);
        return err_hint(err,
                        "a revision of the name of its first part may have been there once: "
                        "remove its file beneath %s/refs",
                        p->shown);
    }
    if (hf_read_ref(there, p, revision, true) && strcmp(there, commit) == 0)
        return 0;
    return file_replace(s->repo_fd, path, ".hostler", (struct str){commit, HF_COMMIT_HEX},
                        s->file_mode, err);
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
    if (!by_commit && publish_ref(p, m->ref.revision, m->commit, err) < 0)
        return -1;
    return hf_views_mend(p, m, err);
}
