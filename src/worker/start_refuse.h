/* Why a command did not come up, as errors with the way out. */
#ifndef WORKER_START_REFUSE_H
#define WORKER_START_REFUSE_H

#include "worker/supervise.h"

/* ERR_WAIT: --start-timeout has passed. reason is what the last look for readiness saw; "": none.
 */
int start_late(const struct supervised *command, const char *reason, uint64_t timeout_ms,
               struct err *err);

/* ERR_USAGE: execve(2) refused it with the errno cannot. */
int start_cannot(const struct supervised *command, int cannot, struct err *err);

#endif
