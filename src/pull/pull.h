/*
 * A pull: makes the volume hold what is wanted, and downloads only what is missing.
 *
 * The orchestration that `hostler pull` and `hostler run` share: it asks receipts first (a complete
 * model costs stat() alone), takes a lease for what is not complete, asks the source for the
 * listing, the layout for what is there, the engine for the rest, and publishes. Models are worked
 * one after another; one that somebody else is downloading is put aside and the others go on. One
 * that fails does not stop the others.
 *
 * Everything that people see goes to the report. One thread.
 */
#ifndef PULL_PULL_H
#define PULL_PULL_H

#include "config/config.h"
#include "err/err.h"
#include "mem/arena.h"
#include "report/report.h"

/*
 * 0 when every want is on the volume. Else err is that of the first named want that failed, already
 * reported; all others that could be had are there. A stop (sys/stop.h) leaves what has arrived
 * for the next run and is ERR_INTERRUPTED.
 */
int pull_run(struct arena *a, const struct config *config, struct report *report,
             const struct catalog_choice *choice, struct err *err) MUST_CHECK;

/*
 * What a pull would do, as a table on out (with config->options.json one JSON document): file by
 * file what is there and what would come, from where, how large, whether it fits and whether we
 * may. Takes no lease and writes nothing.
 */
int pull_dry_run(struct buf *out, struct arena *a, const struct config *config,
                 struct report *report, const struct catalog_choice *choice,
                 struct err *err) MUST_CHECK;

#endif
