/*
 * The models of a worker onto the volume, by a pull whose moves and progress become the worker's.
 */
#ifndef WORKER_FILL_H
#define WORKER_FILL_H

#include "config/config.h"
#include "report/report.h"
#include "worker/news.h"

/* The news is GATING before, and in one of the states of a pull, or where it was, afterwards. */
int fill_volume(struct arena *a, const struct config *config, struct report *report,
                const struct catalog_choice *choice, struct news *news, struct err *err) MUST_CHECK;

#endif
