/*
 * System calls that answer as a test wants. A program that includes this defines them itself, so
 * the library linked into it calls these and not the C library's.
 */
#ifndef TEST_STORE_FAKES_H
#define TEST_STORE_FAKES_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys/flock.h"

/* An errno each; 0: as ever. */
struct fakes {
    int symlinkat;
    int linkat;
    bool linkat_done; /* it fails, but has been done: an answer that was lost */
    int renameat;
    bool renameat_done;
    int renameat2;
    int fallocate;
    int fdatasync;
    int syncfs;
    int copy_file_range;
    int pread;
    int pwrite;
    bool pwrite_short; /* one byte less than asked */
    int ftruncate;
    int mkdirat;
    long filesystem;     /* f_type of all; 0: as it is */
    unsigned long mount; /* flags of statvfs that are added */
    int statvfs;
    int dup;                       /* fcntl(F_DUPFD_CLOEXEC) */
    bool flock_lies;               /* it succeeds for everybody */
    int flock_busy;                /* so many times somebody else has it */
    unsigned syncs;                /* counted */
    void (*before_cut)(void *ctx); /* called before each ftruncate */
    void *cut_ctx;
};

static struct fakes fakes;

/* SCRATCH_TEST resets them after each test. */
#define SCRATCH_AFTER (fakes = (struct fakes){0})

static inline int fakes_answer(int code)
{
    errno = code;
    return -1;
}

int symlinkat(const char *target, int fd, const char *name)
{
    return fakes.symlinkat == 0 ? (int)syscall(SYS_symlinkat, target, fd, name)
                                : fakes_answer(fakes.symlinkat);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    int result = 0;

    if (fakes.linkat == 0 || fakes.linkat_done)
        result = (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
    return fakes.linkat == 0 ? result : fakes_answer(fakes.linkat);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    int result = 0;

    if (fakes.renameat == 0 || fakes.renameat_done)
        result = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0U);
    return fakes.renameat == 0 ? result : fakes_answer(fakes.renameat);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return fakes.renameat2 == 0 ? (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags)
                                : fakes_answer(fakes.renameat2);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    return fakes.fallocate == 0 ? (int)syscall(SYS_fallocate, fd, mode, offset, len)
                                : fakes_answer(fakes.fallocate);
}

int fdatasync(int fd)
{
    fakes.syncs++;
    return fakes.fdatasync == 0 ? (int)syscall(SYS_fdatasync, fd) : fakes_answer(fakes.fdatasync);
}

int syncfs(int fd)
{
    return fakes.syncfs == 0 ? (int)syscall(SYS_syncfs, fd) : fakes_answer(fakes.syncfs);
}

ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags)
{
    return fakes.copy_file_range == 0
               ? syscall(SYS_copy_file_range, from, from_at, to, to_at, len, flags)
               : fakes_answer(fakes.copy_file_range);
}

ssize_t pread(int fd, void *buffer, size_t len, off_t offset)
{
    return fakes.pread == 0 ? syscall(SYS_pread64, fd, buffer, len, offset)
                            : fakes_answer(fakes.pread);
}

ssize_t pwrite(int fd, const void *buffer, size_t len, off_t offset)
{
    return fakes.pwrite == 0
               ? syscall(SYS_pwrite64, fd, buffer, fakes.pwrite_short ? len - 1 : len, offset)
               : fakes_answer(fakes.pwrite);
}

int ftruncate(int fd, off_t len)
{
    if (fakes.before_cut != NULL)
        fakes.before_cut(fakes.cut_ctx);
    return fakes.ftruncate == 0 ? (int)syscall(SYS_ftruncate, fd, len)
                                : fakes_answer(fakes.ftruncate);
}

int fcntl(int fd, int command, ...)
{
    long arg;
    va_list ap;

    va_start(ap, command);
    arg = va_arg(ap, long);
    va_end(ap);
    if (command == F_DUPFD_CLOEXEC && fakes.dup != 0)
        return fakes_answer(fakes.dup);
    return (int)syscall(SYS_fcntl, fd, command, arg);
}

int mkdirat(int fd, const char *name, mode_t mode)
{
    return fakes.mkdirat == 0 ? (int)syscall(SYS_mkdirat, fd, name, mode)
                              : fakes_answer(fakes.mkdirat);
}

int fstatfs(int fd, struct statfs *out)
{
    int result = (int)syscall(SYS_fstatfs, fd, out);

    if (result == 0 && fakes.filesystem != 0)
        out->f_type = fakes.filesystem;
    return result;
}

int fstatvfs(int fd, struct statvfs *out)
{
    struct statfs fs;

    if (fakes.statvfs != 0)
        return fakes_answer(fakes.statvfs);
    if (syscall(SYS_fstatfs, fd, &fs) < 0)
        return -1;
    *out = (struct statvfs){.f_bavail = fs.f_bavail,
                            .f_blocks = fs.f_blocks,
                            .f_frsize = (unsigned long)fs.f_bsize,
                            .f_flag = fakes.mount};
    return 0;
}

int flock(int fd, int operation)
{
    if (fakes.flock_busy > 0) {
        fakes.flock_busy--;
        errno = EWOULDBLOCK;
        return -1;
    }
    return fakes.flock_lies ? 0 : (int)syscall(SYS_flock, fd, operation);
}

#endif
