/*
 * The worker's news: its state, why, how far it is. The one place where each change is told.
 *
 * The spin-up moves it from state to state (fleet/state.h has the table, and asserts hold it to
 * it); whoever wants to know is an observer: the log, the status file, sd_notify, later the
 * coordinator. An observer is a function that is told of each move, of progress, and of the passing
 * of time, about once a second; it must not block, and must not call back into the news.
 *
 * Moves, progress and the rest are the worker's own thread's. While that one is busy in a pull, a
 * thread of the news ticks in its place, so observers are called under a lock, by either.
 */
#ifndef WORKER_NEWS_H
#define WORKER_NEWS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err/err.h"
#include "fleet/state.h"
#include "sys/clock.h"

#define NEWS_REASON ((size_t)512)
#define NEWS_MODEL  ((size_t)1152)

/* How the worker is. A plain value, good for the length of the call. */
struct worker_news {
    enum fleet_state state;
    enum fleet_state before; /* the state before, for who is told of a move */
    char reason[NEWS_REASON];
    char model[NEWS_MODEL]; /* that is being filled; "": none */
    uint64_t bytes;         /* of it */
    uint64_t total;
    uint64_t bps;
    uint64_t since_unix_ms; /* when the state began */
    pid_t pid;              /* of CMD; 0: none */
    uint64_t restarts;
    bool engine; /* an engine of ours is wanted or there */
    bool ready;
};

enum news_kind {
    NEWS_MOVED,
    NEWS_PROGRESS,
    NEWS_TICK,
};

typedef void news_observe(void *ctx, enum news_kind kind, const struct worker_news *now);

#define NEWS_OBSERVERS 8

struct news {
    const struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t pulse;
    bool pulsing;
    bool pulse_ends;
    struct worker_news now;
    struct {
        news_observe *tell;
        void *ctx;
    } observers[NEWS_OBSERVERS];
    size_t count;
};

void news_init(struct news *n, const struct clock *clock);
void news_done(struct news *n);

/* ctx must live as long as the news. At most NEWS_OBSERVERS. */
void news_add(struct news *n, news_observe *tell, void *ctx);

/*
 * Moves, which the table must allow and the invariant of the new state must bear out (asserted).
 * why may be NULL.
 */
void news_move(struct news *n, enum fleet_state to, const char *why);

/* How far a model is. */
void news_progress(struct news *n, const char *model, uint64_t bytes, uint64_t total, uint64_t bps);

/* What the invariants speak of: an engine of ours is there (or is being started again). */
void news_engine(struct news *n, bool there, pid_t pid);
void news_ready(struct news *n, bool ready);
void news_restarts(struct news *n, uint64_t count);

enum fleet_state news_state(struct news *n);

/* A second has passed. */
void news_tick(struct news *n);

/* A thread that ticks, until it is stopped. What cannot be started is no error: nobody ticks. */
void news_pulse_start(struct news *n);
void news_pulse_stop(struct news *n);

#endif
