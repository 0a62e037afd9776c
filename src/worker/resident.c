#include "worker/resident.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same number on every architecture; Debian 12's headers do not have it. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

#define PIECE_BYTES UINT64_C(4194304) /* that mincore() is asked about at once */
#define PAGE_LEAST  UINT64_C(4096)

struct cachestat_range {
    uint64_t offset;
    uint64_t len;
};

struct cachestat_answer {
    uint64_t cached;
    uint64_t dirty;
    uint64_t writeback;
    uint64_t evicted;
    uint64_t recently_evicted;
};

static uint64_t page_bytes(void)
{
    long size = sysconf(_SC_PAGESIZE);

    return size > 0 ? (uint64_t)size : PAGE_LEAST;
}

/* A page counts whole, also the last one and the ones that the range only touches. */
static int64_t at_most(uint64_t pages, uint64_t len)
{
    uint64_t bytes;

    if (__builtin_mul_overflow(pages, page_bytes(), &bytes) || bytes > len)
        bytes = len;
    return bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
}

static int64_t count_piece(int fd, uint64_t offset, uint64_t len)
{
    unsigned char there[PIECE_BYTES / PAGE_LEAST];
    void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)offset);
    int64_t pages = 0;

    if (map == MAP_FAILED)
        return -1;
    if (mincore(map, len, there) < 0)
        pages = -1;
    for (uint64_t i = 0; pages >= 0 && i * page_bytes() < len; i++)
        pages += there[i] & 1;
    (void)munmap(map, len);
    return pages;
}

int64_t resident_by_mincore(int fd, uint64_t offset, uint64_t len)
{
    uint64_t begin = offset - offset % page_bytes();
    uint64_t pages = 0;
    struct stat st;

    if (fstat(fd, &st) < 0 || (geteuid() != 0 && st.st_uid != geteuid()))
        return -1;
    for (uint64_t at = begin; at < offset + len;) {
        uint64_t left = offset + len - at;
        uint64_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        int64_t found = count_piece(fd, at, piece);

        if (found < 0)
            return -1;
        pages += (uint64_t)found;
        at += piece;
    }
    return at_most(pages, len);
}

int64_t resident_bytes(int fd, uint64_t offset, uint64_t len)
{
    struct cachestat_range range = {.offset = offset, .len = len};
    struct cachestat_answer answer = {0};

    if (len == 0 || len > INT64_MAX || offset > INT64_MAX - len)
        return -1; /* a length of 0 would mean the rest of the file */
    if (syscall(SYS_cachestat, fd, &range, &answer, 0) == 0)
        return at_most(answer.cached, len);
    return resident_by_mincore(fd, offset, len);
}
