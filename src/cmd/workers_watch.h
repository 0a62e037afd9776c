/* workers --watch: follows the coordinator's stream of events. */
#ifndef CMD_WORKERS_WATCH_H
#define CMD_WORKERS_WATCH_H

#include "cmd/fleet_client.h"

/*
 * Prints until it is stopped (ERR_INTERRUPTED), or until nobody reads it. What none of the
 * coordinators answers at the beginning is an error; who breaks off later is asked again, from the
 * event on that was heard last.
 */
int workers_watch(struct fleet_client *c, struct err *err) MUST_CHECK;

#endif
