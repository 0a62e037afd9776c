#include "layout/hf_fold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "layout/hf_find.h"
#include "layout/hf_snapshot.h"
#include "sys/fd.h"
#include "sys/file.h"

/* ---- names that might meet ---- */

static int compare_nocase(const void *a, const void *b)
{
    const struct model_file *const *left = a;
    const struct model_file *const *right = b;

    return strcasecmp((*left)->path, (*right)->path);
}

/* It can meet only what differs from it in the case of letters of ASCII. */
static bool is_plain(const char *path)
{
    for (const char *c = path; *c != '\0'; c++) {
        bool ends = c[1] == '/' || c[1] == '\0';

        if ((unsigned char)*c >= 0x80 || *c == '~' || (ends && (*c == '.' || *c == ' ')))
            return false;
    }
    return true;
}

bool hf_fold_possible(const struct manifest *m)
{
    ARENA_SCOPED scratch = {0};
    const struct model_file **files =
        arena_array(&scratch, const struct model_file *, m->file_count + 1);

    for (size_t i = 0; i < m->file_count; i++) {
        if (!is_plain(m->files[i].path))
            return true;
        files[i] = &m->files[i];
    }
    if (m->file_count > 1)
        qsort(files, m->file_count, sizeof(struct model_file *), compare_nocase);
    for (size_t i = 1; i < m->file_count; i++) {
        if (compare_nocase(&files[i - 1], &files[i]) == 0 &&
            !digest_eq(&files[i - 1]->digest, &files[i]->digest))
            return true;
    }
    return false;
}

/* ---- trying ---- */

/* The snapshot has the file already, under whichever of the names that meet. */
static bool stands(const struct layout_place *p, const struct manifest *m,
                   const struct model_file *file)
{
    const char *path = str_format(p->arena, "%s/%s", m->commit, file->path);
    char hex[DIGEST_HEX + 1];
    struct err ignored = {0};
    enum hf_blob kind;
    struct stat blob;
    struct stat st;

    if (fstatat(hf_state(p)->snapshots_fd, path, &st, 0) < 0)
        return false;
    if (hf_holds_at(p, file, path, &st))
        return true;
    /* What another program brought has no record of ours. */
    (void)digest_format(&file->digest, hex);
    return hf_blob_stat(&kind, &blob, p, hex, &ignored) == 0 && kind != HF_BLOB_NONE &&
           blob.st_dev == st.st_dev && blob.st_ino == st.st_ino;
}

/* *ret_there: something has the name already. */
static int make_name(bool *ret_there, const struct layout_place *p, int scratch_fd,
                     const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    struct str parent = {path, slash == NULL ? 0 : (size_t)(slash - path)};
    FD_SCOPED at = -1;
    FD_SCOPED fd = -1;

    if (hf_open_parents(&at, p, scratch_fd, parent, err) < 0)
        return -1;
    fd = openat(at, slash == NULL ? path : slash + 1,
                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    *ret_there = fd < 0 && errno == EEXIST;
    return fd >= 0 || *ret_there ? 0 : file_err(err, "%s: %s", p->shown, path);
}

/*
 * Which of the first count names the path, which is there, belongs to: the one that is gone with
 * it, since not every filesystem has inodes to tell by. NULL: to none, it is a folder.
 */
static const struct model_file *take_away(int scratch_fd, const struct model_file *const *names,
                                          size_t count, const char *path)
{
    struct stat st;

    if (unlinkat(scratch_fd, path, 0) < 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (fstatat(scratch_fd, names[i]->path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
            return names[i];
    }
    return NULL;
}

static int refuse(const struct layout_place *p, const struct model_file *first,
                  const struct model_file *second, struct err *err)
{
    (void)err_set(
        err, ERR_LIMIT,
        "%s: %s and %s are two files of the model, and one name on this filesystem, which "
        "does not tell them apart (it folds case, or forms of Unicode)",
        p->shown, first->path, second->path);
    return err_hint(err,
                    "pull to a volume on another filesystem, or leave one of them out: --exclude "
                    "'%s'",
                    second->path);
}

int hf_fold_try(const struct layout_place *p, const struct manifest *m, int scratch_fd,
                struct err *err)
{
    ARENA_SCOPED scratch = {0};
    const struct model_file **names =
        arena_array(&scratch, const struct model_file *, m->file_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *file = &m->files[i];
        const struct model_file *other;
        bool there = false;

        if (!file->wanted && !stands(p, m, file))
            continue;
        if (make_name(&there, p, scratch_fd, file->path, err) < 0)
            return -1;
        other = there ? take_away(scratch_fd, names, count, file->path) : NULL;
        if (other != NULL && !digest_eq(&other->digest, &file->digest))
            return refuse(p, other, file, err);
        if (other != NULL && make_name(&there, p, scratch_fd, file->path, err) < 0)
            return -1;
        names[count++] = file;
    }
    return 0;
}
