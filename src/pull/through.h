/* The inside of through_ollama.h: what its steps share with what is heard while it pulls. */
#ifndef PULL_THROUGH_H
#define PULL_THROUGH_H

#include "pull/job.h"
#include "source/ollama_server.h"

/* What a pull of one model remembers between its steps. */
struct through {
    struct job *job;
    struct ollama_server *server;
    /* When anything last moved, and when it got further than ever; other models' time between two
     * steps is taken out. What stands still is given up by the one, what never gets any further
     * by the other. */
    uint64_t moved_ms;
    uint64_t further_ms;
    uint64_t left_ms;  /* when the last step ended */
    uint64_t again_ms; /* and what it asked for */
    uint64_t told_ms;
    uint64_t began_ms;
    uint64_t most_bytes;         /* completed, at its highest in any try */
    unsigned tries;              /* since it got further than ever */
    unsigned wrong;              /* tries that brought wrong bytes */
    bool waited;                 /* for it to be ready, just now */
    bool over;                   /* the wait was in vain */
    struct ollama_listed before; /* what it listed when it was first asked */
    bool pulled;                 /* it has said success */
    /* of the pull under way */
    uint64_t try_bytes;
    enum ollama_phase try_phase;
    uint64_t speed_ms;
    uint64_t speed_bytes;
    uint64_t bps;
};

static inline uint64_t through_now_ms(const struct through *t)
{
    return clock_now_ms(t->job->pull->clock);
}

static inline uint64_t through_patience_ms(const struct through *t)
{
    return t->job->pull->net.give_up_ms;
}

/* After each line of its answer: shows it, and ends a pull that no longer gets further. */
int through_heard(void *ctx, const struct ollama_stream *s, struct err *err);

#endif
