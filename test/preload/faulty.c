/*
 * A disk that fails: the n-th call of a kind on files beneath a directory gives an error, or is the
 * last thing its process does. To be preloaded; conftest.py sets the environment it reads:
 *
 *     FAULTY_BENEATH  the directory; other files are left alone
 *     FAULTY_KIND     letters: w write, s space (fallocate, ftruncate), y sync, n names (rename,
 *                     link, symlink, mkdir), l link alone, k symlink alone, c creating a file,
 *                     u unlink (rmdir too), m mode (fchmod, fchown)
 *     FAULTY_NTH      which call of these kinds fails, from 1; 0: none
 *     FAULTY_AFTER    1: all later ones fail too, as on a full disk
 *     FAULTY_ERRNO    the error's number; 0: the call is done, and then the process is killed
 *     FAULTY_LOG      gets one line for each call of these kinds: its name and the file
 *
 * All threads of one process share the count; its children count anew.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/openat2.h>

static atomic_int calls;

/* The next system call of this thread is the last one of its process. */
static _Thread_local bool doomed;

/* The C library's own syscall(2): ours, below, looks at it first. */
static long raw(long call, ...)
{
    static _Atomic(long (*)(long, ...)) known;
    long (*next)(long, ...) = atomic_load(&known);
    long args[6];
    long result;
    va_list ap;

    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "syscall");
        atomic_store(&known, next);
    }
    va_start(ap, call);
    for (int i = 0; i < 6; i++)
        args[i] = va_arg(ap, long);
    va_end(ap);
    result = next(call, args[0], args[1], args[2], args[3], args[4], args[5]);
    if (doomed)
        (void)kill(getpid(), SIGKILL);
    return result;
}

static int number(const char *name)
{
    const char *text = getenv(name);
    int n = 0;

    for (; text != NULL && *text >= '0' && *text <= '9'; text++)
        n = n * 10 + (*text - '0');
    return n;
}

/* Where fd leads to, or the name at it; the empty string when that cannot be told. */
static void path_of(int fd, const char *name, char path[static PATH_MAX])
{
    char link[64];
    ssize_t len = 0;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (name == NULL || name[0] != '/')
        len = raw(SYS_readlinkat, AT_FDCWD, fd == AT_FDCWD ? "/proc/self/cwd" : link, path,
                  PATH_MAX - 1);
    len = len < 0 ? 0 : len;
    path[len] = '\0';
    if (name != NULL)
        (void)snprintf(path + len, (size_t)(PATH_MAX - len), "%s%s", len > 0 ? "/" : "", name);
}

static void note(const char *call, const char *path, bool fails)
{
    const char *log = getenv("FAULTY_LOG");
    char line[PATH_MAX + 64];
    int len = snprintf(line, sizeof(line), "%s %s%s\n", call, path, fails ? " FAILS" : "");
    long fd;

    if (log == NULL)
        return;
    fd = raw(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    (void)raw(SYS_write, (int)fd, line, (size_t)len);
    (void)raw(SYS_close, (int)fd);
}

/* True when this call is to fail; errno is set then. Else errno is as it was. */
static bool strikes(const char *kind, const char *call, int fd, const char *name)
{
    const char *beneath = getenv("FAULTY_BENEATH");
    const char *kinds = getenv("FAULTY_KIND");
    int saved = errno;
    int nth = number("FAULTY_NTH");
    char path[PATH_MAX];
    bool fails;
    int n;

    if (beneath == NULL || kinds == NULL || strpbrk(kinds, kind) == NULL)
        return false;
    path_of(fd, name, path);
    errno = saved;
    if (strncmp(path, beneath, strlen(beneath)) != 0)
        return false;
    n = atomic_fetch_add(&calls, 1) + 1;
    fails = nth > 0 && (n == nth || (n > nth && number("FAULTY_AFTER") == 1));
    note(call, path, fails);
    errno = fails ? number("FAULTY_ERRNO") : saved;
    doomed = fails && errno == 0;
    return fails && !doomed;
}

ssize_t write(int fd, const void *data, size_t len)
{
    return strikes("w", "write", fd, NULL) ? -1 : raw(SYS_write, fd, data, len);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    return strikes("w", "writev", fd, NULL) ? -1 : raw(SYS_writev, fd, pieces, count);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    return strikes("w", "pwrite", fd, NULL) ? -1 : raw(SYS_pwrite64, fd, data, len, offset);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    return strikes("w", "pwritev", fd, NULL) ? -1 : raw(SYS_pwritev, fd, pieces, count, offset, 0L);
}

ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    return strikes("w", "pwritev2", fd, NULL)
               ? -1
               : raw(SYS_pwritev2, fd, pieces, count, offset, 0L, flags);
}

ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags)
{
    return strikes("w", "copy_file_range", to, NULL)
               ? -1
               : raw(SYS_copy_file_range, from, from_at, to, to_at, len, flags);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    return strikes("s", "fallocate", fd, NULL) ? -1
                                               : (int)raw(SYS_fallocate, fd, mode, offset, len);
}

int ftruncate(int fd, off_t len)
{
    return strikes("s", "ftruncate", fd, NULL) ? -1 : (int)raw(SYS_ftruncate, fd, len);
}

int fsync(int fd)
{
    return strikes("y", "fsync", fd, NULL) ? -1 : (int)raw(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return strikes("y", "fdatasync", fd, NULL) ? -1 : (int)raw(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
    return strikes("y", "syncfs", fd, NULL) ? -1 : (int)raw(SYS_syncfs, fd);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return strikes("n", "renameat", to_fd, to)
               ? -1
               : (int)raw(SYS_renameat2, from_fd, from, to_fd, to, 0U);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return strikes("n", "renameat2", to_fd, to)
               ? -1
               : (int)raw(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    return strikes("nl", "linkat", to_fd, to)
               ? -1
               : (int)raw(SYS_linkat, from_fd, from, to_fd, to, flags);
}

int symlinkat(const char *target, int fd, const char *name)
{
    return strikes("nk", "symlinkat", fd, name) ? -1 : (int)raw(SYS_symlinkat, target, fd, name);
}

int mkdirat(int fd, const char *name, mode_t mode)
{
    return strikes("n", "mkdirat", fd, name) ? -1 : (int)raw(SYS_mkdirat, fd, name, mode);
}

int rename(const char *from, const char *to)
{
    return strikes("n", "rename", AT_FDCWD, to)
               ? -1
               : (int)raw(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0U);
}

int link(const char *from, const char *to)
{
    return strikes("nl", "link", AT_FDCWD, to)
               ? -1
               : (int)raw(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int symlink(const char *target, const char *name)
{
    return strikes("nk", "symlink", AT_FDCWD, name)
               ? -1
               : (int)raw(SYS_symlinkat, target, AT_FDCWD, name);
}

int mkdir(const char *name, mode_t mode)
{
    return strikes("n", "mkdir", AT_FDCWD, name) ? -1 : (int)raw(SYS_mkdirat, AT_FDCWD, name, mode);
}

int unlinkat(int fd, const char *name, int flags)
{
    return strikes("u", "unlinkat", fd, name) ? -1 : (int)raw(SYS_unlinkat, fd, name, flags);
}

int unlink(const char *name)
{
    return strikes("u", "unlink", AT_FDCWD, name) ? -1 : (int)raw(SYS_unlinkat, AT_FDCWD, name, 0);
}

int rmdir(const char *name)
{
    return strikes("u", "rmdir", AT_FDCWD, name)
               ? -1
               : (int)raw(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR);
}

int fchmod(int fd, mode_t mode)
{
    return strikes("m", "fchmod", fd, NULL) ? -1 : (int)raw(SYS_fchmod, fd, mode);
}

int fchown(int fd, uid_t owner, gid_t group)
{
    return strikes("m", "fchown", fd, NULL) ? -1 : (int)raw(SYS_fchown, fd, owner, group);
}

/* Creating a file. What opens an existing one, or a directory, is left alone. */
static bool create_strikes(const char *call, int fd, const char *name, int flags)
{
    return (flags & O_CREAT) != 0 && strikes("c", call, fd, name);
}

int openat(int fd, const char *name, int flags, ...)
{
    mode_t mode;
    va_list ap;

    va_start(ap, flags);
    mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return create_strikes("openat", fd, name, flags) ? -1
                                                     : (int)raw(SYS_openat, fd, name, flags, mode);
}

int open(const char *name, int flags, ...)
{
    mode_t mode;
    va_list ap;

    va_start(ap, flags);
    mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return create_strikes("open", AT_FDCWD, name, flags)
               ? -1
               : (int)raw(SYS_openat, AT_FDCWD, name, flags, mode);
}

/* openat2(2) has no function of its own. */
long syscall(long call, ...)
{
    long args[6];
    va_list ap;

    va_start(ap, call);
    for (int i = 0; i < 6; i++)
        args[i] = va_arg(ap, long);
    va_end(ap);
    if (call == SYS_openat2) {
        const struct open_how *how = (const struct open_how *)args[2];

        if (create_strikes("openat2", (int)args[0], (const char *)args[1], (int)how->flags))
            return -1;
    }
    return raw(call, args[0], args[1], args[2], args[3], args[4], args[5]);
}
