/* Which request next, to which host, how large; and the timers of those under way. */
#include <assert.h>
#include <string.h>

#include "transfer/engine.h"

#define FLUSH_MS       300 /* older bytes do not stay in memory only (a tick more at most) */
#define TICK_MS        100
#define PACE_TICK_MS   250
#define STARVED_MS     10
#define IDLE_MS        1000
#define STEAL_LEAST    ((uint64_t)2 * POOL_CHUNK)
#define STEAL_AFTER_MS 3000 /* what would take longer than that is worth another connection */
#define RANGE_LEAST    ((uint64_t)512 << 10)

static struct host *find_host(struct transfer *t, const struct url *url)
{
    struct host *h = t->hosts;

    while (h != NULL && !url_same_origin(&h->url, url))
        h = h->next;
    if (h != NULL)
        return h;
    h = arena_new(&t->arena, struct host);
    h->t = t;
    h->url =
        (struct url){.tls = url->tls, .port = url->port, .host = str_copy(&t->arena, url->host)};
    h->name = url_authority(&t->arena, url);
    h->request_bytes = ENGINE_REQUEST_MIN;
    h->progress_ms = engine_now(t);
    h->next = t->hosts;
    t->hosts = h;
    address_init(h);
    return h;
}

void schedule_link(struct file *f, const struct url *url, bool left)
{
    struct file_link *link = &f->link;
    struct arena a = {0};

    link->url = *url;
    link->url.text = str_copy(&a, url->text);
    link->url.host = str_copy(&a, url->host);
    link->url.target = str_copy(&a, url->target);
    arena_free(&link->arena);
    link->arena = a;
    link->known = true;
    link->proved = false;
    link->left = link->left || left;
    link->hops++;
    link->id++;
    f->host = find_host(f->t, url);
}

void schedule_forget_link(struct file *f)
{
    f->link.known = f->link.proved = f->link.left = false;
    f->link.hops = 0;
    f->link.id++;
    f->host = find_host(f->t, &f->target.origin->url);
}

void schedule_served(struct host *h)
{
    h->progress_ms = h->t->now_ms;
    h->failures = 0;
}

void schedule_proved(struct conn *c)
{
    if (c->link_id != c->file->link.id)
        return;
    if (c->proves)
        c->file->proving = false;
    c->file->link.proved = true;
    c->proves = false;
}

static bool wants_network(const struct file *f)
{
    return !f->failed && !f->ended && f->ranges.missing > 0;
}

static bool may_start(struct transfer *t, struct file *f, uint64_t now_ms)
{
    if (!wants_network(f) || now_ms < f->not_before_ms || (f->single && f->conns > 0) ||
        (f->proving && !f->link.proved))
        return false;
    if (f->host == NULL)
        f->host = find_host(t, &f->target.origin->url);
    return now_ms >= f->host->not_before_ms && f->host->active < f->host->pace->allowed;
}

/* The file with the fewest requests under way, so that several hash at a time. */
static struct file *next_file(struct transfer *t, uint64_t now_ms)
{
    struct file *best = NULL;

    for (struct file *f = t->files; f != NULL; f = f->next)
        if (may_start(t, f, now_ms) && (best == NULL || f->conns < best->conns))
            best = f;
    return best;
}

static struct conn *free_conn(struct transfer *t)
{
    for (size_t i = 0; i < ENGINE_CONNS; i++)
        if (t->conns[i].file == NULL)
            return &t->conns[i];
    return NULL;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How much one request asks for: towards the end less, so that all connections end together. */
static uint64_t request_size(const struct file *f)
{
    uint64_t share = f->ranges.missing / (2 * (uint64_t)f->host->pace->allowed);
    uint64_t bytes = min_u64(share, min_u64(f->host->request_bytes, f->t->fit.bytes));

    return bytes < RANGE_LEAST ? RANGE_LEAST : bytes - bytes % POOL_CHUNK;
}

static bool take(struct file *f, struct ranges_span *span)
{
    uint64_t want = request_size(f);

    if (f->single)
        return ranges_take_from(&f->ranges, 0, span);
    return ranges_take(&f->ranges, want, span);
}

/* A request that has long to go gives up the second half of it. */
static bool steal(struct transfer *t, struct host *h, uint64_t now_ms)
{
    struct conn *slowest = NULL;
    uint64_t longest_ms = STEAL_AFTER_MS;
    uint64_t middle;

    for (size_t i = 0; i < ENGINE_CONNS; i++) {
        struct conn *c = &t->conns[i];
        uint64_t left = c->span.end - c->span.start;
        uint64_t passed = now_ms - c->first_ms;

        if (c->file == NULL || c->host != h || !c->accepted || c->file->single || c->paused ||
            c->got == 0 || passed < 1000 || left < STEAL_LEAST)
            continue;
        if (left / (c->got / passed + 1) > longest_ms) {
            longest_ms = left / (c->got / passed + 1);
            slowest = c;
        }
    }
    if (slowest == NULL)
        return false;
    middle = slowest->span.start + (slowest->span.end - slowest->span.start) / 2;
    middle -= middle % POOL_CHUNK;
    if (middle <= slowest->span.start)
        return false;
    ranges_give(&slowest->file->ranges, (struct ranges_span){middle, slowest->span.end});
    slowest->span.end = middle;
    return true;
}

static bool steal_any(struct transfer *t, uint64_t now_ms)
{
    for (struct host *h = t->hosts; h != NULL; h = h->next)
        if (h->active > 0 && h->active < h->pace->allowed && now_ms >= h->not_before_ms &&
            steal(t, h, now_ms))
            return true;
    return false;
}

static void start(struct transfer *t, struct file *f, uint64_t now_ms)
{
    struct conn *c = free_conn(t);
    struct ranges_span span;
    struct err err;

    /* Patience begins with the first request, not while waiting for a turn. */
    if (f->host->active == 0 && f->host->failures == 0)
        f->host->progress_ms = now_ms;
    if (f->conns == 0 && f->attempt == 0)
        f->progress_ms = now_ms;
    if (!take(f, &span))
        return;
    if (fetch_start(c, f, span, &err) < 0) {
        c->file = NULL;
        ranges_give(&f->ranges, span);
        engine_fail(f, &err);
        engine_settle(f);
    }
}

void schedule(struct transfer *t)
{
    uint64_t now_ms = engine_now(t);
    struct file *f;

    for (;;) {
        if (free_conn(t) == NULL)
            return;
        f = next_file(t, now_ms);
        if (f == NULL && steal_any(t, now_ms))
            f = next_file(t, now_ms);
        if (f == NULL)
            return;
        start(t, f, now_ms);
    }
}

static void least(uint64_t *ms, uint64_t other)
{
    if (other < *ms)
        *ms = other;
}

/* How long the network thread may sleep: less while there are timers to look at. */
uint64_t schedule_wait_ms(struct transfer *t)
{
    uint64_t now_ms = engine_now(t);
    uint64_t wait_ms = t->busy > 0 ? t->tick_every_ms : IDLE_MS;

    if (t->quit)
        return 0;
    for (size_t i = 0; i < ENGINE_CONNS && t->starved > 0; i++)
        least(&wait_ms, fetch_resumable(&t->conns[i]) ? 0 : STARVED_MS);
    if (t->busy > 0 && t->rate.bps != 0)
        least(&wait_ms, rate_wait_ms(&t->rate, now_ms));
    for (struct file *f = t->files; f != NULL; f = f->next) {
        if (f->failed && !f->abandoned)
            least(&wait_ms, 10);
        if (!wants_network(f) || f->host == NULL)
            continue;
        if (f->not_before_ms > now_ms)
            least(&wait_ms, f->not_before_ms - now_ms);
        else if (f->host->not_before_ms > now_ms)
            least(&wait_ms, f->host->not_before_ms - now_ms);
        else if (may_start(t, f, now_ms) && free_conn(t) != NULL)
            return 0;
    }
    return wait_ms;
}

/* Too slow: no first byte, or no more of them. NULL: it is fine. */
static const char *too_slow(struct conn *c, uint64_t now_ms, enum retry_what *ret_what)
{
    const struct net_config *net = &c->t->net;

    if (c->probe || c->request.sent_ms == 0)
        return NULL;
    if (c->first_ms == 0) {
        *ret_what = RETRY_FIRST_BYTE;
        return now_ms - c->request.sent_ms > net->first_byte_ms ? "no byte comes" : NULL;
    }
    if (c->paused || c->got - c->window_got >= net->stall_bps * net->stall_ms / 1000) {
        c->window_ms = now_ms;
        c->window_got = c->got;
    }
    *ret_what = RETRY_STALL;
    return now_ms - c->window_ms > net->stall_ms ? "nearly nothing comes any more" : NULL;
}

static void tick_conns(struct transfer *t, uint64_t now_ms)
{
    for (size_t i = 0; i < ENGINE_CONNS; i++) {
        struct conn *c = &t->conns[i];
        enum retry_what what;
        const char *words;

        if (c->file == NULL)
            continue;
        if (c->chunk != NULL && c->chunk->len > 0 && now_ms - c->chunk_ms >= FLUSH_MS)
            fetch_flush(c);
        words = too_slow(c, now_ms, &what);
        if (words != NULL)
            answer_slow(c, what, words);
    }
}

/* The request of the host that is farthest ahead in its file; NULL if none. */
static struct conn *farthest(struct transfer *t, const struct host *h)
{
    struct conn *far = NULL;

    for (size_t i = 0; i < ENGINE_CONNS; i++) {
        struct conn *c = &t->conns[i];

        if (c->file != NULL && c->host == h && (far == NULL || c->span.start > far->span.start))
            far = c;
    }
    return far;
}

/* Too many connections brought the goodput down: it comes back only when they are closed. */
static void cut_off(struct transfer *t, struct host *h)
{
    struct conn *c;

    engine_lock(t);
    while (h->active > h->pace->allowed && (c = farthest(t, h)) != NULL)
        fetch_stop(c);
    engine_unlock(t);
}

static void tick_pace(struct transfer *t, uint64_t now_ms)
{
    bool limited;

    engine_lock(t);
    limited = t->starved > 0 || t->throttled;
    t->throttled = false;
    engine_unlock(t);
    t->tick_every_ms = TICK_MS;
    for (struct host *h = t->hosts; h != NULL; h = h->next) {
        enum pace_change change =
            pace_tick(h->pace, h->active, limited || now_ms < h->not_before_ms, now_ms);

        if (change != PACE_SAME && h->pace->state == PACE_LOW)
            cut_off(t, h);
        if (change == PACE_COLLAPSED)
            address_collapsed(h);
        if (h->active > 0 && pace_is_trying(h->pace))
            t->tick_every_ms = PACE_QUICK_TICK_MS;
        address_poll(h);
    }
}

/* The rate of the last seconds, a second a slot. */
static void tick_bps(struct transfer *t, uint64_t now_ms)
{
    const unsigned slots = sizeof(t->bps_bytes) / sizeof(t->bps_bytes[0]);
    uint64_t passed = now_ms - t->bps_ms;
    uint64_t received = t->received;
    uint64_t oldest;

    if (passed < 500)
        return;
    t->bps_ms = now_ms;
    t->bps_at = (t->bps_at + 1) % slots;
    oldest = t->bps_bytes[t->bps_at];
    t->bps_bytes[t->bps_at] = received;
    engine_lock(t);
    t->bps = (received - oldest) * 1000 / (slots * passed);
    engine_unlock(t);
}

void schedule_ticks(struct transfer *t)
{
    uint64_t now_ms = engine_now(t);

    if (now_ms - t->tick_ms < t->tick_every_ms)
        return;
    t->tick_ms = now_ms;
    tick_conns(t, now_ms);
    engine_lock(t);
    disk_kick_all(t);
    engine_unlock(t);
    tick_bps(t, now_ms);
    fit_tick(&t->fit, now_ms);
    if (t->tick_every_ms < TICK_MS || now_ms - t->pace_ms >= PACE_TICK_MS) {
        t->pace_ms = now_ms;
        tick_pace(t, now_ms);
    }
}
