#include "layout/hf_pointer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layout/folder.h"
#include "layout/hf_find.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "text/relpath.h"

#define DEPTH_MAX (RELPATH_MAX / 2)

int hf_pointer_choose(const struct layout_place *p, struct err *err)
{
    struct hf_place *s = hf_state(p);
    struct publish_abilities can;

    if (s->pointer != HF_POINTER_UNTRIED)
        return 0;
    if (publish_probe(&can, p->staging_fd, err) < 0)
        return -1;
    s->pointer = can.symlinks     ? HF_POINTER_SYMLINK
                 : can.hard_links ? HF_POINTER_HARD_LINK
                                  : HF_POINTER_FILE;
    if (s->pointer == HF_POINTER_HARD_LINK)
        layout_notice(p->config, "%s has no symbolic links: snapshots are made of hard links",
                      p->store.path);
    else if (s->pointer == HF_POINTER_FILE)
        layout_notice(p->config,
                      "%s has neither symbolic nor hard links: files are moved into their "
                      "snapshot, and copied where a second one needs them",
                      p->store.path);
    return 0;
}

static void name_temp(char out[static 32])
{
    memcpy(out, HF_POINTER_TEMP, sizeof(HF_POINTER_TEMP));
    file_random_hex(out + strlen(HF_POINTER_TEMP), 16);
}

/* The temporary name, made in the staging directory, takes its place. */
static int rename_temp(const struct hf_seat *at, const char *temp, const char *name,
                       struct err *err)
{
    int rc = renameat(at->p->staging_fd, temp, at->fd, name);

    if (rc < 0)
        (void)file_err(err, "%s/snapshots/%s: %s", at->p->shown, at->m->commit, name);
    (void)unlinkat(at->p->staging_fd, temp, 0); /* rename leaves two names of one inode alone */
    return rc < 0 ? -1 : 0;
}

static int put_symlink(const struct hf_seat *at, const char *name, const char *hex, struct err *err)
{
    char text[3 * DEPTH_MAX + sizeof("../../blobs/") + DIGEST_HEX];
    size_t len = 0;
    char temp[32];

    for (; len < 3 * (size_t)at->depth && at->depth < DEPTH_MAX; len += 3)
        memcpy(text + len, "../", 3);
    (void)snprintf(text + len, sizeof(text) - len, "../../blobs/%s", hex);
    if (symlinkat(text, at->fd, name) == 0)
        return 0;
    if (errno == EEXIST) {
        name_temp(temp);
        if (symlinkat(text, at->p->staging_fd, temp) == 0)
            return rename_temp(at, temp, name, err);
    }
    return file_err(err, "%s/snapshots/%s: link %s", at->p->shown, at->m->commit, name);
}

/* A copy, recorded as such. */
static int put_copy(const struct hf_seat *at, const char *name, const struct model_file *file,
                    int from_dirfd, const char *from, struct err *err)
{
    const struct layout_place *p = at->p;
    FD_SCOPED in = file_open(from_dirfd, from, O_RDONLY | O_NONBLOCK, 0, err);
    const char *how;
    char temp[32];
    struct stat st;

    if (in < 0)
        return -1;
    name_temp(temp);
    if (publish_duplicate(&how, in, p->staging_fd, temp, hf_state(p)->file_mode, err) < 0 ||
        rename_temp(at, temp, name, err) < 0)
        return -1;
    if (fstatat(at->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return file_err(err, "%s/snapshots/%s: %s", p->shown, at->m->commit, name);
    return hf_record_copy(p, file, str_format(p->arena, "%s/%s", at->m->commit, file->path), &st,
                          err);
}

/* A copy where the kernel forbids hard links to what others own (fs.protected_hardlinks). */
static int put_hard_link(const struct hf_seat *at, const char *name, const struct model_file *file,
                         int from_dirfd, const char *from, struct err *err)
{
    char temp[32];

    name_temp(temp);
    if (linkat(from_dirfd, from, at->p->staging_fd, temp, 0) < 0)
        return put_copy(at, name, file, from_dirfd, from, err);
    return rename_temp(at, temp, name, err);
}

static int duplicate_plain(const struct layout_place *p, const char *plain, const char *temp,
                           struct err *err)
{
    const struct hf_place *s = hf_state(p);
    FD_SCOPED fd = file_open(s->snapshots_fd, plain, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, err);
    const char *how;

    return fd < 0 ? -1 : publish_duplicate(&how, fd, p->staging_fd, temp, s->file_mode, err);
}

/*
 * The bytes are only in a plain file of some snapshot: they get the blob's name too, by a hard link
 * where that can be, so that the record holds for both.
 */
static int bring_in(const struct hf_seat *at, const struct model_file *file, const char *plain,
                    const char *hex, struct err *err)
{
    const struct layout_place *p = at->p;
    const struct hf_place *s = hf_state(p);
    struct stat st;
    char temp[32];
    int rc;

    name_temp(temp);
    if (hf_blobs(p, err) < 0)
        return -1;
    if (linkat(s->snapshots_fd, plain, p->staging_fd, temp, 0) < 0 &&
        duplicate_plain(p, plain, temp, err) < 0)
        return -1;
    rc = renameat(p->staging_fd, temp, s->blobs_fd, hex);
    if (rc < 0)
        (void)file_err(err, "%s/blobs/%s", p->shown, hex);
    (void)unlinkat(p->staging_fd, temp, 0);
    if (rc < 0)
        return -1;
    if (fstatat(s->blobs_fd, hex, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return file_err(err, "%s/blobs/%s", p->shown, hex);
    hf_record(p, &file->digest, &st);
    return folder_sync(p, s->blobs_fd, err);
}

/*
 * The plain file, beneath snapshots/, of another name with these bytes in the same commit: where
 * blobs are moved, the first name of them has taken it away from the others.
 */
static const char *twin(const struct hf_seat *at, const struct model_file *file)
{
    const struct layout_place *p = at->p;

    for (size_t i = 0; i < at->m->file_count; i++) {
        const struct model_file *other = &at->m->files[i];
        const char *path;
        struct stat st;

        if (other == file || !digest_eq(&other->digest, &file->digest))
            continue;
        path = str_format(p->arena, "%s/%s", at->m->commit, other->path);
        if (fstatat(hf_state(p)->snapshots_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            hf_holds_at(p, file, path, &st))
            return path;
    }
    return NULL;
}

/* From the blob's own name if it has one, else from a plain file elsewhere. */
int hf_pointer_put(const struct hf_seat *at, const char *name, const struct model_file *file,
                   struct err *err)
{
    const struct layout_place *p = at->p;
    const struct hf_place *s = hf_state(p);
    const char *plain = NULL;
    char hex[DIGEST_HEX + 1];
    enum hf_blob kind;
    struct stat st;
    bool own;

    (void)digest_format(&file->digest, hex);
    if (hf_pointer_choose(p, err) < 0 || hf_blob_stat(&kind, &st, p, hex, err) < 0)
        return -1;
    own = kind != HF_BLOB_NONE && hf_holds(p, &file->digest, &st);
    if (!own)
        plain = hf_plain_file(&st, p, file);
    if (!own && plain == NULL)
        plain = twin(at, file);
    if (!own && plain == NULL)
        return err_set(err, ERR_VOLUME, "%s: the blob of %s vanished while it was published",
                       p->shown, file->path);
    if (s->pointer == HF_POINTER_SYMLINK) {
        if (!own && bring_in(at, file, plain, hex, err) < 0)
            return -1;
        return put_symlink(at, name, hex, err);
    }
    if (s->pointer == HF_POINTER_HARD_LINK && kind != HF_BLOB_SHARED)
        return own ? put_hard_link(at, name, file, s->blobs_fd, hex, err)
                   : put_hard_link(at, name, file, s->snapshots_fd, plain, err);
    if (kind == HF_BLOB_FILE && own) {
        if (renameat(s->blobs_fd, hex, at->fd, name) < 0)
            return file_err(err, "%s/snapshots/%s: move %s", p->shown, at->m->commit, name);
        return 0;
    }
    return own ? put_copy(at, name, file, s->blobs_fd, hex, err)
               : put_copy(at, name, file, s->snapshots_fd, plain, err);
}
