/*
 * Who a worker is, by its configuration: what of its record stands before anything was done, and
 * where it is registered. Each start is another instance.
 */
#ifndef WORKER_IDENTITY_H
#define WORKER_IDENTITY_H

#include "config/config.h"
#include "fleet/record.h"
#include "worker/coordinators.h"

/*
 * Sets id (WORKER_ID, else the host's name), instance, type (may be NULL), host, version, url
 * (--advertise) and labels (--label) of a new record. ERR_USAGE names the flag and what it takes.
 */
int identity_record(struct fleet_record *out, struct arena *a, const struct config *config,
                    const char *type, struct err *err) MUST_CHECK;

/*
 * COORDINATOR_URL, and the token of COORDINATOR_TOKEN, else of COORDINATOR_TOKEN_FILE. Without a
 * coordinator count is 0 and the token is not looked for. *ret_warning is what the operator should
 * know of it, NULL: nothing.
 */
int identity_coordinators(struct coordinators *out, const char **ret_warning, struct arena *a,
                          const struct config *config, struct err *err) MUST_CHECK;

#endif
