/* What all models of a pull share: made at its start, given up at its end. */
#ifndef PULL_SETUP_H
#define PULL_SETUP_H

#include "pull/job.h"

/* Opens the volume and says what is odd about it (nothing survives there; cannot be written). */
int pull_setup(struct pull *pull, struct arena *a, const struct config *config,
               struct report *report, struct err *err) MUST_CHECK;
void pull_teardown(struct pull *pull);

#endif
