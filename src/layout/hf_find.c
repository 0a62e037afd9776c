#include "layout/hf_find.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layout/folder.h"
#include "layout/hf_lock.h"
#include "layout/hf_shared.h"
#include "layout/hf_snapshot.h"
#include "sys/fd.h"
#include "sys/file.h"

#define COMMITS_MAX ((size_t)256)
#define REPOS_MAX   ((size_t)4096)

/* Smaller files are sooner fetched than looked for in every repository of a slow volume. */
#define WORTH_LOOKING_BYTES ((uint64_t)1 << 20)

/* A link: of the right form it is opened in the shared store, else hostile. */
static int stat_shared(enum hf_blob *ret_kind, struct stat *st, const struct layout_place *p,
                       const char *hex, struct err *err)
{
    const char *where = str_format(p->arena, "%s/blobs/%s", hf_state(p)->name, hex);
    FD_SCOPED entry = -1;
    char text[PATH_MAX];
    ssize_t len = readlinkat(hf_state(p)->blobs_fd, hex, text, sizeof(text) - 1);
    const char *xet;

    if (len < 0)
        return file_err(err, "%s/%s", p->store.path, where);
    text[len] = '\0';
    if (!hf_shared_link(&xet, text))
        return folder_hostile(err, p, where,
                              "is a link that leads elsewhere than to a shared blob");
    if (!hf_shared_there(p))
        return folder_hostile(err, p, where, "is a link to a shared blob store that is none");
    entry = hf_shared_open(p, xet);
    if (entry >= 0 && fstat(entry, st) == 0)
        *ret_kind = HF_BLOB_SHARED;
    return 0;
}

int hf_blob_stat(enum hf_blob *ret_kind, struct stat *st, const struct layout_place *p,
                 const char *hex, struct err *err)
{
    const struct hf_place *s = hf_state(p);

    *ret_kind = HF_BLOB_NONE;
    if (s->blobs_fd < 0)
        return 0;
    if (fstatat(s->blobs_fd, hex, st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : file_err(err, "%s/blobs/%s", p->shown, hex);
    if (S_ISLNK(st->st_mode))
        return stat_shared(ret_kind, st, p, hex, err);
    if (!S_ISREG(st->st_mode))
        return folder_hostile(err, p, str_format(p->arena, "%s/blobs/%s", s->name, hex),
                              "is no regular file");
    *ret_kind = HF_BLOB_FILE;
    return 0;
}

static int find_own(struct blob_found *out, struct layout_place *p, const struct model_file *file,
                    const char *hex, struct err *err)
{
    const struct hf_place *s = hf_state(p);
    FD_SCOPED fd = -1;
    enum hf_blob kind;
    struct stat st;
    struct err closed = {0};

    if (hf_blob_stat(&kind, &st, p, hex, err) < 0)
        return -1;
    if (kind == HF_BLOB_NONE || (uint64_t)st.st_size != file->size)
        return 0;
    out->where = str_format(p->arena, "%s/blobs/%s", s->name, hex);
    if (hf_holds(p, &file->digest, &st)) {
        out->state = BLOB_VERIFIED;
        return 0;
    }
    /* Beneath the hub: a shared blob lies outside the repository. */
    fd = file_open(p->store.fd, out->where, O_RDONLY | O_NONBLOCK, 0, &closed);
    /* Who may not read it cannot use it either: it is fetched again, and replaced. */
    if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != file->size)
        return 0;
    out->state = BLOB_UNVERIFIED;
    out->fd = fd_take(&fd);
    return 0;
}

/* Opens the plain file path of one commit's snapshot; -1 if it is a pointer, or not there. */
static int open_plain(struct stat *st, const char **ret_path, const struct layout_place *p,
                      const char *commit, const struct model_file *file)
{
    struct err ignored = {0};
    const char *path = str_format(p->arena, "%s/%s", commit, file->path);
    FD_SCOPED fd =
        file_open(hf_state(p)->snapshots_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &ignored);

    if (fd < 0 || fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || (uint64_t)st->st_size != file->size)
        return -1;
    *ret_path = path;
    return fd_take(&fd);
}

static void list_commits(const struct layout_place *p)
{
    struct hf_place *s = hf_state(p);

    if (!s->commits.read && s->snapshots_fd >= 0)
        s->commits = hf_list(p->arena, s->snapshots_fd, COMMITS_MAX);
}

static void find_plain(struct blob_found *out, const struct layout_place *p,
                       const struct model_file *file)
{
    const struct hf_place *s = hf_state(p);

    list_commits(p);
    for (size_t i = 0; i < s->commits.len && out->state == BLOB_ABSENT; i++) {
        const char *path;
        struct stat st;
        FD_SCOPED fd = open_plain(&st, &path, p, s->commits.at[i], file);

        if (fd < 0)
            continue;
        out->where = str_format(p->arena, "%s/snapshots/%s", s->name, path);
        out->state = BLOB_VERIFIED;
        if (!hf_holds_at(p, file, path, &st)) {
            out->state = BLOB_UNVERIFIED;
            out->fd = fd_take(&fd);
        }
    }
}

const char *hf_plain_file(struct stat *st, const struct layout_place *p,
                          const struct model_file *file)
{
    const struct hf_place *s = hf_state(p);
    const char *path = NULL;

    list_commits(p);
    for (size_t i = 0; i < s->commits.len; i++) {
        FD_SCOPED fd = open_plain(st, &path, p, s->commits.at[i], file);

        if (fd >= 0 && hf_holds_at(p, file, path, st))
            return path;
    }
    return NULL;
}

static void find_shared(struct blob_found *out, const struct layout_place *p,
                        const struct model_file *file)
{
    FD_SCOPED fd = -1;
    struct stat st;

    if (p->config->no_shared_blobs || file->xet[0] == '\0')
        return;
    fd = hf_shared_open(p, file->xet);
    if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != file->size)
        return;
    *out = (struct blob_found){
        .state = BLOB_UNVERIFIED,
        .fd = fd_take(&fd),
        .where = str_format(p->arena, "blobs/%.2s/%s", file->xet, file->xet),
        .elsewhere = true,
    };
}

static void find_other(struct blob_found *out, const struct layout_place *p,
                       const struct model_file *file, const char *hex)
{
    struct hf_place *s = hf_state(p);

    if (file->size < WORTH_LOOKING_BYTES || p->store.fd < 0)
        return;
    if (!s->repos.read)
        s->repos = hf_list(p->arena, p->store.fd, REPOS_MAX);
    for (size_t i = 0; i < s->repos.len && out->state == BLOB_ABSENT; i++) {
        struct arena_mark mark = arena_mark(p->arena);
        const char *where = str_format(p->arena, "%s/blobs/%s", s->repos.at[i], hex);
        struct err ignored = {0};
        struct stat st;
        FD_SCOPED fd = -1;

        if (strncmp(s->repos.at[i], "models--", strlen("models--")) == 0 &&
            strcmp(s->repos.at[i], s->name) != 0)
            fd = file_open(p->store.fd, where, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &ignored);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
            (uint64_t)st.st_size == file->size)
            *out = (struct blob_found){
                .state = BLOB_UNVERIFIED, .fd = fd_take(&fd), .where = where, .elsewhere = true};
        else
            arena_rewind(p->arena, mark);
    }
}

int hf_find(struct blob_found *out, struct layout_place *p, const struct model_file *file,
            struct err *err)
{
    struct blob_found found = {.fd = -1};
    char hex[DIGEST_HEX + 1];

    (void)digest_format(&file->digest, hex);
    if (find_own(&found, p, file, hex, err) < 0)
        return -1;
    if (found.state == BLOB_ABSENT && hf_state(p)->snapshots_fd >= 0)
        find_plain(&found, p, file);
    if (found.state == BLOB_ABSENT)
        find_shared(&found, p, file);
    if (found.state == BLOB_ABSENT)
        find_other(&found, p, file, hex);
    if (found.state == BLOB_UNVERIFIED && fstat(found.fd, &found.st) < 0) {
        (void)file_err(err, "%s/%s", p->store.path, found.where);
        fd_close(&found.fd);
        return -1;
    }
    *out = found;
    return 0;
}

/* Gives the temporary name of a duplicate to its place, under huggingface_hub's lock. */
static int place_duplicate(const struct layout_place *p, const char *temp, const char *hex,
                           struct stat *st, struct err *err)
{
    const struct hf_place *s = hf_state(p);
    struct hf_lock lock = hf_lock_take(p, hex);
    int rc = renameat(p->staging_fd, temp, s->blobs_fd, hex);

    if (rc < 0)
        (void)file_err(err, "%s/blobs/%s", p->shown, hex);
    hf_lock_give(p, &lock);
    /* Two names of one inode are both left by rename(2). */
    (void)unlinkat(p->staging_fd, temp, 0);
    if (rc == 0 && fstatat(s->blobs_fd, hex, st, AT_SYMLINK_NOFOLLOW) < 0)
        return file_err(err, "%s/blobs/%s", p->shown, hex);
    return rc < 0 ? -1 : folder_sync(p, s->blobs_fd, err);
}

/* A duplicate is of the bytes that were hashed if nobody has written into them since. */
static int check_unchanged(const struct layout_place *p, const struct blob_found *found,
                           const char *temp, struct err *err)
{
    struct stat st;

    if (fstat(found->fd, &st) == 0 && st.st_size == found->st.st_size &&
        st.st_mtim.tv_sec == found->st.st_mtim.tv_sec &&
        st.st_mtim.tv_nsec == found->st.st_mtim.tv_nsec)
        return 0;
    (void)unlinkat(p->staging_fd, temp, 0);
    (void)err_set(err, ERR_VOLUME, "%s/%s was written to while it was taken over", p->store.path,
                  found->where);
    return err_hint(err, "look who writes there, and pull again");
}

int hf_take(struct layout_place *p, const struct model_file *file, const struct blob_found *found,
            struct err *err)
{
    char hex[DIGEST_HEX + 1];
    char temp[] = "duplicate-0123456789abcdef";
    const char *how;
    struct stat st;

    (void)digest_format(&file->digest, hex);
    /*
     * Who wrote it may not have synced it: what was hashed was in memory, and a power cut could
     * still take the bytes and leave the size, and our record, which says that they are right.
     */
    if (folder_sync(p, found->fd, err) < 0)
        return -1;
    if (!found->elsewhere) {
        hf_record(p, &file->digest, &found->st);
        return hf_flush(p, false, err);
    }
    hf_snapshot_begin(p);
    file_random_hex(temp + strlen("duplicate-"), 16);
    if (hf_blobs(p, err) < 0 ||
        publish_duplicate(&how, found->fd, p->staging_fd, temp, hf_state(p)->file_mode, err) < 0)
        return err_wrap(err, "taking over %s/%s", p->store.path, found->where);
    if (check_unchanged(p, found, temp, err) < 0)
        return -1;
    if (place_duplicate(p, temp, hex, &st, err) < 0)
        return -1;
    hf_record(p, &file->digest, &st);
    return hf_flush(p, false, err);
}
