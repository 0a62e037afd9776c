/*
 * The buffers of an engine: all of one size, so many and no more. Made at first need, reused, freed
 * together. The engine's lock protects it.
 */
#ifndef TRANSFER_POOL_H
#define TRANSFER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/arena.h"

#define POOL_CHUNK ((uint32_t)256 << 10)

/* One buffer with a stretch of a file. It is free when neither writer nor hash wants it. */
struct chunk {
    struct chunk *next;      /* free, or in the queue of the file's writer */
    struct chunk *next_hash; /* in the file's list for the hash, by offset */
    char *data;
    uint64_t offset;
    uint32_t len;
    uint32_t crc;
    bool for_writer; /* queued for, or with, the writer */
    bool for_hash;   /* listed for, or with, the hash */
};

struct pool {
    struct arena arena;
    struct chunk *free;
    size_t made;
    size_t most;
    size_t used;
};

/* bytes: of all buffers together; a few are made even of less. */
void pool_init(struct pool *p, uint64_t bytes);
void pool_done(struct pool *p);

/* NULL: all are in use. */
struct chunk *pool_get(struct pool *p);
void pool_put(struct pool *p, struct chunk *c);

#endif
