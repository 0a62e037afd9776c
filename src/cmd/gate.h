/* The gate of `run`: what src/gpu says of this host, asked as the configuration wants it. */
#ifndef CMD_GATE_H
#define CMD_GATE_H

#include "config/config.h"
#include "report/report.h"

/* Fits struct worker_gate; ctx is not used. */
int gate_check(void *ctx, struct arena *a, const struct config *config,
               const struct catalog_worker *type, struct report *report,
               struct err *err) MUST_CHECK;

#endif
