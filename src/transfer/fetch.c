/* One request under way: from its start over the bytes of its body to the chunks. */
#include <assert.h>
#include <string.h>

#include "transfer/engine.h"

/* A body that is not the file's is read so far, to keep the connection. */
#define DRAIN_BYTES ((size_t)65536)

#define RESERVED_CHUNKS ((size_t)3)

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Chunks end on multiples of their size, so that whole pages are written. */
static size_t room_at(uint64_t offset)
{
    return POOL_CHUNK - (size_t)(offset % POOL_CHUNK);
}

/* Hands over the chunk; with the lock held. */
static void put_chunk(struct conn *c, bool urgent)
{
    struct chunk *chunk = c->chunk;

    c->chunk = NULL;
    if (chunk == NULL)
        return;
    if (chunk->len == 0 || c->file->ended)
        pool_put(&c->t->pool, chunk);
    else
        disk_put(c->file, chunk, urgent);
}

void fetch_flush(struct conn *c)
{
    if (c->chunk == NULL)
        return;
    engine_lock(c->t);
    put_chunk(c, true);
    engine_unlock(c->t);
}

/* Nobody fetches bytes of that file before those of c, so the hash may be waiting for them. */
static bool is_front(const struct conn *c)
{
    for (size_t i = 0; i < ENGINE_CONNS; i++) {
        const struct conn *other = &c->t->conns[i];

        if (other->file == c->file && other->span.start < other->span.end &&
            other->span.start < c->span.start)
            return false;
    }
    return true;
}

/* The last chunks are for those that the hash waits for, or all would wait for each other. */
static bool may_take(const struct conn *c)
{
    const struct pool *p = &c->t->pool;
    size_t left = p->most - p->used;

    return left > RESERVED_CHUNKS || (left > 0 && is_front(c));
}

/* A chunk for the bytes from c->pos; false: there is none now. */
static bool next_chunk(struct conn *c)
{
    struct transfer *t = c->t;

    engine_lock(t);
    put_chunk(c, false);
    if (may_take(c) || (disk_reclaim(t) && may_take(c)))
        c->chunk = pool_get(&t->pool);
    c->hungry = c->chunk == NULL;
    if (c->hungry) {
        t->starved++;
        disk_kick_all(t);
    }
    engine_unlock(t);
    if (c->chunk == NULL)
        return false;
    c->chunk->offset = c->span.start;
    c->chunk_ms = t->now_ms;
    return true;
}

/* A single stream goes on behind its stretch: with the next that is missing. */
static bool next_span(struct conn *c)
{
    bool more;

    engine_lock(c->t);
    put_chunk(c, false);
    more = ranges_take_from(&c->file->ranges, c->pos, &c->span);
    engine_unlock(c->t);
    return more;
}

static bool stores(const struct conn *c)
{
    return c->pos == c->span.start && c->span.start < c->span.end;
}

/* Takes as much of data as belongs to one chunk or to one stretch to be skipped. 0: no chunk. */
static size_t take_some(struct conn *c, const char *data, size_t len)
{
    size_t n;

    if (c->span.start < c->span.end && c->pos < c->span.start) {
        n = (size_t)min_u64(len, c->span.start - c->pos); /* staged already */
        c->pos += n;
        return n;
    }
    if (c->chunk != NULL && c->chunk->len == room_at(c->chunk->offset)) {
        if (!next_chunk(c))
            return 0;
    } else if (c->chunk == NULL && !next_chunk(c)) {
        return 0;
    }
    n = (size_t)min_u64(len, c->span.end - c->span.start);
    n = (size_t)min_u64(n, room_at(c->chunk->offset) - c->chunk->len);
    memcpy(c->chunk->data + c->chunk->len, data, n);
    c->chunk->len += (uint32_t)n;
    c->span.start += n;
    c->pos += n;
    return n;
}

static void count(struct conn *c, size_t len)
{
    struct transfer *t = c->t;

    if (c->first_ms == 0) {
        c->first_ms = c->window_ms = engine_now(t);
        pace_waited(c->pace, c->first_ms - c->request.started_ms);
    }
    c->got += len;
    t->received += len;
    pace_bytes(c->pace, len);
    rate_take(&t->rate, len);
}

/* Bytes that we did not have: whoever failed before may be patient again. */
static void note_progress(struct conn *c)
{
    schedule_served(c->host);
    c->file->progress_ms = c->host->progress_ms;
    c->file->attempt = 0;
}

static size_t drain(struct conn *c, size_t len)
{
    c->drained += len;
    if (c->drained <= DRAIN_BYTES)
        return len;
    c->enough = true;
    return 0;
}

static size_t on_body(void *ctx, const char *data, size_t len)
{
    struct conn *c = ctx;
    size_t at = c->consumed;
    size_t took;

    if (!c->accepted)
        return drain(c, len);
    if (c->counted == 0 && !rate_open(&c->t->rate, c->t->now_ms)) {
        c->paused = c->t->throttled = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (len > c->counted)
        count(c, len - c->counted);
    c->counted = len;
    while (at < len) {
        if (c->span.start == c->span.end && !(c->file->single && next_span(c))) {
            c->enough = true;
            return 0;
        }
        took = take_some(c, data + at, len - at);
        if (took == 0) {
            c->consumed = at;
            c->paused = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        at += took;
    }
    c->consumed = c->counted = 0;
    if (stores(c) || c->span.start == c->span.end)
        note_progress(c);
    return len;
}

/* The stretch that is asked for, in the words of the header; NULL: all. */
static const char *range_text(struct conn *c, struct arena *a)
{
    const struct file *f = c->file;

    if (c->span.start == 0 && (f->single || c->span.end == f->ranges.size))
        return NULL;
    if (f->single)
        return str_format(a, "%llu-", (unsigned long long)c->span.start);
    return str_format(a, "%llu-%llu", (unsigned long long)c->span.start,
                      (unsigned long long)(c->span.end - 1));
}

static void clear(struct conn *c, struct file *f, struct ranges_span span)
{
    struct request request = c->request;

    *c = (struct conn){.request = request,
                       .t = f->t,
                       .file = f,
                       .host = f->host,
                       .pace = f->host->pace,
                       .span = span};
}

int fetch_start(struct conn *c, struct file *f, struct ranges_span span, struct err *err)
{
    ARENA_SCOPED a = {0};
    const struct transfer_origin *origin = f->target.origin;
    struct request_ask ask = {.url = f->link.known ? &f->link.url : &origin->url};

    clear(c, f, span);
    c->pos = span.start;
    c->link_id = f->link.id;
    c->proves = !f->link.proved;
    c->canonical = url_same_origin(ask.url, &origin->url);
    if (c->canonical && !(f->link.known && f->link.left))
        ask.authorization = origin->authorize != NULL ? origin->authorize(origin->judge_ctx)
                                                      : origin->authorization;
    ask.range = range_text(c, &a);
    ask.connect_to = c->host->connect_to;
    c->ranged = ask.range != NULL;
    if (c->request.curl == NULL && request_init(&c->request, &c->t->net, err) < 0)
        return -1;
    c->request.ctx = c;
    c->request.on_answer = answer_headers;
    c->request.on_body = on_body;
    if (request_prepare(&c->request, &ask, err) < 0)
        return -1;
    (void)c->t->curl->multi_add_handle(c->t->multi, c->request.easy);
    f->conns++;
    f->proving = f->proving || c->proves;
    c->host->active++;
    c->t->busy++;
    return 0;
}

void fetch_stop(struct conn *c)
{
    struct file *f = c->file;

    put_chunk(c, true);
    ranges_give(&f->ranges, c->span);
    (void)c->t->curl->multi_remove_handle(c->t->multi, c->request.easy);
    f->conns--;
    if (c->proves)
        f->proving = false;
    c->host->active--;
    c->t->busy--;
    if (c->hungry)
        c->t->starved--;
    c->hungry = false;
    c->file = NULL;
    engine_settle(f);
}

bool fetch_resumable(const struct conn *c)
{
    return c->file != NULL && c->hungry && may_take(c);
}

/* The paused request with the lowest offset that may go on; NULL if none. */
static struct conn *next_paused(struct transfer *t, bool open)
{
    struct conn *best = NULL;

    for (size_t i = 0; i < ENGINE_CONNS; i++) {
        struct conn *c = &t->conns[i];

        if (c->file != NULL && c->paused && (c->hungry ? may_take(c) : open) &&
            (best == NULL || c->pos < best->pos))
            best = c;
    }
    return best;
}

void fetch_resume(struct transfer *t)
{
    struct conn *c;

    do {
        engine_lock(t);
        if (t->starved > 0)
            (void)disk_reclaim(t);
        c = next_paused(t, rate_open(&t->rate, t->now_ms));
        if (c != NULL && c->hungry) {
            c->hungry = false;
            t->starved--;
        }
        engine_unlock(t);
        if (c != NULL) {
            c->paused = false;
            (void)t->curl->easy_pause(c->request.easy, CURLPAUSE_CONT);
        }
    } while (c != NULL);
}
