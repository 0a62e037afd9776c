/*
 * Copies between two files of one filesystem: by copy_file_range(2), which shares the blocks where
 * the filesystem can, else through a buffer.
 */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include <stdint.h>

#include "err/err.h"

/*
 * Copies len bytes at offset of from to the same offset of to. A source that ends early is
 * ERR_VOLUME. Returns between two pieces with ERR_INTERRUPTED when a stop is wanted.
 */
int copy_range(int to, int from, uint64_t offset, uint64_t len, struct err *err) MUST_CHECK;

#endif
