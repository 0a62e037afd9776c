/* What a child finds in its environment: ours, with the places that the configuration settled. */
#ifndef WORKER_ENVIRONMENT_H
#define WORKER_ENVIRONMENT_H

#include "config/config.h"

/*
 * A copy of variables (ends with NULL) in which the volume and its stores are what the
 * configuration made of flags, environment and defaults; HF_HUB_OFFLINE is 1 unless it was set.
 * NOTIFY_SOCKET and WATCHDOG_* are gone: it is we who speak with the service manager.
 */
char *const *environment_for_child(struct arena *a, char *const *variables,
                                   const struct config *config);

/* The value of a variable in it; NULL: unset. */
const char *environment_value(char *const *variables, const char *name);

#endif
