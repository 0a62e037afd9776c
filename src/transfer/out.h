/*
 * Where a staging file's bytes go: past the page cache by the first way that works here, because
 * new pages of the cache cost several times the write itself. RWF_DONTCACHE (Linux 6.14) takes
 * anything; O_DIRECT, on filesystems known to be good at it, takes whole pages; plain writing takes
 * the rest, and small files, which are read soon.
 *
 * The descriptor stays the caller's. One thread at a time.
 */
#ifndef TRANSFER_OUT_H
#define TRANSFER_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum out_way { OUT_UNCACHED, OUT_DIRECT, OUT_PLAIN };

struct out {
    int fd;
    int direct_fd; /* the same file by O_DIRECT, or -1 */
    enum out_way way;
};

void out_init(struct out *o, int fd, uint64_t size);

/*
 * Writes all of iov (which is used up) at offset. 0, or -1 with errno. Data that starts and ends on
 * pages, in memory too, goes the fastest way. keep: it will be read back, so it shall stay in the
 * page cache for a while.
 */
int out_write(struct out *o, struct iovec *iov, int n, off_t offset, bool keep);

void out_done(struct out *o);

#endif
