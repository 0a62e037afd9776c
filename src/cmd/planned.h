/*
 * A plan at work: pull --plan and run --plan auto fetch the form of a model that was planned, and
 * run puts the planned settings into the words of its command.
 */
#ifndef CMD_PLANNED_H
#define CMD_PLANNED_H

#include "cmd/cmd.h"
#include "gpu/gpu.h"
#include "worker/planned.h"

struct planned_ask {
    const struct config *config;
    struct report *report;
    const struct gpu_inventory *inventory; /* those that may be used */
    const char *const *words;              /* types and models; ends NULL */
    bool optional;
};

/*
 * Changes the wants of choice to the forms that were planned, and says so; out may be NULL. What
 * does not run here is ERR_GPU.
 */
int planned_apply(struct planned *out, struct catalog_choice *choice, struct arena *a,
                  const struct planned_ask *ask, struct err *err) MUST_CHECK;

#endif
