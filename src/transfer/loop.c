/* The network thread: what it does in each turn, from the files that end to those that begin. */
#include "transfer/engine.h"

void engine_free_file(struct file *f)
{
    struct arena a = f->arena;

    for (struct chunk *c = f->unhashed, *next; c != NULL; c = next) {
        next = c->next_hash;
        c->for_hash = false;
        pool_put(&f->t->pool, c);
    }
    digest_stream_free(&f->stream);
    out_done(&f->out);
    arena_free(&f->link.arena);
    arena_free(&a);
}

/* Unlinks and frees the files whose events are out. */
static void reap(struct transfer *t)
{
    struct file **at = &t->files;
    struct file *f;

    while ((f = *at) != NULL) {
        if (!f->ended || f->abandoned || f->conns > 0 || f->hashing || f->writing ||
            f->hash_queued || f->write_queued) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        t->file_count--;
        engine_free_file(f);
    }
}

/* Whether one more file may begin: small ones as they come, of large ones a few at a time. */
static bool may_begin(const struct transfer *t, const struct file *next)
{
    unsigned large = 0;

    if (t->file_count >= ENGINE_FILES)
        return false;
    for (const struct file *f = t->files; f != NULL; f = f->next)
        if (!f->ended && f->ranges.size > POOL_CHUNK)
            large++;
    return next->ranges.size <= POOL_CHUNK ||
           large < (t->hash.thread_count > 2 ? t->hash.thread_count : 2);
}

static void begin(struct transfer *t)
{
    struct file **last = &t->files;
    struct file *f;

    while (*last != NULL)
        last = &(*last)->next;
    while ((f = t->queue) != NULL && may_begin(t, f)) {
        t->queue = f->next;
        if (t->queue == NULL)
            t->queue_last = &t->queue;
        f->next = NULL;
        *last = f;
        last = &f->next;
        t->file_count++;
        f->progress_ms = f->blocked_ms = engine_now(t);
        disk_kick_hash(f);
    }
}

/* Failed files: their requests end, what arrived is handed over. */
static void stop_failed(struct transfer *t)
{
    for (size_t i = 0; i < ENGINE_CONNS; i++) {
        struct conn *c = &t->conns[i];

        if (c->file == NULL || !(c->file->failed || c->file->ended))
            continue;
        engine_unlock(t);
        fetch_flush(c);
        engine_lock(t);
        fetch_stop(c);
    }
    for (struct file *f = t->files; f != NULL; f = f->next)
        engine_settle(f);
}

static void read_results(struct transfer *t)
{
    const CURLMsg *message;
    int left;

    while ((message = t->curl->multi_info_read(t->multi, &left)) != NULL) {
        struct conn *c = NULL;
        CURLcode result = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)t->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &c);
        answer_end(c, result);
    }
}

/* Sleeps until something happens, and counts how long because all connections want a chunk. */
static void sleep_ms(struct transfer *t, uint64_t wait_ms, bool full)
{
    uint64_t from_ms = engine_now(t);

    (void)t->curl->multi_poll(t->multi, NULL, 0, (int)wait_ms, NULL);
    if (full)
        fit_waited(&t->fit, engine_now(t) - from_ms);
}

void *engine_loop(void *ctx)
{
    struct transfer *t = ctx;
    int running;

    engine_lock(t);
    while (!t->quit) {
        uint64_t wait_ms;
        bool full;

        t->now_ms = engine_now(t);
        t->news = false;
        stop_failed(t);
        reap(t);
        begin(t);
        schedule(t);
        engine_unlock(t);
        fetch_resume(t);
        (void)t->curl->multi_perform(t->multi, &running);
        read_results(t);
        schedule_ticks(t);
        engine_lock(t);
        wait_ms = t->news ? 0 : schedule_wait_ms(t);
        t->sleeping = wait_ms > 0;
        full = t->busy > 0 && t->starved == t->busy;
        engine_unlock(t);
        if (wait_ms > 0)
            sleep_ms(t, wait_ms, full);
        engine_lock(t);
        t->sleeping = false;
    }
    engine_unlock(t);
    return NULL;
}
