/*
 * A worker's spin-up, from the gate to its end: what `hostler run` does.
 *
 *     gating -> checking ... publishing -> launching -> running -> draining -> stopped or failed
 *
 * Each step moves the worker's news, which log, status file and service manager observe. One
 * thread leads it; during the pull another one ticks, and the weights are read ahead by threads of
 * their own while CMD starts.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "config/config.h"
#include "report/report.h"
#include "worker/gate.h"
#include "worker/planned.h"

struct worker_options {
    const struct config *config;
    struct report *report;
    const struct clock *clock;
    const struct catalog_worker *type;
    const struct catalog_choice *choice;
    const struct worker_gate *gate; /* may let everything pass */
    const struct planned *planned;  /* filled in by the gate; NULL: nobody plans */
    char *const *command;           /* CMD and its words, as written; ends NULL */
    char *const *variables;         /* our environment */
};

/*
 * Runs it to its end. 0: *ret_status is the exit status, that of CMD, or 126 and 127 where it
 * cannot be run. Else err says what was in the way of it: of the gate, of the pull, of a command
 * that did not become ready (ERR_WAIT), of a stop before CMD was started (ERR_INTERRUPTED).
 */
int worker_run(int *ret_status, struct arena *a, const struct worker_options *options,
               struct err *err) MUST_CHECK;

#endif
