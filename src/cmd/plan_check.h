/* plan --check FILE: a compose file that people wrote. */
#ifndef CMD_PLAN_CHECK_H
#define CMD_PLAN_CHECK_H

#include "cmd/cmd.h"

/* Prints each fault with its line and its mend; any fault is ERR_GPU, which exits with 11. */
int plan_check(struct cmd_context *ctx, const char *path, struct err *err) MUST_CHECK;

#endif
