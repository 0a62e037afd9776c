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
#include <unistd.h>

#include "sys/fd.h"

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

void file_to_parent(char *path)
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len == 0)
        path[len++] = path[0] == '/' ? '/' : '.';
    path[len] = '\0';
}
