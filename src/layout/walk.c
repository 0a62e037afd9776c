#include "layout/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys/fd.h"
#include "sys/file.h"

/* One walk: the path so far, which grows and shrinks with the depth. */
struct walking {
    const struct walk *w;
    char path[WALK_PATH_MAX];
    size_t len;
    bool over; /* the limit of entries was passed, and told */
};

static void tell(const struct walking *k, const struct err *err)
{
    k->w->trouble(k->w->ctx, k->path, err);
}

/* From errno. A folder that was taken away, or is none, or is a link, is nobody's trouble. */
static void refused(const struct walking *k)
{
    struct err err = {0};

    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EXDEV)
        return;
    (void)file_err(&err, "cannot be listed");
    tell(k, &err);
}

static bool within_limit(struct walking *k)
{
    struct err err = {0};

    if (*k->w->left > 0) {
        (*k->w->left)--;
        return true;
    }
    if (!k->over) {
        (void)err_set(&err, ERR_LIMIT, "there are too many files, the rest is not listed");
        (void)err_hint(&err, "look who made them");
        tell(k, &err);
    }
    k->over = true;
    return false;
}

static mode_t type_of(int dirfd, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return (mode_t)DTTOIF(entry->d_type);
    return fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode & S_IFMT;
}

/* Makes the path that of an entry; false, and told, if it is too long. */
static bool go_down(struct walking *k, const char *name)
{
    size_t len = strlen(name);
    struct err err = {0};

    if (k->len + len + 2 > sizeof(k->path)) {
        (void)err_set(&err, ERR_LIMIT, "a path in it is longer than %zu bytes", WALK_PATH_MAX);
        (void)err_hint(&err, "look who made it");
        tell(k, &err);
        return false;
    }
    if (k->len > 0)
        k->path[k->len++] = '/';
    memcpy(k->path + k->len, name, len + 1);
    k->len += len;
    return true;
}

static void go_up(struct walking *k, size_t len)
{
    k->len = len;
    k->path[len] = '\0';
}

static void walk_in(struct walking *k, int fd, unsigned depth);

static void look_at(struct walking *k, int dirfd, const struct dirent *entry, unsigned depth)
{
    size_t len = k->len;
    mode_t type = type_of(dirfd, entry);

    if (type == 0 || !go_down(k, entry->d_name))
        return;
    if (type == S_IFDIR && depth < k->w->depth)
        walk_in(k, openat(dirfd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                depth + 1);
    else
        k->w->entry(k->w->ctx, &(struct walk_entry){.dirfd = dirfd,
                                                    .name = entry->d_name,
                                                    .path = k->path,
                                                    .depth = depth,
                                                    .type = type});
    go_up(k, len);
}

/* fd is closed; -1: by errno. Recursion ends at the depth that was asked for. */
static void walk_in(struct walking *k, int fd, unsigned depth)
{
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (dir == NULL) {
        refused(k);
        fd_close(&fd);
        return;
    }
    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!within_limit(k))
            break;
        look_at(k, fd, entry, depth);
        errno = 0;
    }
    if (entry == NULL && errno != 0)
        refused(k);
    (void)closedir(dir);
}

void walk_folder(const struct walk *w, int dirfd, const char *name)
{
    struct walking k = {.w = w};
    struct err why = {0};
    int fd = file_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &why);

    errno = why.sys;
    walk_in(&k, fd, 0);
}
