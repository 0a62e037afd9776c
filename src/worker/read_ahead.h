/*
 * Reading a model's weights ahead into the page cache, while the engine still imports its modules.
 *
 *     struct read_ahead *r = read_ahead_start(&options, &err);      NULL: it could not be started
 *     read_ahead_result(&result, r);                                at any time, as often as liked
 *     read_ahead_stop(&r, &result);                                 at the end, or when CMD died
 *
 * A few threads of its own read the files in the order given, in blocks, each thread with one read
 * outstanding. What is resident already is passed over: an engine that has overtaken us, or another
 * worker's bytes. A file that another worker of this host has claimed is waited for and then passed
 * over, unless the other makes no headway.
 *
 * No call waits for the volume: the threads are detached and share what they need, and the last one
 * out frees it, so that a volume that hangs holds nobody. They take no signal. Nothing here is
 * global. A file that cannot be read is counted and left; the engine will say what is wrong.
 * ps -L and top -H show them by the name READ_AHEAD_THREAD.
 */
#ifndef WORKER_READ_AHEAD_H
#define WORKER_READ_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "sys/clock.h"

/* From stat(2): made by read_order.h, so that nothing has to be asked of the volume here. */
struct read_ahead_file {
    const char *path;
    uint64_t bytes;
    uint64_t device;
    uint64_t inode;
};

struct read_ahead_options {
    const struct read_ahead_file *files; /* in the order in which they will be read; copied */
    size_t count;
    uint64_t budget_bytes; /* how many bytes of them may be in the page cache; read_budget.h */
    int runtime_fd;        /* HOSTLER_RUNTIME_DIR, where claims lie; -1: no claims */
    const struct clock *clock;
};

enum read_ahead_state {
    READ_AHEAD_READING,
    READ_AHEAD_DONE, /* all of it is resident, or could not be read */
    READ_AHEAD_FULL, /* the budget is used up */
    READ_AHEAD_STOPPED,
};

/* How far it is. A plain value. */
struct read_ahead_result {
    enum read_ahead_state state;
    uint64_t total_bytes;    /* of all files */
    uint64_t read_bytes;     /* came from the volume, read by us */
    uint64_t resident_bytes; /* were there already */
    uint64_t failed_files;
    uint64_t busy_ms; /* while at least one read was outstanding */
};

struct read_ahead;

#define READ_AHEAD_THREAD "read-ahead"

/* ERR_VOLUME if no thread can be had. Descriptors and options stay the caller's. */
struct read_ahead *read_ahead_start(const struct read_ahead_options *options,
                                    struct err *err) MUST_CHECK;

void read_ahead_result(struct read_ahead_result *out, struct read_ahead *r);

/* Ends it; what is outstanding ends by itself. ret_result may be NULL. *r becomes NULL. */
void read_ahead_stop(struct read_ahead **r, struct read_ahead_result *ret_result);

/*
 * The volume's speed in bytes a second, from what really came from it; 0: too little to tell (less
 * than 256 MiB, and less than 2 s of reading).
 */
uint64_t read_ahead_bps(const struct read_ahead_result *result);

#define READ_AHEAD_LINE ((size_t)256)
/*
 * If the volume is too slow for this model, true and the line that says so. The rule: a copy on a
 * local disk that reads 1 GB/s (any NVMe drive does more) would spare 30 s or more of each start.
 */
bool read_ahead_is_slow(char out[static READ_AHEAD_LINE], const struct read_ahead_result *result);

#endif
