/*
 * What the worker holds of the GPUs: measured once its engine is ready, told to the coordinators
 * and marked on the volume, so that a plan knows which memory comes free when this worker is
 * planned anew, and leaves it where it is.
 *
 * What a GPU's use has grown by between the start of CMD and its readiness counts as ours, on the
 * GPUs that a plan gave us, or without a plan on all that we see. Who starts another engine on the
 * same GPU in that time is measured too: so a plan never takes more for ours than is in use, and
 * what our own plan gave us stands beside it. A process of its own asks, as GPUs may take long to
 * answer, and what the driver's library leaves in memory shall not stay beside the engine.
 */
#ifndef WORKER_HOLDING_H
#define WORKER_HOLDING_H

#include "config/config.h"
#include "worker/gate.h"
#include "worker/in_use.h"
#include "worker/news.h"
#include "worker/planned.h"
#include "worker/registrar.h"

/* Less was taken by others, or is no engine. */
#define HOLDING_LEAST_MIB UINT64_C(128)

struct holding_of {
    const struct config *config;
    const char *type;
    const struct worker_gate *gate;
    const struct planned *planned; /* NULL: nobody plans */
    struct registrar *registrar;
    struct in_use *in_use;
};

struct holding {
    struct holding_of of;
    struct str before;       /* the GPUs as a JSON array; empty: nobody looked */
    char worker[USE_WORKER]; /* in the marks */
    int fd;                  /* who asks tells through it; -1: nobody does */
    pid_t pid;               /* reaped with all others */
    struct arena arena;      /* what it told */
    struct buf said;
};

/*
 * The volume is filled, CMD will be started. gpus is what the gate saw age_ms ago: where that
 * is long, as after a download, it is asked again. All of it must outlive h.
 */
void holding_begin(struct holding *h, struct arena *a, const struct holding_of *of, struct str gpus,
                   uint64_t age_ms);

/* An observer of the worker's news: asks when it runs, and tells what came of it. */
void holding_observe(void *ctx, enum news_kind kind, const struct worker_news *now);

/* The last command has ended. h may be zeroed. */
void holding_end(struct holding *h);

#endif
