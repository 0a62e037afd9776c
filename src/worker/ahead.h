/*
 * Reading ahead for one start of CMD: which files, how many bytes, and the word about a volume that
 * is too slow. Nothing of it is ever in the way: what goes wrong is a note at debug level.
 */
#ifndef WORKER_AHEAD_H
#define WORKER_AHEAD_H

#include "config/config.h"
#include "report/report.h"
#include "worker/read_ahead.h"

struct ahead {
    struct read_ahead *reading; /* NULL: nothing is read */
    struct report *report;
    bool told;
};

void ahead_start(struct ahead *ahead, struct arena *a, const struct config *config,
                 struct report *report, const struct catalog_choice *choice, int runtime_fd);

/* CMD is ready, or a moment has passed: says once that the volume is slow, if it is. */
void ahead_look(struct ahead *ahead);

/* CMD has ended. */
void ahead_stop(struct ahead *ahead);

#endif
