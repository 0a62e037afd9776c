#include "worker/read_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "mem/arena.h"
#include "sys/fd.h"
#include "worker/read_queue.h"
#include "worker/resident.h"

/*
 * Measured in doc/read-ahead.md: four readers with a descriptor each, told POSIX_FADV_SEQUENTIAL,
 * fill a line of 300 MB/s; more of them gain nothing, and would be in the way of the engine's own
 * reads. The scratch buffer stays small, since it is memory beside the engine's.
 */
#define THREADS       4U
#define SCRATCH_BYTES ((size_t)128 << 10)
#define STACK_BYTES   ((size_t)256 << 10)

struct read_ahead {
    struct arena arena; /* this struct lies in it, too */
    struct read_queue *queue;
    pthread_mutex_t lock;
    /* under the lock */
    unsigned users;   /* the threads, and whoever started them */
    unsigned readers; /* threads that have not ended */
};

/* What one thread holds. */
struct reader {
    struct read_ahead *r;
    size_t file; /* that fd is of */
    int fd;
    char scratch[SCRATCH_BYTES];
};

/* The last one out takes everything along. */
static void leave(struct read_ahead *r, bool reader)
{
    struct arena arena;
    bool last;

    (void)pthread_mutex_lock(&r->lock);
    arena = r->arena;
    if (reader && --r->readers == 0)
        read_queue_conclude(r->queue);
    last = --r->users == 0;
    (void)pthread_mutex_unlock(&r->lock);
    if (!last)
        return;
    read_queue_free(r->queue);
    (void)pthread_mutex_destroy(&r->lock);
    arena_free(&arena);
}

static bool open_file(struct reader *reader, const struct read_block *block)
{
    if (reader->fd >= 0 && reader->file == block->file)
        return true;
    fd_close(&reader->fd);
    reader->file = block->file;
    reader->fd = open(block->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (reader->fd < 0)
        return false;
    (void)posix_fadvise(reader->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return true;
}

/* False: the file ended too soon, could not be read, or a stop came. */
static bool read_range(struct reader *reader, const struct read_block *block, uint64_t there)
{
    uint64_t done = 0;

    while (done < block->bytes) {
        uint64_t left = block->bytes - done;
        size_t piece = left < SCRATCH_BYTES ? (size_t)left : SCRATCH_BYTES;
        ssize_t got = pread(reader->fd, reader->scratch, piece, (off_t)(block->offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        /* Which of its bytes were there is not known: they are taken to be the first ones. */
        if (!read_queue_progress(reader->r->queue, (uint64_t)got, done >= there))
            return false;
        done += (uint64_t)got;
    }
    return true;
}

static void read_block(struct reader *reader, const struct read_block *block)
{
    struct read_queue *queue = reader->r->queue;
    int64_t there;
    bool whole;

    if (!open_file(reader, block)) {
        read_queue_finish(queue, block, false, false);
        return;
    }
    there = resident_bytes(reader->fd, block->offset, block->bytes);
    if (there >= 0 && (uint64_t)there == block->bytes) {
        (void)read_queue_progress(queue, block->bytes, false);
        read_queue_finish(queue, block, false, true);
        return;
    }
    read_queue_begin(queue);
    whole = read_range(reader, block, there < 0 ? 0 : (uint64_t)there);
    read_queue_finish(queue, block, true, whole);
}

static void *read_all(void *ctx)
{
    struct reader *reader = ctx;
    struct read_block block;

    while (read_queue_take(&block, reader->r->queue))
        read_block(reader, &block);
    fd_close(&reader->fd);
    leave(reader->r, true);
    return NULL;
}

static int start_thread(struct read_ahead *r)
{
    struct reader *reader = arena_new(&r->arena, struct reader);
    pthread_attr_t attributes;
    pthread_t thread;
    int result;

    reader->r = r;
    reader->fd = -1;
    if (pthread_attr_init(&attributes) != 0)
        return -1;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    result = pthread_create(&thread, &attributes, read_all, reader);
    (void)pthread_attr_destroy(&attributes);
    if (result != 0)
        return -1;
    (void)pthread_setname_np(thread, READ_AHEAD_THREAD);
    return 0;
}

/* The lock is held, so that no thread is done before all are there, and no arena is copied early.
 */
static void start_threads(struct read_ahead *r)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < THREADS; i++) {
        r->users++;
        r->readers++;
        if (start_thread(r) < 0) {
            r->users--;
            r->readers--;
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct read_ahead *read_ahead_start(const struct read_ahead_options *options, struct err *err)
{
    struct arena arena = {0};
    struct read_ahead *r = arena_new(&arena, struct read_ahead);
    unsigned readers;

    r->arena = arena;
    r->users = 1;
    r->queue = read_queue_new(&r->arena, options);
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_mutex_lock(&r->lock);
    start_threads(r);
    readers = r->readers;
    (void)pthread_mutex_unlock(&r->lock);
    if (readers == 0) {
        leave(r, false);
        (void)err_sys(err, ERR_VOLUME, "reading ahead: no thread can be had");
        return NULL;
    }
    return r;
}

void read_ahead_result(struct read_ahead_result *out, struct read_ahead *r)
{
    read_queue_result(out, r->queue);
}

void read_ahead_stop(struct read_ahead **r, struct read_ahead_result *ret_result)
{
    read_queue_stop((*r)->queue);
    if (ret_result != NULL)
        read_queue_result(ret_result, (*r)->queue);
    leave(*r, false);
    *r = NULL;
}
