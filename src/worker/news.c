#include "worker/news.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define TICK_S 1

void news_init(struct news *n, const struct clock *clock)
{
    pthread_condattr_t monotonic;

    *n = (struct news){.clock = clock};
    n->now.since_unix_ms = clock_unix_ms(clock);
    (void)pthread_mutex_init(&n->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&n->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

void news_done(struct news *n)
{
    news_pulse_stop(n);
    (void)pthread_cond_destroy(&n->wake);
    (void)pthread_mutex_destroy(&n->lock);
}

void news_add(struct news *n, news_observe *tell, void *ctx)
{
    assert(n->count < NEWS_OBSERVERS);
    n->observers[n->count].tell = tell;
    n->observers[n->count].ctx = ctx;
    n->count++;
}

/* Under the lock. */
static void tell_all(struct news *n, enum news_kind kind)
{
    for (size_t i = 0; i < n->count; i++)
        n->observers[i].tell(n->observers[i].ctx, kind, &n->now);
}

void news_move(struct news *n, enum fleet_state to, const char *why)
{
    const struct fleet_invariant *holds = fleet_state_invariant(to);

    (void)pthread_mutex_lock(&n->lock);
    assert(fleet_state_may_move(n->now.state, to));
    if (!holds->ready)
        n->now.ready = false;
    assert(!holds->engine || n->now.engine);
    assert(!holds->ready || n->now.ready);
    assert(!holds->final || !n->now.engine);
    n->now.before = n->now.state;
    n->now.state = to;
    n->now.since_unix_ms = clock_unix_ms(n->clock);
    (void)snprintf(n->now.reason, sizeof(n->now.reason), "%s", why != NULL ? why : "");
    if (holds->engine || holds->final) {
        n->now.model[0] = '\0';
        n->now.bytes = n->now.total = n->now.bps = 0;
    }
    tell_all(n, NEWS_MOVED);
    (void)pthread_mutex_unlock(&n->lock);
}

void news_progress(struct news *n, const char *model, uint64_t bytes, uint64_t total, uint64_t bps)
{
    (void)pthread_mutex_lock(&n->lock);
    (void)snprintf(n->now.model, sizeof(n->now.model), "%s", model != NULL ? model : "");
    n->now.bytes = bytes;
    n->now.total = total;
    n->now.bps = bps;
    tell_all(n, NEWS_PROGRESS);
    (void)pthread_mutex_unlock(&n->lock);
}

void news_engine(struct news *n, bool there, pid_t pid)
{
    (void)pthread_mutex_lock(&n->lock);
    n->now.engine = there;
    n->now.pid = pid;
    (void)pthread_mutex_unlock(&n->lock);
}

void news_ready(struct news *n, bool ready)
{
    (void)pthread_mutex_lock(&n->lock);
    n->now.ready = ready;
    (void)pthread_mutex_unlock(&n->lock);
}

void news_restarts(struct news *n, uint64_t count)
{
    (void)pthread_mutex_lock(&n->lock);
    n->now.restarts = count;
    (void)pthread_mutex_unlock(&n->lock);
}

enum fleet_state news_state(struct news *n)
{
    enum fleet_state state;

    (void)pthread_mutex_lock(&n->lock);
    state = n->now.state;
    (void)pthread_mutex_unlock(&n->lock);
    return state;
}

void news_tick(struct news *n)
{
    (void)pthread_mutex_lock(&n->lock);
    tell_all(n, NEWS_TICK);
    (void)pthread_mutex_unlock(&n->lock);
}

static void *pulse(void *ctx)
{
    struct news *n = ctx;

    (void)pthread_mutex_lock(&n->lock);
    while (!n->pulse_ends) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += TICK_S;
        (void)pthread_cond_timedwait(&n->wake, &n->lock, &until);
        if (!n->pulse_ends)
            tell_all(n, NEWS_TICK);
    }
    (void)pthread_mutex_unlock(&n->lock);
    return NULL;
}

void news_pulse_start(struct news *n)
{
    sigset_t all;
    sigset_t before;

    /* Signals are for the worker's own thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    n->pulse_ends = false;
    n->pulsing = pthread_create(&n->pulse, NULL, pulse, n) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void news_pulse_stop(struct news *n)
{
    if (!n->pulsing)
        return;
    (void)pthread_mutex_lock(&n->lock);
    n->pulse_ends = true;
    (void)pthread_cond_signal(&n->wake);
    (void)pthread_mutex_unlock(&n->lock);
    (void)pthread_join(n->pulse, NULL);
    n->pulsing = false;
}
