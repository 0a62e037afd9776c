#include "layout/ollama_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "layout/folder.h"
#include "sys/fd.h"
#include "sys/file.h"

/* Of the hour of grace; younger blobs are left alone, so that many that start together do not
 * change each other's records. */
#define TOUCH_AFTER_S 600

const char *ollama_blob_name(char out[static OLLAMA_BLOB_NAME], const struct digest *d)
{
    char hex[DIGEST_HEX + 1];

    (void)snprintf(out, OLLAMA_BLOB_NAME, "sha256-%s", digest_format(d, hex));
    return out;
}

static const char *path_of(const struct layout_place *p, const struct digest *d)
{
    char name[OLLAMA_BLOB_NAME];

    return str_format(p->arena, "blobs/%s", ollama_blob_name(name, d));
}

int ollama_blob_stat(bool *ret_there, struct stat *st, const struct layout_place *p,
                     const struct digest *d, struct err *err)
{
    const char *path = path_of(p, d);
    struct err why = {0};
    FD_SCOPED fd = -1;

    *ret_there = false;
    if (p->store.fd < 0)
        return 0;
    fd = file_open(p->store.fd, path, O_PATH, 0, &why);
    if (fd < 0 && why.sys == EXDEV)
        return folder_hostile(err, p, path, "is a link that leads out of the store");
    if (fd < 0 &&
        (why.sys == ENOENT || why.sys == ENOTDIR || why.sys == ELOOP || why.sys == EACCES))
        return 0;
    if (fd < 0) {
        *err = why;
        return err_wrap(err, "%s", p->store.path);
    }
    if (fstat(fd, st) < 0)
        return file_err(err, "%s/%s", p->store.path, path);
    if (S_ISLNK(st->st_mode)) /* a kernel that cannot follow it beneath the store */
        return 0;
    if (!S_ISREG(st->st_mode))
        return folder_hostile(err, p, path, "is no regular file");
    *ret_there = true;
    return 0;
}

/* Ours to judge by two clocks, so only roughly; one that lies in the future is touched too. */
static bool is_old(const struct stat *st)
{
    int64_t age = (int64_t)time(NULL) - (int64_t)st->st_mtim.tv_sec;

    return age > TOUCH_AFTER_S || age < -TOUCH_AFTER_S;
}

void ollama_touch(const struct layout_place *p, const struct digest *d)
{
    const struct ollama_place *s = ollama_state(p);
    const char *path = path_of(p, d);
    char name[OLLAMA_BLOB_NAME];
    struct err ignored;
    struct stat named;
    struct stat st;
    FD_SCOPED fd = -1;

    if (p->config->read_only || s->blobs_fd < 0 ||
        fstatat(s->blobs_fd, ollama_blob_name(name, d), &named, AT_SYMLINK_NOFOLLOW) < 0 ||
        !is_old(&named))
        return;
    if (S_ISLNK(named.st_mode)) { /* a server goes by the link's own time */
        (void)utimensat(s->blobs_fd, name, NULL, AT_SYMLINK_NOFOLLOW);
        return;
    }
    fd = file_open(p->store.fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &ignored);
    if (fd >= 0 && fstat(fd, &st) == 0 && ollama_holds(p, d, &st) && futimens(fd, NULL) == 0 &&
        fstat(fd, &st) == 0) {
        ollama_record(p, d, &st);
        if (ollama_flush(p, &ignored) < 0)
            return; /* tried again when the place is closed */
    }
}

static void list(const struct layout_place *p, const char *path)
{
    struct err ignored = {0};
    FD_SCOPED fd = file_open(p->store.fd, path, O_RDONLY | O_DIRECTORY, 0, &ignored);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (dir == NULL)
        return;
    (void)fd_take(&fd);
    while (readdir(dir) != NULL)
        ;
    (void)closedir(dir);
}

/*
 * A network filesystem goes on for a while to say that a name is not there that it has said so of
 * before, and another host may have published it since. Opening a folder and listing it bring its
 * names up to date. For blobs that are worth it.
 */
static int look_anew(bool *ret_there, struct stat *st, const struct layout_place *p,
                     const struct model_file *file, struct err *err)
{
    if (p->config->read_only || p->store.fd < 0 || file->size <= STAGING_SMALL_BYTES ||
        volume_is_local(p->store.fd))
        return 0;
    list(p, ".");
    list(p, "blobs");
    return ollama_blob_stat(ret_there, st, p, &file->digest, err);
}

int ollama_find(struct blob_found *out, struct layout_place *p, const struct model_file *file,
                struct err *err)
{
    struct blob_found found = {.fd = -1, .where = path_of(p, &file->digest)};
    struct err closed = {0};
    FD_SCOPED fd = -1;
    struct stat st;
    bool there;

    if (file->digest.kind != DIGEST_SHA256)
        return err_set(err, ERR_LIMIT, "%s: %s is named by no sha256", p->shown, file->path);
    if (ollama_blob_stat(&there, &st, p, &file->digest, err) < 0)
        return -1;
    if (!there && look_anew(&there, &st, p, file, err) < 0)
        return -1;
    if (there && (uint64_t)st.st_size == file->size) {
        if (ollama_holds(p, &file->digest, &st)) {
            found.state = BLOB_VERIFIED;
            ollama_touch(p, &file->digest);
        } else {
            fd = file_open(p->store.fd, found.where, O_RDONLY | O_NONBLOCK, 0, &closed);
        }
        /* Who may not read it cannot use it either: it is fetched again, and replaced. */
        if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == file->size) {
            found.state = BLOB_UNVERIFIED;
            found.st = st;
            found.fd = fd_take(&fd);
        }
    }
    *out = found;
    return 0;
}

int ollama_take(struct layout_place *p, const struct model_file *file,
                const struct blob_found *found, struct err *err)
{
    /*
     * Who wrote it may not have synced it: what was hashed was in memory, and a power cut could
     * still take the bytes and leave the size, and our record, which says that they are right.
     */
    if (folder_sync(p, found->fd, err) < 0)
        return -1;
    ollama_record(p, &file->digest, &found->st);
    ollama_touch(p, &file->digest);
    return ollama_flush(p, err);
}
