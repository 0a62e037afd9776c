#include "sys/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "sys/fd.h"

/* RESOLVE_BENEATH gives EAGAIN when a rename elsewhere races with the lookup of "..". */
#define OPEN_ATTEMPTS 128

#define READ_FIRST ((size_t)4096)

int file_err(struct err *err, const char *fmt, ...)
{
    int sys = errno;
    char what[sizeof(err->msg)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    errno = sys;
    (void)err_sys(err, sys == ENOSPC || sys == EDQUOT ? ERR_NO_SPACE : ERR_VOLUME, "%s", what);
    if (sys == EROFS)
        return err_hint(err, "mount the volume writable");
    if (sys == EACCES || sys == EPERM)
        return err_hint(err, "let uid %u, gid %u use the volume, or run as one who may",
                        (unsigned)geteuid(), (unsigned)getegid());
    if (sys == EIO || sys == ESTALE)
        return err_hint(err, "look at the volume's disk, mount or server");
    if (sys == EMFILE || sys == ENFILE)
        return err_hint(err, "raise the limit of open files (ulimit -n)");
    if (sys == EISDIR)
        return err_hint(err, "a directory has the name of a file: look who made it, and remove it");
    if (sys == ENOTDIR || sys == ELOOP)
        return err_hint(err, "something else has the name of a directory: look who made it, and "
                             "remove it");
    if (sys == EFBIG)
        return err_hint(err, "raise the limit of a file's size (ulimit -f), or use a filesystem "
                             "that takes files as large");
    return -1;
}

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
static int read_to_end(struct str *out, struct arena *a, int fd, size_t cap, size_t limit)
{
    char *text = arena_array(a, char, cap + 1);
    size_t len = 0;

    for (;;) {
        ssize_t got = read(fd, text + len, cap - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
        if (len > limit) {
            errno = EFBIG;
            return -1;
        }
        if (len == cap) {
            char *grown = arena_array(a, char, 2 * cap + 1);

            memcpy(grown, text, len);
            text = grown;
            cap *= 2;
        }
    }
    *out = (struct str){text, len};
    return 0;
}

static int read_regular(struct str *out, struct arena *a, int fd, const char *path, size_t limit,
                        struct err *err)
{
    size_t cap = READ_FIRST; /* what files of /proc need, which have no size */
    struct stat st;

    if (fstat(fd, &st) < 0)
        return file_err(err, "stat %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_VOLUME, "%s is not a regular file", path);
    if (st.st_size > 0)
        cap = (uint64_t)st.st_size < limit ? (size_t)st.st_size + 1 : limit + 1;
    if (read_to_end(out, a, fd, cap, limit) == 0)
        return 0;
    if (errno == EFBIG)
        return err_set(err, ERR_LIMIT, "%s has more than the %zu bytes that it may have", path,
                       limit);
    return file_err(err, "read %s", path);
}

int file_read_all(struct str *out, struct arena *a, int dirfd, const char *path, size_t limit,
                  struct err *err)
{
    /* Not blocking: a FIFO planted under the name must not stop us. */
    FD_SCOPED fd = file_open(dirfd, path, O_RDONLY | O_NONBLOCK, 0, err);

    return fd < 0 ? -1 : read_regular(out, a, fd, path, limit, err);
}

int file_read_named(struct str *out, struct arena *a, const char *path, size_t limit,
                    struct err *err)
{
    FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    return fd < 0 ? file_err(err, "open %s", path) : read_regular(out, a, fd, path, limit, err);
}

int file_write_all(int fd, struct str data, const char *what, struct err *err)
{
    while (data.len > 0) {
        ssize_t written = write(fd, data.ptr, data.len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return file_err(err, "write %s", what);
        data.ptr += written;
        data.len -= (size_t)written;
    }
    return 0;
}

/* Some filesystems have nothing to sync and say so. */
static int sync_fd(int fd)
{
    if (fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == EOPNOTSUPP)
        return 0;
    return -1;
}

/* All of it on disk under name; the mode as given. */
static int write_new(int dir, const char *name, struct str data, mode_t mode, struct err *err)
{
    FD_SCOPED fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int open;

    if (fd < 0)
        return file_err(err, "create %s", name);
    (void)fchmod(fd, mode); /* refused where no modes are kept, and nothing is lost there */
    if (file_write_all(fd, data, name, err) < 0)
        return -1;
    if (sync_fd(fd) < 0)
        return file_err(err, "fsync %s", name);
    open = fd_take(&fd);
    if (close(open) < 0) /* NFS tells of a full disk here */
        return file_err(err, "close %s", name);
    return 0;
}

#define TEMP_PREFIX "tmp-"

int file_replace(int dirfd, const char *path, const char *tmpdir, struct str data, mode_t mode,
                 struct err *err)
{
    FD_SCOPED tmp = file_open_dir(dirfd, tmpdir, err);
    FD_SCOPED parent = -1;
    char unique[16 + 1];
    char temp[sizeof(TEMP_PREFIX) + sizeof(unique)];
    const char *name;

    if (tmp < 0)
        return -1;
    parent = file_open_parent(&name, dirfd, path, err);
    if (parent < 0)
        return -1;
    file_random_hex(unique, sizeof(unique) - 1);
    (void)snprintf(temp, sizeof(temp), TEMP_PREFIX "%s", unique);
    if (write_new(tmp, temp, data, mode, err) < 0) {
        (void)unlinkat(tmp, temp, 0);
        return err_wrap(err, "%s", path);
    }
    if (renameat(tmp, temp, parent, name) < 0) {
        (void)file_err(err, "rename to %s", path);
        (void)unlinkat(tmp, temp, 0);
        return -1;
    }
    if (sync_fd(parent) < 0)
        return file_err(err, "fsync the directory of %s", path);
    return 0;
}

void file_sweep(int dirfd, const char *tmpdir)
{
    struct err ignored;
    int fd = file_open_dir(dirfd, tmpdir, &ignored);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (dir == NULL) {
        fd_close(&fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)) == 0)
            (void)unlinkat(fd, entry->d_name, 0);
    }
    (void)closedir(dir);
}

int file_sync_dir(int dirfd, const char *path, struct err *err)
{
    const char *name;
    FD_SCOPED parent = file_open_parent(&name, dirfd, path, err);

    if (parent < 0)
        return -1;
    if (sync_fd(parent) < 0)
        return file_err(err, "fsync the directory of %s", path);
    return 0;
}

/* The octal number after "Umask:" in a process's status; false if there is none. */
static bool parse_umask(mode_t *out, const char *status)
{
    const char *p = strstr(status, "\nUmask:");
    mode_t mask = 0;

    if (p == NULL)
        return false;
    p += strlen("\nUmask:");
    p += strspn(p, " \t");
    if (*p < '0' || *p > '7')
        return false;
    for (; *p >= '0' && *p <= '7'; p++)
        mask = (mask << 3 | (mode_t)(*p - '0')) & 0777;
    *out = mask;
    return true;
}

mode_t file_umask(void)
{
    FD_SCOPED fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    char status[1024];
    ssize_t got = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
    mode_t mask;

    if (got > 0) {
        status[got] = '\0';
        if (parse_umask(&mask, status))
            return mask;
    }
    /* No /proc. umask(2) tells only while it changes, which is why it is not the first choice. */
    mask = umask(0777);
    (void)umask(mask);
    return mask;
}

bool file_path_of(char out[static PATH_MAX], int fd)
{
    char link[64];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, out, PATH_MAX - 1);
    out[len < 0 ? 0 : len] = '\0';
    return len > 0;
}

void file_random_hex(char *out, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n;) {
        unsigned char bytes[32];
        ssize_t got = getrandom(bytes, sizeof(bytes), 0);

        assert(got > 0 || errno == EINTR);
        for (ssize_t j = 0; j < got && i < n; j++)
            out[i++] = digits[bytes[j] & 0xf];
    }
    out[n] = '\0';
}
