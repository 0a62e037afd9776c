/* plan --check FILE: a compose file that people wrote. */
#ifndef CMD_PLAN_CHECK_H
#define CMD_PLAN_CHECK_H

#include "cmd/cmd.h"
#include "plan/plan.h"

/* Prints each fault with its line and its mend; any fault is ERR_GPU, which exits with 11. */
/*
 * gpus: those that were named, over which each model is planned as its service starts it; none:
 * nothing is planned.
 */
int plan_check(struct cmd_context *ctx, const char *path, const struct plan_ask *gpus,
               struct err *err) MUST_CHECK;

#endif
