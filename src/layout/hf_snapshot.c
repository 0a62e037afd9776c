#include "layout/hf_snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layout/folder.h"
#include "layout/hf_fold.h"
#include "layout/hf_pointer.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"
#include "sys/stop.h"
#include "text/relpath.h"

#define BUILD_PREFIX "snapshot-"
#define BUILD_NAME   BUILD_PREFIX "0123456789abcdef"
#define BUILD_TRIES  3

/* A sweep takes a moment. */
#define SHARE_TRIES    50
#define SHARE_AGAIN_MS 20

#define DEPTH_MAX (RELPATH_MAX / 2)

/* Where the walk through a snapshot's names is: files come sorted, so a folder is opened once. */
struct walk {
    struct hf_seat at; /* in parent; fd is -1 before the first */
    int root_fd;
    struct str parent;
};

/* ---- folders ---- */

/* One step down; a folder that had to be made is synced into its parent. */
static int step(int *fd, const struct layout_place *p, const char *name, struct err *err)
{
    FD_SCOPED at = fd_take(fd);

    if (folder_open(fd, p, at, name, false, err) < 0)
        return -1;
    if (*fd >= 0)
        return 0;
    if (folder_open(fd, p, at, name, true, err) < 0)
        return -1;
    return folder_sync(p, at, err);
}

int hf_open_parents(int *ret_fd, const struct layout_place *p, int dirfd, struct str path,
                    struct err *err)
{
    FD_SCOPED fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct str rest = path;

    if (fd < 0)
        return file_err(err, "%s", p->shown);
    while (rest.len > 0) {
        struct str segment;

        (void)str_cut(&rest, '/', &segment);
        if (step(&fd, p, str_dup(p->arena, segment), err) < 0)
            return -1;
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

static int leave(struct walk *w, struct err *err)
{
    FD_SCOPED fd = fd_take(&w->at.fd);

    return fd < 0 ? 0 : folder_sync(w->at.p, fd, err);
}

/* Goes to the folder of path; *ret_name is its last segment. */
static int enter(const char **ret_name, struct walk *w, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    struct str parent = {path, slash == NULL ? 0 : (size_t)(slash - path)};

    *ret_name = slash == NULL ? path : slash + 1;
    if (w->at.fd >= 0 && str_eq(parent, w->parent))
        return 0;
    if (leave(w, err) < 0 || hf_open_parents(&w->at.fd, w->at.p, w->root_fd, parent, err) < 0)
        return -1;
    w->parent = parent;
    w->at.depth = parent.len == 0 ? 0 : 1;
    for (size_t i = 0; i < parent.len; i++)
        w->at.depth += parent.ptr[i] == '/' ? 1 : 0;
    return 0;
}

/* ---- names ---- */

/* Makes name lead to its bytes, unless it does. */
static int ensure(const struct walk *w, const char *name, const struct model_file *file,
                  struct err *err)
{
    struct stat st;

    if (fstatat(w->at.fd, name, &st, 0) == 0 &&
        hf_holds_at(w->at.p, file, str_format(w->at.p->arena, "%s/%s", w->at.m->commit, file->path),
                    &st))
        return 0;
    if (fstatat(w->at.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return folder_hostile(err, w->at.p,
                              str_format(w->at.p->arena, "%s/snapshots/%s/%s",
                                         hf_state(w->at.p)->name, w->at.m->commit, file->path),
                              "is a directory, where a file belongs");
    return hf_pointer_put(&w->at, name, file, err);
}

static int fill(const struct layout_place *p, const struct manifest *m, int root_fd,
                struct err *err)
{
    struct walk w = {.at = {.p = p, .m = m, .fd = -1}, .root_fd = root_fd};
    int rc = 0;

    for (size_t i = 0; i < m->file_count && rc == 0; i++) {
        const char *name;

        if (!m->files[i].wanted)
            continue;
        rc = enter(&name, &w, m->files[i].path, err);
        if (rc == 0)
            rc = ensure(&w, name, &m->files[i], err);
    }
    if (rc < 0) {
        fd_close(&w.at.fd);
        return -1;
    }
    return leave(&w, err);
}

/* ---- the whole ---- */

/* Removes name and all beneath it; no link is followed. What cannot be removed stays. */
static void remove_tree(int dirfd, const char *name, unsigned depth)
{
    const struct dirent *entry;
    DIR *dir;
    int fd;

    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT || depth == 0)
        return;
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    dir = fdopendir(fd);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(fd, entry->d_name, depth - 1);
    }
    if (dir == NULL)
        (void)close(fd);
    else
        (void)closedir(dir);
    (void)unlinkat(dirfd, name, AT_REMOVEDIR);
}

/* Of ours, or what file_replace() was killed over. */
static bool is_leftover(const char *name)
{
    static const char *const prefixes[] = {BUILD_PREFIX, HF_POINTER_TEMP, "duplicate-", "tmp-"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

static void sweep(const struct layout_place *p)
{
    int fd = openat(p->staging_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_leftover(entry->d_name))
            remove_tree(p->staging_fd, entry->d_name, DEPTH_MAX);
    }
    if (dir != NULL)
        (void)closedir(dir);
    else
        fd_close(&fd);
}

void hf_snapshot_begin(const struct layout_place *p)
{
    struct hf_place *s = hf_state(p);

    if (s->begun)
        return;
    s->begun = true;
    if (flock(p->staging_fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        sweep(p);
    for (int i = 0; i < SHARE_TRIES; i++) {
        if (flock(p->staging_fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
            return;
        (void)stop_wait_ms(SHARE_AGAIN_MS); /* somebody sweeps at this moment */
    }
}

/* An empty folder in the staging directory, and its name there. */
static int open_build(int *ret_fd, char name[static sizeof(BUILD_NAME)],
                      const struct layout_place *p, struct err *err)
{
    memcpy(name, BUILD_NAME, sizeof(BUILD_NAME));
    file_random_hex(name + strlen(BUILD_PREFIX), 16);
    return folder_open(ret_fd, p, p->staging_fd, name, true, err);
}

/* Builds it beside and renames it; *ret_there: somebody else has just made one. */
static int build(bool *ret_there, const struct layout_place *p, const struct manifest *m,
                 struct err *err)
{
    char name[sizeof(BUILD_NAME)];
    FD_SCOPED fd = -1;

    *ret_there = false;
    if (open_build(&fd, name, p, err) < 0)
        return -1;
    if (fill(p, m, fd, err) < 0 || folder_sync(p, fd, err) < 0) {
        remove_tree(p->staging_fd, name, DEPTH_MAX);
        return -1;
    }
    if (renameat(p->staging_fd, name, hf_state(p)->snapshots_fd, m->commit) == 0)
        return 0;
    *ret_there = errno == ENOTEMPTY || errno == EEXIST;
    if (!*ret_there)
        (void)file_err(err, "%s/snapshots/%s", p->shown, m->commit);
    remove_tree(p->staging_fd, name, DEPTH_MAX);
    return *ret_there ? 0 : -1;
}

/* Before anything is seen: does the filesystem tell all names apart? */
static int try_names(bool *ret_there, const struct layout_place *p, const struct manifest *m,
                     struct err *err)
{
    char name[sizeof(BUILD_NAME)];
    FD_SCOPED fd = -1;
    int rc;

    *ret_there = false;
    if (open_build(&fd, name, p, err) < 0)
        return -1;
    rc = hf_fold_try(p, m, fd, err);
    remove_tree(p->staging_fd, name, DEPTH_MAX);
    return rc;
}

typedef int build_step(bool *ret_there, const struct layout_place *p, const struct manifest *m,
                       struct err *err);

/* Where flock tells nothing, a second holder of the lease may sweep ours away: then once more. */
static int patiently(build_step *attempt, bool *ret_there, const struct layout_place *p,
                     const struct manifest *m, struct err *err)
{
    for (int i = 0;; i++) {
        struct err why = {0};

        if (attempt(ret_there, p, m, &why) == 0)
            return 0;
        if (why.sys == ENOENT && i < BUILD_TRIES)
            continue;
        *err = why;
        return -1;
    }
}

int hf_snapshot_publish(const struct layout_place *p, const struct manifest *m, struct err *err)
{
    struct hf_place *s = hf_state(p);
    bool there = true;
    bool ignored;
    FD_SCOPED fd = -1;

    if (folder_open(&fd, p, s->snapshots_fd, m->commit, false, err) < 0)
        return -1;
    if (hf_fold_possible(m) && patiently(try_names, &ignored, p, m, err) < 0)
        return -1;
    if (fd < 0 && hf_pointer_choose(p, err) < 0)
        return -1;
    if (fd < 0 && s->pointer != HF_POINTER_FILE && patiently(build, &there, p, m, err) < 0)
        return -1;
    /* A blob that moves is in place at once: a run that is killed must not lose it. */
    if (there && fd < 0 && folder_open(&fd, p, s->snapshots_fd, m->commit, true, err) < 0)
        return -1;
    s->commits = (struct hf_names){0}; /* one more than there were */
    if (there && (fill(p, m, fd, err) < 0 || folder_sync(p, fd, err) < 0))
        return -1;
    return folder_sync(p, s->snapshots_fd, err);
}

bool hf_snapshot_complete(const struct layout_place *p, const struct manifest *m)
{
    const struct hf_place *s = hf_state(p);
    FD_SCOPED fd = -1;
    struct stat st;

    if (s->snapshots_fd < 0)
        return false;
    fd = openat(s->snapshots_fd, m->commit, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *file = &m->files[i];

        if (!file->wanted)
            continue;
        if (fstatat(fd, file->path, &st, 0) < 0)
            return false;
        if (hf_holds(p, &file->digest, &st))
            continue;
        if (!hf_holds_at(p, file, str_format(p->arena, "%s/%s", m->commit, file->path), &st))
            return false;
    }
    return true;
}

bool hf_snapshot_is_plain(const struct layout_place *p, const struct manifest *m)
{
    const struct hf_place *s = hf_state(p);
    char path[RELPATH_MAX + 64];
    struct stat st;

    for (size_t i = 0; i < m->file_count; i++) {
        if (!m->files[i].wanted)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", m->commit, m->files[i].path);
        return fstatat(s->snapshots_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
    }
    return false;
}
