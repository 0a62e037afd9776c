/*
 * The blocks of the files that are read ahead, as the reader threads take them: in order, within
 * the budget, and of a file that another worker of this host has claimed none, as long as that one
 * makes headway.
 *
 *     while (read_queue_take(&block, q)) {
 *         ... for each piece:  if (!read_queue_progress(q, bytes, from_volume)) break;
 *         read_queue_finish(q, &block, whole);
 *     }
 *
 * A claim is held until the last of a file's blocks is finished, so that whoever waited for it
 * finds the file resident. Every call may come from any thread. A call waits for another's claim
 * alone, and only until read_queue_stop().
 */
#ifndef WORKER_READ_QUEUE_H
#define WORKER_READ_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/arena.h"
#include "worker/read_ahead.h"

struct read_queue;

struct read_block {
    size_t file;
    const char *path;
    uint64_t offset;
    uint64_t bytes;
};

/* Lies in the arena; files and paths are copied into it. */
struct read_queue *read_queue_new(struct arena *a, const struct read_ahead_options *options);
/* No other thread may be in a call. */
void read_queue_free(struct read_queue *q);

/* False: there is nothing more to read, or a stop came. */
bool read_queue_take(struct read_block *out, struct read_queue *q);

/* The block's bytes are about to be read: the time counts as busy from here to its finish. */
void read_queue_begin(struct read_queue *q);
/* Bytes of it were read, from the volume or from what was resident. False: a stop came. */
bool read_queue_progress(struct read_queue *q, uint64_t bytes, bool from_volume);
/* begun: read_queue_begin() was called for it. Not whole: its file is left, unless a stop came. */
void read_queue_finish(struct read_queue *q, const struct read_block *block, bool begun,
                       bool whole);

void read_queue_stop(struct read_queue *q);
/* Nobody reads any more: from now on the result says how it ended. */
void read_queue_conclude(struct read_queue *q);
void read_queue_result(struct read_ahead_result *out, struct read_queue *q);

#endif
