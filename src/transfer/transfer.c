#include "transfer/transfer.h"

#include <assert.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sys/stop.h"
#include "transfer/engine.h"

/* How long what is under way may take to be put down when a transfer is cancelled. */
#define CANCEL_MS 800
#define JOIN_MS   200
#define POLL_MS   100

static void push_event(struct transfer *t, enum transfer_event_kind kind, void *user,
                       const struct err *err)
{
    struct arena a = {0};
    struct event *e = arena_new(&a, struct event);
    uint64_t one = 1;
    ssize_t wrote;

    e->arena = a;
    e->event = (struct transfer_event){.kind = kind, .user = user};
    if (err != NULL)
        e->event.err = *err;
    if (t->events == NULL) {
        wrote = write(t->event_fd, &one, sizeof(one));
        (void)wrote; /* a full counter is readable, too */
    }
    *t->events_last = e;
    t->events_last = &e->next;
}

void engine_wake(struct transfer *t)
{
    t->news = true;
    if (!t->sleeping)
        return;
    t->sleeping = false;
    (void)t->curl->multi_wakeup(t->multi);
}

void engine_fail(struct file *f, const struct err *err)
{
    if (f->failed || f->ended)
        return;
    f->failed = true;
    f->err = *err;
    engine_wake(f->t);
}

static void end(struct file *f, enum transfer_event_kind kind, const struct err *err)
{
    f->ended = true;
    f->t->ended_staged += f->ranges.staged;
    f->t->ended_hashed += f->ranges.hashed;
    push_event(f->t, kind, f->target.user, err);
    (void)pthread_cond_broadcast(&f->t->quiet);
    engine_wake(f->t);
}

void engine_settle(struct file *f)
{
    if (f->failed && !f->ended && f->conns == 0 && f->writes == 0 && !f->writing && !f->hashing)
        end(f, TRANSFER_FAILED, &f->err);
}

void engine_done(struct file *f)
{
    if (!f->failed)
        end(f, TRANSFER_DONE, NULL);
}

static int start(struct transfer *t, struct err *err)
{
    t->curl = curl_api(err);
    if (t->curl == NULL)
        return -1;
    t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->event_fd < 0)
        return err_sys(err, ERR_BUG, "eventfd");
    t->multi = t->curl->multi_init();
    if (t->multi == NULL)
        return err_set(err, ERR_BUG, "libcurl gives no handle");
    (void)t->curl->multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)ENGINE_CONNS);
    if (disk_start(t, err) < 0)
        return -1;
    return disk_thread(&t->thread, engine_loop, t, err);
}

static void init_sync(struct transfer *t)
{
    pthread_condattr_t monotonic;

    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->quiet, &monotonic);
    (void)pthread_cond_init(&t->hash.work, NULL);
    (void)pthread_cond_init(&t->write.work, NULL);
    (void)pthread_condattr_destroy(&monotonic);
}

struct transfer *transfer_new(const struct net_config *net, struct err *err)
{
    struct arena a = {0};
    struct transfer *t = arena_new(&a, struct transfer);

    t->arena = a;
    t->event_fd = -1;
    t->net = net_config_defaults(net);
    t->queue_last = &t->queue;
    t->events_last = &t->events;
    t->hash.last = &t->hash.first;
    t->write.last = &t->write.first;
    t->random = (uint32_t)clock_unix_ms(net->clock) | 1;
    rate_init(&t->rate, t->net.limit_rate_bps, engine_now(t));
    fit_init(&t->fit, ENGINE_REQUEST_MIN, ENGINE_REQUEST_MAX, engine_now(t));
    t->now_ms = t->bps_ms = t->pace_ms = t->tick_ms = engine_now(t);
    t->tick_every_ms = PACE_QUICK_TICK_MS;
    init_sync(t);
    if (start(t, err) < 0)
        transfer_free(&t);
    return t;
}

int transfer_add(struct transfer *t, const struct transfer_target *target, struct err *err)
{
    struct arena a = {0};
    struct file *f = arena_new(&a, struct file);
    bool on_disk = target->verify_only || target->claims_all;

    f->stream = digest_start(target->want.kind, target->size, err);
    if (f->stream == NULL) {
        arena_free(&a);
        return err_wrap(err, "%s", target->name);
    }
    f->arena = a;
    f->t = t;
    f->target = *target;
    f->write_last = &f->write_first;
    f->read_all = on_disk && target->size > 0;
    f->had_claims = on_disk || target->claims.len > 0;
    out_init(&f->out, target->fd, target->size);
    if (on_disk)
        f->target.claims = (struct journal_claims){0};
    ranges_init(&f->ranges, &f->arena, target->size, f->target.claims);
    if (on_disk) {
        struct ranges_span all;

        (void)ranges_take(&f->ranges, target->size, &all);
        ranges_written(&f->ranges, target->size);
    }
    engine_lock(t);
    *t->queue_last = f;
    t->queue_last = &f->next;
    t->unreported++;
    engine_wake(t);
    engine_unlock(t);
    return 0;
}

static void wait_event(struct transfer *t, uint64_t wait_ms)
{
    struct pollfd fds[] = {{.fd = t->event_fd, .events = POLLIN},
                           {.fd = stop_fd(), .events = POLLIN}};

    (void)poll(fds, stop_fd() >= 0 ? 2 : 1, wait_ms > 500 ? 500 : (int)wait_ms);
}

static bool pop_event(struct transfer *t, struct transfer_event *out)
{
    struct event *e = t->events;
    struct arena a;
    uint64_t drained;
    ssize_t got;

    if (e == NULL)
        return false;
    t->events = e->next;
    if (t->events == NULL) {
        t->events_last = &t->events;
        got = read(t->event_fd, &drained, sizeof(drained));
        (void)got;
    }
    *out = e->event;
    a = e->arena;
    arena_free(&a);
    t->unreported--;
    return true;
}

struct transfer_event transfer_next(struct transfer *t, uint64_t wait_ms)
{
    struct transfer_event event = {.kind = TRANSFER_TICK};
    bool got;

    for (int turn = 0; turn < 2; turn++) {
        engine_lock(t);
        got = pop_event(t, &event);
        if (!got && t->unreported == 0)
            event.kind = TRANSFER_IDLE;
        engine_unlock(t);
        if (got || event.kind == TRANSFER_IDLE || turn == 1)
            break;
        wait_event(t, wait_ms);
    }
    return event;
}

static struct transfer_progress progress_of(const struct file *f)
{
    return (struct transfer_progress){.staged_bytes = f->ranges.staged,
                                      .hashed_bytes = f->ranges.hashed,
                                      .connections = f->conns};
}

struct transfer_progress transfer_progress(struct transfer *t, const void *user)
{
    struct transfer_progress all = {0};

    engine_lock(t);
    if (user == NULL)
        all = (struct transfer_progress){.received_bytes = t->received,
                                         .staged_bytes = t->ended_staged,
                                         .hashed_bytes = t->ended_hashed,
                                         .bps = t->bps,
                                         .connections = t->busy};
    for (const struct file *f = t->files; f != NULL; f = f->next) {
        struct transfer_progress one = progress_of(f);

        if (user != NULL && f->target.user == user)
            all = one;
        if (user == NULL && !f->ended) {
            all.staged_bytes += one.staged_bytes;
            all.hashed_bytes += one.hashed_bytes;
        }
    }
    engine_unlock(t);
    return all;
}

static bool picked(const struct file *f, bool (*pick)(const void *user, void *ctx), void *ctx)
{
    return pick == NULL || pick(f->target.user, ctx);
}

static void cancel_queued(struct transfer *t, bool (*pick)(const void *, void *), void *ctx,
                          const struct err *why)
{
    struct file **at = &t->queue;
    struct file *f;

    while ((f = *at) != NULL) {
        if (!picked(f, pick, ctx)) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        push_event(t, TRANSFER_FAILED, f->target.user, why);
        engine_free_file(f);
    }
    t->queue_last = at;
}

static bool any_left(const struct transfer *t, bool (*pick)(const void *, void *), void *ctx)
{
    for (const struct file *f = t->files; f != NULL; f = f->next)
        if (!f->ended && picked(f, pick, ctx))
            return true;
    return false;
}

static struct timespec deadline(int clock, long ms)
{
    struct timespec at;

    (void)clock_gettime(clock, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

void transfer_cancel(struct transfer *t, bool (*pick)(const void *user, void *ctx), void *ctx)
{
    struct timespec until = deadline(CLOCK_MONOTONIC, CANCEL_MS);
    struct err why = {0};
    int waited = 0;

    (void)err_set(&why, ERR_INTERRUPTED, "cancelled");
    engine_lock(t);
    cancel_queued(t, pick, ctx, &why);
    for (struct file *f = t->files; f != NULL; f = f->next)
        if (!f->ended && picked(f, pick, ctx)) {
            engine_fail(f, &why);
            engine_settle(f);
        }
    engine_wake(t);
    while (any_left(t, pick, ctx) && waited == 0)
        waited = pthread_cond_timedwait(&t->quiet, &t->lock, &until);
    /* Something hangs in the kernel: report its file and never touch it again. */
    for (struct file *f = t->files; f != NULL; f = f->next)
        if (!f->ended && picked(f, pick, ctx)) {
            f->abandoned = true;
            end(f, TRANSFER_FAILED, &why);
        }
    engine_unlock(t);
}

/* True when the thread has ended; one that hangs is left to the end of the process. */
static bool join(pthread_t thread, const struct timespec *until)
{
    if (pthread_timedjoin_np(thread, NULL, until) == 0)
        return true;
    (void)pthread_detach(thread);
    return false;
}

static bool join_all(struct transfer *t)
{
    struct timespec until = deadline(CLOCK_REALTIME, JOIN_MS);
    bool all = t->thread == 0 || join(t->thread, &until);

    for (unsigned i = 0; i < t->hash.thread_count; i++)
        all = join(t->hash.threads[i], &until) && all;
    for (unsigned i = 0; i < t->write.thread_count; i++)
        all = join(t->write.threads[i], &until) && all;
    return all;
}

static void free_hosts(struct transfer *t)
{
    for (struct host *h = t->hosts; h != NULL; h = h->next)
        address_done(h);
}

void transfer_free(struct transfer **transfer)
{
    struct transfer *t = *transfer;
    struct transfer_event event;
    struct arena a;

    *transfer = NULL;
    if (t == NULL)
        return;
    if (t->thread != 0)
        transfer_cancel(t, NULL, NULL);
    engine_lock(t);
    t->quit = true;
    t->sleeping = t->multi != NULL;
    engine_wake(t);
    (void)pthread_cond_broadcast(&t->hash.work);
    (void)pthread_cond_broadcast(&t->write.work);
    engine_unlock(t);
    if (!join_all(t))
        return; /* a thread that hangs may still look at all of this */
    while (pop_event(t, &event))
        continue;
    for (size_t i = 0; i < ENGINE_CONNS; i++)
        request_done(&t->conns[i].request);
    free_hosts(t);
    if (t->multi != NULL)
        (void)t->curl->multi_cleanup(t->multi);
    if (t->event_fd >= 0)
        (void)close(t->event_fd);
    for (struct file *f = t->files, *next; f != NULL; f = next) {
        next = f->next;
        engine_free_file(f);
    }
    pool_done(&t->pool);
    (void)pthread_cond_destroy(&t->quiet);
    (void)pthread_cond_destroy(&t->hash.work);
    (void)pthread_cond_destroy(&t->write.work);
    (void)pthread_mutex_destroy(&t->lock);
    a = t->arena;
    arena_free(&a);
}
