/* Opening what lies beneath a directory, and nothing else, whoever plants links there meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "sys/fd.h"
#include "sys/file.h"

/* RESOLVE_BENEATH gives EAGAIN when a rename elsewhere races with the lookup of "..". */
#define OPEN_ATTEMPTS 128

static int open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd = -1;

    for (int i = 0; i < OPEN_ATTEMPTS; i++) {
        fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return (int)fd;
}

/*
 * Takes the next segment of *path into name, which has room for NAME_MAX and a NUL. 1 if there was
 * one, 0 at the end, -1 with errno if it may not be walked.
 */
static int next_segment(const char **path, char name[static NAME_MAX + 1])
{
    const char *p = *path;
    size_t len;

    for (;;) {
        p += strspn(p, "/");
        len = strcspn(p, "/");
        if (len != 1 || p[0] != '.')
            break;
        p += len;
    }
    if (len == 0)
        return 0;
    if (len > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (len == 2 && p[0] == '.' && p[1] == '.') {
        errno = EXDEV;
        return -1;
    }
    memcpy(name, p, len);
    name[len] = '\0';
    *path = p + len;
    return 1;
}

/* What openat2 does, for kernels and containers without it; no link is followed at all. */
static int open_walking(int dirfd, const char *path, int flags, mode_t mode)
{
    FD_SCOPED at = -1;
    char name[NAME_MAX + 1];
    char next[NAME_MAX + 1];
    int more;

    if (path[0] == '\0' || path[0] == '/') {
        errno = path[0] == '/' ? EXDEV : ENOENT;
        return -1;
    }
    more = next_segment(&path, name);
    if (more <= 0)
        return more < 0 ? -1 : openat(dirfd, ".", flags, mode);
    while ((more = next_segment(&path, next)) > 0) {
        int fd = openat(at < 0 ? dirfd : at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            return -1;
        fd_close(&at);
        at = fd;
        memcpy(name, next, sizeof(name));
    }
    return more < 0 ? -1 : openat(at < 0 ? dirfd : at, name, flags | O_NOFOLLOW, mode);
}

int file_open(int dirfd, const char *path, int flags, mode_t mode, struct err *err)
{
    int fd;

    /* openat2 refuses flags that mean nothing. */
    flags |= O_CLOEXEC | ((flags & O_PATH) != 0 ? 0 : O_NOCTTY);
    if ((flags & O_CREAT) == 0 && (flags & O_TMPFILE) != O_TMPFILE)
        mode = 0; /* and such a mode */
    fd = open_beneath(dirfd, path, flags, mode);
    /* EPERM may be a filter or the file's own: the walk tells, and gives the same answer then. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = open_walking(dirfd, path, flags, mode);
    if (fd >= 0)
        return fd;
    if (errno != EXDEV)
        return file_err(err, "%s", path);
    (void)err_set(err, ERR_LIMIT, "%s leads out of its directory", path);
    err->sys = EXDEV;
    return err_hint(err, "look who made the link; remove it, and pull again");
}

int file_open_dir(int dirfd, const char *path, struct err *err)
{
    return file_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0, err);
}

int file_open_parent(const char **ret_name, int dirfd, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX];
    size_t len;

    *ret_name = slash == NULL ? path : slash + 1;
    if (slash == NULL)
        return file_open_dir(dirfd, ".", err);
    len = (size_t)(slash - path);
    if (len >= sizeof(parent)) {
        errno = ENAMETOOLONG;
        return file_err(err, "%s", path);
    }
    memcpy(parent, path, len);
    parent[len] = '\0';
    return file_open_dir(dirfd, parent, err);
}

/* Reads fd to its end into memory that starts with cap bytes and grows to limit. */
