#include "transfer/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x00000080
#endif

#define PAGE        4096
#define SMALL_BYTES ((uint64_t)8 << 20)

void out_init(struct out *o, int fd, uint64_t size)
{
    *o = (struct out){
        .fd = fd, .direct_fd = -1, .way = size < SMALL_BYTES ? OUT_PLAIN : OUT_UNCACHED};
}

/* The next way, when RWF_DONTCACHE is not known here. */
static void leave_uncached(struct out *o)
{
    struct statfs fs;
    char path[64];

    o->way = OUT_PLAIN;
    if (fstatfs(o->fd, &fs) < 0 || (fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != XFS_SUPER_MAGIC))
        return;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", o->fd);
    o->direct_fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    if (o->direct_fd >= 0)
        o->way = OUT_DIRECT;
}

static bool on_pages(const struct iovec *iov, int n, off_t offset)
{
    bool all = offset % PAGE == 0;

    for (int i = 0; i < n; i++)
        all = all && (uintptr_t)iov[i].iov_base % PAGE == 0 && iov[i].iov_len % PAGE == 0;
    return all;
}

static bool not_supported(int sys)
{
    return sys == EOPNOTSUPP || sys == EINVAL || sys == ENOSYS;
}

/* One system call by the present way. */
static ssize_t write_once(struct out *o, const struct iovec *iov, int n, off_t offset)
{
    ssize_t wrote;

    if (o->way == OUT_UNCACHED) {
        wrote = pwritev2(o->fd, iov, n, offset, RWF_DONTCACHE);
        if (wrote >= 0 || !not_supported(errno))
            return wrote;
        leave_uncached(o);
    }
    if (o->way == OUT_DIRECT && on_pages(iov, n, offset)) {
        wrote = pwritev2(o->direct_fd, iov, n, offset, 0);
        if (wrote >= 0 || !not_supported(errno))
            return wrote;
        o->way = OUT_PLAIN;
    }
    return pwritev2(o->fd, iov, n, offset, 0);
}

int out_write(struct out *o, struct iovec *iov, int n, off_t offset, bool keep)
{
    ssize_t wrote;

    while (n > 0) {
        wrote = keep ? pwritev2(o->fd, iov, n, offset, 0) : write_once(o, iov, n, offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return -1;
        offset += wrote;
        while (n > 0 && (size_t)wrote >= iov->iov_len) {
            wrote -= (ssize_t)iov->iov_len;
            iov++;
            n--;
        }
        if (n > 0) {
            iov->iov_base = (char *)iov->iov_base + wrote;
            iov->iov_len -= (size_t)wrote;
        }
    }
    return 0;
}

void out_done(struct out *o)
{
    if (o->direct_fd >= 0)
        (void)close(o->direct_fd);
    o->direct_fd = -1;
}
