/*
 * The gate: can this host carry this worker? Asked before anything is downloaded. Who knows about
 * GPUs fills the seam in; without it everything passes.
 */
#ifndef WORKER_GATE_H
#define WORKER_GATE_H

#include "config/config.h"
#include "report/report.h"

/* What it is asked about. */
struct gate_ask {
    const struct config *config;
    const struct catalog_worker *type;
    struct report *report;
};

struct worker_gate {
    /*
     * 0: it can; warnings went to the report. ERR_GPU says why not. *ret_gpus is a JSON array of
     * the GPUs there are, where it had to look. NULL: nobody asks.
     */
    int (*check)(void *ctx, struct str *ret_gpus, struct arena *a, const struct gate_ask *ask,
                 struct err *err);
    /* The same array once more, as the GPUs are now. NULL: nobody can be asked. */
    int (*look)(struct str *ret_gpus, struct arena *a, const struct config *config,
                struct err *err);
    void *ctx;
};

int gate_pass(const struct worker_gate *gate, struct str *ret_gpus, struct arena *a,
              const struct gate_ask *ask, struct err *err) MUST_CHECK;

#endif
