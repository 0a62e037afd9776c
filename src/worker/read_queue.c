#include "worker/read_queue.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "sys/fd.h"
#include "text/str.h"
#include "worker/read_claim.h"
#include "worker/resident.h"

#define BLOCK_BYTES      UINT64_C(4194304)
#define CLAIM_POLL_MS    100
#define CLAIM_HEADWAY_MS UINT64_C(3000) /* without which another's claim is not waited for */

struct queued_file {
    struct read_ahead_file is;
    unsigned pending; /* blocks that were taken and are not finished */
    bool claimed;     /* by us */
    bool failed;
};

struct read_queue {
    const struct clock *clock;
    struct queued_file *files;
    size_t count;
    int claims; /* -1: none */
    pthread_mutex_t lock;
    pthread_cond_t change;
    /* under the lock */
    bool stop;
    bool moving;     /* a thread waits for the claim on the current file */
    bool entered;    /* the current file's claim was had or waited for */
    size_t file;     /* the current one; count: all were handed out */
    uint64_t offset; /* in it, of the next block */
    uint64_t budget;
    unsigned outstanding;
    uint64_t busy_since_ms;
    struct read_ahead_result result;
};

static void lock(struct read_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
}

static void unlock(struct read_queue *q)
{
    (void)pthread_mutex_unlock(&q->lock);
}

static void copy_files(struct read_queue *q, struct arena *a,
                       const struct read_ahead_options *options)
{
    q->files = arena_array(a, struct queued_file, options->count + 1);
    for (size_t i = 0; i < options->count; i++) {
        struct queued_file *file = &q->files[q->count];

        if (options->files[i].bytes == 0)
            continue;
        file->is = options->files[i];
        file->is.path = str_dup(a, str_from(file->is.path));
        if (__builtin_add_overflow(q->result.total_bytes, file->is.bytes, &q->result.total_bytes))
            q->result.total_bytes = UINT64_MAX;
        q->count++;
    }
}

struct read_queue *read_queue_new(struct arena *a, const struct read_ahead_options *options)
{
    struct read_queue *q = arena_new(a, struct read_queue);
    pthread_condattr_t monotonic;
    struct err ignored;

    q->clock = options->clock;
    q->budget = options->budget_bytes;
    copy_files(q, a, options);
    q->claims = options->runtime_fd < 0 ? -1 : read_claim_open(options->runtime_fd, &ignored);
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&q->change, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return q;
}

void read_queue_free(struct read_queue *q)
{
    fd_close(&q->claims);
    (void)pthread_cond_destroy(&q->change);
    (void)pthread_mutex_destroy(&q->lock);
}

static void wait_a_little(struct read_queue *q)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += CLAIM_POLL_MS * 1000000L;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&q->change, &q->lock, &until);
}

/* How much of a file that another reads is there by now; -1: it cannot be told. */
static int64_t headway(const struct read_ahead_file *file)
{
    FD_SCOPED fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    return fd < 0 ? -1 : resident_bytes(fd, 0, file->bytes);
}

/*
 * Waits while another worker reads the current file and gets on with it. The lock is held, and let
 * go while we look.
 */
static void await_claim(struct read_queue *q)
{
    struct queued_file *file = &q->files[q->file];
    uint64_t since = clock_now_ms(q->clock);
    int64_t before = -1;

    while (!q->stop && q->claims >= 0) {
        int64_t now;

        file->claimed = read_claim_take(q->claims, file->is.device, file->is.inode);
        if (file->claimed)
            return;
        unlock(q);
        now = headway(&file->is);
        lock(q);
        if (now > before) {
            before = now;
            since = clock_now_ms(q->clock);
        } else if (now < 0 || clock_now_ms(q->clock) - since >= CLAIM_HEADWAY_MS) {
            return;
        }
        if (!q->stop)
            wait_a_little(q);
    }
}

static bool is_handed_out(const struct read_queue *q, size_t file)
{
    return q->stop || q->budget == 0 || file < q->file ||
           (file == q->file && q->offset == q->files[file].is.bytes);
}

/* Lets go of a claim whose file is through. The lock is held. */
static void settle(struct read_queue *q, size_t file)
{
    struct queued_file *it = &q->files[file];

    if (!it->claimed || it->pending > 0 || !is_handed_out(q, file))
        return;
    read_claim_drop(q->claims, it->is.device, it->is.inode);
    it->claimed = false;
}

/* False: there is no further file, or a stop came. The lock is held. */
static bool enter_file(struct read_queue *q)
{
    if (q->offset == q->files[q->file].is.bytes) {
        q->offset = 0;
        q->entered = false;
        q->file++;
        settle(q, q->file - 1);
    }
    if (q->file < q->count && !q->entered) {
        q->moving = true;
        await_claim(q);
        q->moving = false;
        q->entered = true;
        (void)pthread_cond_broadcast(&q->change);
    }
    return !q->stop && q->file < q->count;
}

/* The lock is held. */
static void cut_block(struct read_block *out, struct read_queue *q)
{
    struct queued_file *file = &q->files[q->file];
    uint64_t bytes = file->is.bytes - q->offset;

    bytes = bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES;
    bytes = bytes < q->budget ? bytes : q->budget;
    *out = (struct read_block){
        .file = q->file, .path = file->is.path, .offset = q->offset, .bytes = bytes};
    q->offset += bytes;
    q->budget -= bytes;
    file->pending++;
}

bool read_queue_take(struct read_block *out, struct read_queue *q)
{
    bool found = false;

    lock(q);
    while (!found && !q->stop && q->file < q->count && q->budget > 0) {
        if (q->moving) {
            (void)pthread_cond_wait(&q->change, &q->lock);
        } else if (enter_file(q)) {
            cut_block(out, q);
            found = true;
        }
    }
    unlock(q);
    return found;
}

void read_queue_begin(struct read_queue *q)
{
    lock(q);
    if (q->outstanding++ == 0)
        q->busy_since_ms = clock_now_ms(q->clock);
    unlock(q);
}

bool read_queue_progress(struct read_queue *q, uint64_t bytes, bool from_volume)
{
    bool go_on;

    lock(q);
    if (from_volume)
        q->result.read_bytes += bytes;
    else
        q->result.resident_bytes += bytes;
    go_on = !q->stop;
    unlock(q);
    return go_on;
}

void read_queue_finish(struct read_queue *q, const struct read_block *block, bool begun, bool whole)
{
    struct queued_file *file = &q->files[block->file];

    lock(q);
    if (begun && --q->outstanding == 0)
        q->result.busy_ms += clock_now_ms(q->clock) - q->busy_since_ms;
    file->pending--;
    if (!whole && !q->stop) {
        if (q->file == block->file)
            q->offset = file->is.bytes;
        q->result.failed_files += file->failed ? 0 : 1;
        file->failed = true;
    }
    settle(q, block->file);
    unlock(q);
}

void read_queue_stop(struct read_queue *q)
{
    lock(q);
    q->stop = true;
    if (q->result.state == READ_AHEAD_READING)
        q->result.state = READ_AHEAD_STOPPED;
    (void)pthread_cond_broadcast(&q->change);
    unlock(q);
}

void read_queue_conclude(struct read_queue *q)
{
    lock(q);
    if (q->result.state == READ_AHEAD_READING) {
        bool at_end = q->file == q->count ||
                      (q->file + 1 == q->count && q->offset == q->files[q->file].is.bytes);

        q->result.state = at_end ? READ_AHEAD_DONE : READ_AHEAD_FULL;
    }
    unlock(q);
}

void read_queue_result(struct read_ahead_result *out, struct read_queue *q)
{
    lock(q);
    *out = q->result;
    if (q->outstanding > 0)
        out->busy_ms += clock_now_ms(q->clock) - q->busy_since_ms;
    unlock(q);
}
