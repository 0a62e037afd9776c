/*
 * What of a file the kernel's page cache holds, without reading any of it.
 *
 * By cachestat(2) (Linux 6.5). It answers whoever owns the file or may write it; where it is
 * missing mincore(2) is asked, which gives others a false answer (all is resident) in place of an
 * error, so that it is asked only for files of our own, or as root. Pages that are on their way
 * count as there.
 */
#ifndef WORKER_RESIDENT_H
#define WORKER_RESIDENT_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the range, at most len; -1: it cannot be told. */
int64_t resident_bytes(int fd, uint64_t offset, uint64_t len);

/* The same by mincore(2) alone; tests compare the two. */
int64_t resident_by_mincore(int fd, uint64_t offset, uint64_t len);

#endif
