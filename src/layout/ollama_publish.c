#include "layout/ollama_publish.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "layout/blobs.h"
#include "layout/folder.h"
#include "layout/ollama_find.h"
#include "layout/ollama_links.h"
#include "layout/ollama_tag.h"
#include "sys/fd.h"
#include "sys/file.h"

/* ---- blobs ---- */

/* What stands at the blob's name is what file says, by its record. */
static int is_there(bool *ret_there, const struct layout_place *p, const struct model_file *file,
                    struct err *err)
{
    struct stat st;

    if (ollama_blob_stat(ret_there, &st, p, &file->digest, err) < 0)
        return -1;
    *ret_there =
        *ret_there && (uint64_t)st.st_size == file->size && ollama_holds(p, &file->digest, &st);
    return 0;
}

/* Its hour of grace begins now. */
static int rename_fresh(const struct layout_place *p, const struct publish_item *item,
                        struct err *err)
{
    (void)futimens(item->fd, NULL);
    if (publish_rename(item, err) < 0)
        return err_wrap(err, "%s/blobs", p->store.path);
    return 0;
}

static const char *blob_name(struct arena *a, const struct digest *d)
{
    return ollama_blob_name(arena_array(a, char, OLLAMA_BLOB_NAME), d);
}

int ollama_publish_blobs(struct layout_place *p, const struct blob_batch *batch, struct err *err)
{
    const struct ollama_place *s = ollama_state(p);
    struct blob_shelf shelf = {.mode = s->file_mode,
                               .name = blob_name,
                               .is_there = is_there,
                               .rename = rename_fresh,
                               .record = ollama_record,
                               .keep = ollama_touch};

    if (ollama_blobs(p, err) < 0)
        return -1;
    shelf.fd = s->blobs_fd;
    return blobs_publish(p, &shelf, batch, err) < 0 ? -1 : ollama_flush(p, err);
}

/* ---- the model ---- */

/*
 * The same for one that is about to be named by a manifest. What lost its record is hashed: another
 * pull may have replaced it by the same bytes just now (--force, or a small file that two models
 * share), and its record is not written yet.
 */
static int is_right(bool *ret_right, struct layout_place *p, const struct model_file *file,
                    struct err *err)
{
    struct blob_found found;
    struct digest seen = {0};
    struct err shorter = {0};
    int r = 0;

    if (is_there(ret_right, p, file, err) < 0)
        return -1;
    if (*ret_right)
        return 0;
    if (ollama_find(&found, p, file, err) < 0)
        return -1;
    *ret_right = found.state == BLOB_VERIFIED;
    if (found.state != BLOB_UNVERIFIED)
        return 0;
    if (digest_fd(&seen, file->digest.kind, found.fd, file->size, &shorter) < 0 &&
        shorter.code != ERR_DIGEST) {
        *err = shorter;
        r = -1;
    }
    *ret_right = digest_eq(&seen, &file->digest);
    if (*ret_right)
        r = ollama_take(p, file, &found, err);
    fd_close(&found.fd);
    return r;
}

/* As find_missing(), but what has no record is looked into. */
static int find_wrong(const struct model_file **ret_file, struct layout_place *p,
                      const struct manifest *m, struct err *err)
{
    assert(m->file_count == 0 || m->files != NULL);
    *ret_file = NULL;
    for (size_t i = 0; i < m->file_count; i++) {
        bool right;

        if (is_right(&right, p, &m->files[i], err) < 0)
            return -1;
        if (!right) {
            *ret_file = &m->files[i];
            return 0;
        }
    }
    return 0;
}

/* The first wanted file whose blob is not there or not verified; NULL: all are. */
static int find_missing(const struct model_file **ret_file, const struct layout_place *p,
                        const struct manifest *m, struct err *err)
{
    assert(m->file_count == 0 || m->files != NULL);
    *ret_file = NULL;
    for (size_t i = 0; i < m->file_count; i++) {
        bool there;

        if (is_there(&there, p, &m->files[i], err) < 0)
            return -1;
        if (!there) {
            *ret_file = &m->files[i];
            return 0;
        }
    }
    return 0;
}

bool ollama_complete(struct layout_place *p, const struct manifest *m, bool whole)
{
    const struct model_file *missing;
    struct err ignored = {0};

    return whole && p->store.fd >= 0 && ollama_tag_holds(p, m) &&
           find_missing(&missing, p, m, &ignored) == 0 && missing == NULL &&
           ollama_links_right(p, m);
}

/* Readers see the bytes that the publisher's digest is of. */
static int check_text(const struct layout_place *p, const struct manifest *m, struct err *err)
{
    char hex[DIGEST_HEX + 1];
    struct digest d;

    if (m->raw.ptr == NULL)
        return err_set(err, ERR_LIMIT, "%s: the text of the manifest is not known", p->shown);
    if (ollama_text_digest(&d, m->raw, err) < 0)
        return -1;
    if (strcmp(digest_format(&d, hex), m->commit) != 0)
        return err_set(err, ERR_LIMIT, "%s: the manifest has the digest %.12s, not %.12s", p->shown,
                       hex, m->commit);
    return 0;
}

static int refuse_missing(const struct layout_place *p, const struct model_file *file,
                          const char *what, struct err *err)
{
    char name[OLLAMA_BLOB_NAME];

    (void)err_set(err, ERR_VOLUME, "%s/blobs/%s (%s) %s", p->store.path,
                  ollama_blob_name(name, &file->digest), file->path, what);
    return err_hint(err, "pull again; an Ollama server that starts removes what it does not know "
                         "yet: give servers on this volume OLLAMA_NOPRUNE=1");
}

/* A server may have started between the look at the blobs and the manifest that names them. */
static int look_again(struct layout_place *p, const struct manifest *m, struct err *err)
{
    const struct model_file *missing;

    if (find_wrong(&missing, p, m, err) < 0)
        return -1;
    if (missing == NULL)
        return 0;
    ollama_tag_remove(p, m);
    return refuse_missing(p, missing, "was removed while the model was published", err);
}

int ollama_publish_model(struct layout_place *p, const struct manifest *m, bool whole,
                         struct err *err)
{
    const struct model_file *missing;

    if (!whole) {
        (void)err_set(err, ERR_USAGE, "%s: Ollama has no use for a part of a model", m->ref.text);
        return err_hint(err, "pull it without --include and --exclude");
    }
    if (check_text(p, m, err) < 0 || ollama_blobs(p, err) < 0 ||
        find_wrong(&missing, p, m, err) < 0)
        return -1;
    if (missing != NULL)
        return refuse_missing(p, missing, "is not there, or holds other bytes", err);
    for (size_t i = 0; i < m->file_count; i++)
        ollama_touch(p, &m->files[i].digest);
    /* Names of blobs that another program left and we found right: the manifest leads to them. */
    if (folder_sync(p, ollama_state(p)->blobs_fd, err) < 0)
        return -1;
    if (ollama_flush(p, err) < 0 || ollama_tag_write(p, m, err) < 0 || look_again(p, m, err) < 0)
        return -1;
    blob_records_sweep(p->config->volume, OLLAMA_RECORDS);
    return ollama_links_mend(p, m, err);
}
