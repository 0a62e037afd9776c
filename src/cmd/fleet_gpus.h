/* The GPUs of all hosts that the coordinator knows: what plan --fleet plans over. */
#ifndef CMD_FLEET_GPUS_H
#define CMD_FLEET_GPUS_H

#include "cmd/cmd.h"
#include "plan/running.h"

struct fleet_gpus {
    struct plan_gpu *at;
    size_t count;
    running_list running; /* workers that hold GPUs */
};

/*
 * Of each host as the worker there tells that beat last; of hosts whose workers are all lost or
 * have ended nothing is known. What that worker saw may be older than what another holds: at least
 * as much is in use as all hold together. Errors as those of `hostler workers`; ERR_LIMIT for what
 * cannot be read.
 */
int fleet_gpus(struct fleet_gpus *out, struct cmd_context *ctx, struct err *err) MUST_CHECK;

/* The same of workers that are at hand; they must outlive what is put out. */
int fleet_gpus_of(struct fleet_gpus *out, struct arena *a, const struct fleet_listed *all,
                  size_t count, struct err *err) MUST_CHECK;

/* It is heard, has not ended, and tells of GPUs. */
bool fleet_is_alive(const struct fleet_listed *worker);

#endif
