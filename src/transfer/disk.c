#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/file.h"
#include "transfer/engine.h"

#define BLOCKED_MS  100                 /* a hash that waits longer lets chunks go */
#define BATCH_BYTES ((uint64_t)1 << 20) /* waking a thread for less costs more than it brings */

static void push_lane(struct lane *lane, struct file *f, struct file **link)
{
    *link = NULL;
    *lane->last = f;
    lane->last = link;
}

static void wake(struct lane *lane, unsigned wakes)
{
    while (wakes-- > 0)
        (void)pthread_cond_signal(&lane->work);
}

void engine_unlock(struct transfer *t)
{
    unsigned hash = t->hash.wakes;
    unsigned writers = t->write.wakes;

    t->hash.wakes = t->write.wakes = 0;
    (void)pthread_mutex_unlock(&t->lock);
    wake(&t->hash, hash);
    wake(&t->write, writers);
}

bool disk_hashable(const struct file *f)
{
    struct journal_range record;

    if (f->failed || f->ended)
        return false;
    if (f->read_all || f->ranges.hashed == f->ranges.size)
        return f->writes == 0;
    return (f->unhashed != NULL && f->unhashed->offset == f->ranges.hashed) ||
           ranges_readable(&f->ranges, &record);
}

/* Queues without waking anyone: the thread that does so looks at the queue next. */
static bool queue_hash(struct file *f)
{
    if (f->hash_queued || f->hashing || !disk_hashable(f))
        return false;
    f->hash_queued = true;
    push_lane(&f->t->hash, f, &f->next_hash);
    return true;
}

static bool queue_write(struct file *f)
{
    if (f->write_queued || f->writing || f->write_first == NULL)
        return false;
    f->write_queued = true;
    push_lane(&f->t->write, f, &f->next_write);
    return true;
}

void disk_kick_hash(struct file *f)
{
    f->t->hash.wakes += queue_hash(f);
}

static void kick_write(struct file *f)
{
    f->t->write.wakes += queue_write(f);
}

void disk_release(struct file *f, struct chunk *c)
{
    if (c->for_writer || c->for_hash)
        return;
    pool_put(&f->t->pool, c);
    if (f->t->starved > 0)
        engine_wake(f->t);
}

static void list_for_hash(struct file *f, struct chunk *c)
{
    struct chunk **at = &f->unhashed;

    while (*at != NULL && (*at)->offset < c->offset)
        at = &(*at)->next_hash;
    c->next_hash = *at;
    *at = c;
    c->for_hash = true;
}

/* Whether the hash has a good stretch before it, so that waking it pays. */
static bool long_stretch(const struct file *f)
{
    uint64_t at = f->ranges.hashed;

    for (const struct chunk *c = f->unhashed; c != NULL && c->offset == at; c = c->next_hash) {
        at += c->len;
        if (at - f->ranges.hashed >= BATCH_BYTES)
            return true;
    }
    return false;
}

void disk_put(struct file *f, struct chunk *c, bool urgent)
{
    bool whole = c->len == f->ranges.size;

    urgent = urgent || whole;
    list_for_hash(f, c);
    /* A small file in one piece is hashed first and written only if it is right. */
    if (!whole) {
        c->for_writer = true;
        c->next = NULL;
        *f->write_last = c;
        f->write_last = &c->next;
        f->writes++;
        if (urgent || (uint64_t)f->writes * POOL_CHUNK >= 2 * BATCH_BYTES)
            kick_write(f);
    }
    if (urgent || long_stretch(f))
        disk_kick_hash(f);
}

void disk_kick_all(struct transfer *t)
{
    for (struct file *f = t->files; f != NULL; f = f->next) {
        kick_write(f);
        disk_kick_hash(f);
    }
}

static void unlist(struct file *f, struct chunk *c)
{
    struct chunk **at = &f->unhashed;

    while (*at != c)
        at = &(*at)->next_hash;
    *at = c->next_hash;
    c->for_hash = false;
}

static void let_go(struct file *f, struct chunk *c)
{
    unlist(f, c);
    ranges_stage(&f->ranges, (struct journal_range){c->offset, c->len, c->crc});
    disk_release(f, c);
}

/* The hash of f waits for a byte that is late: what is ahead of it and written can go. */
static bool reclaim_file(struct file *f, uint64_t now_ms)
{
    struct chunk *next;
    bool any = false;

    if (now_ms - f->blocked_ms < BLOCKED_MS || f->hashing || disk_hashable(f))
        return false;
    for (struct chunk *c = f->unhashed; c != NULL; c = next) {
        next = c->next_hash;
        if (!c->for_writer && c->len < f->ranges.size) {
            let_go(f, c);
            any = true;
        }
    }
    return any;
}

bool disk_reclaim(struct transfer *t)
{
    uint64_t now_ms = engine_now(t);
    bool any = false;

    for (struct file *f = t->files; f != NULL; f = f->next)
        any = (!f->ended && reclaim_file(f, now_ms)) || any;
    return any;
}

/* The next file of a lane, waited for; NULL when the engine ends and nothing is left. */
static struct file *next_of(struct transfer *t, struct lane *lane)
{
    while (lane->first == NULL && !t->quit) {
        wake(&t->hash, t->hash.wakes);
        wake(&t->write, t->write.wakes);
        t->hash.wakes = t->write.wakes = 0;
        (void)pthread_cond_wait(&lane->work, &t->lock);
    }
    return lane->first;
}

static void pop(struct lane *lane, struct file *next)
{
    lane->first = next;
    if (next == NULL)
        lane->last = &lane->first;
}

static void *write_thread(void *ctx)
{
    struct transfer *t = ctx;
    struct file *f;

    engine_lock(t);
    while ((f = next_of(t, &t->write)) != NULL) {
        pop(&t->write, f->next_write);
        f->write_queued = false;
        f->writing = true;
        write_turn(f);
        if (f->abandoned)
            break;
        f->writing = false;
        (void)queue_write(f);
        if (f->ranges.hashed == f->ranges.size)
            disk_kick_hash(f); /* it waits for the last write only */
        engine_settle(f);
    }
    engine_unlock(t);
    return NULL;
}

static void *hash_thread(void *ctx)
{
    struct transfer *t = ctx;
    ARENA_SCOPED a = {0};
    char *buf = NULL;
    struct file *f;

    engine_lock(t);
    while ((f = next_of(t, &t->hash)) != NULL && !t->quit) {
        if (buf == NULL)
            buf = arena_alloc(&a, 1, POOL_CHUNK, 4096);
        pop(&t->hash, f->next_hash);
        f->hash_queued = false;
        f->hashing = true;
        hash_turn(f, buf);
        if (f->abandoned)
            break;
        f->hashing = false;
        (void)queue_hash(f);
        engine_settle(f);
    }
    engine_unlock(t);
    return NULL;
}

static unsigned cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

int disk_thread(pthread_t *out, void *(*run)(void *), struct transfer *t, struct err *err)
{
    errno = pthread_create(out, NULL, run, t);
    if (errno == 0)
        return 0;
    (void)err_sys(err, ERR_LIMIT, "cannot start a thread for downloading");
    return err_hint(err, "raise the limits of processes and memory (ulimit -u, ulimit -v, pids and "
                         "memory of the cgroup)");
}

static int start_lane(struct transfer *t, struct lane *lane, unsigned n, void *(*run)(void *),
                      struct err *err)
{
    for (unsigned i = 0; i < n; i++) {
        if (disk_thread(&lane->threads[i], run, t, err) < 0)
            return -1;
        lane->thread_count++;
    }
    return 0;
}

int disk_start(struct transfer *t, struct err *err)
{
    unsigned n = t->net.hash_threads != 0 ? t->net.hash_threads : cores();

    if (n > ENGINE_THREADS_MAX)
        n = ENGINE_THREADS_MAX;
    /* What the hash threads read back into counts as buffers, too. */
    pool_init(&t->pool, t->net.buffer_bytes > (uint64_t)n * POOL_CHUNK
                            ? t->net.buffer_bytes - (uint64_t)n * POOL_CHUNK
                            : 0);
    if (start_lane(t, &t->hash, n, hash_thread, err) < 0)
        return -1;
    return start_lane(t, &t->write, n < 2 ? 2 : n, write_thread, err);
}
