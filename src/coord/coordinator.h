/* What the coordinator's parts share. Made by server.c; one thread. */
#ifndef COORD_COORDINATOR_H
#define COORD_COORDINATOR_H

#include <stdint.h>

#include "config/catalog.h"
#include "coord/auth.h"
#include "coord/registry.h"
#include "coord/routes.h"

#define COORDINATOR_STATUSES 6

struct coordinator_counts {
    uint64_t requests[32][COORDINATOR_STATUSES]; /* by route, by hundreds of the status */
    uint64_t refused;                            /* without a route */
    uint64_t timed_out;                          /* connections that were too slow */
    uint64_t limited;                            /* requests over the rate */
    size_t connections;
    size_t streams;
};

struct coordinator {
    const struct clock *clock;
    const struct catalog *catalog;
    struct registry *registry;
    struct auth auth;
    size_t streams_max;
    uint64_t started_ms;
    struct coordinator_counts counts;
    /*
     * SVG of what a plan of these workers, all of one host, would do, and what they hold. It must
     * not block. Who knows of plans fills it in.
     */
    int (*picture)(void *ctx, struct str *ret_svg, struct arena *a,
                   const struct fleet_listed *workers, size_t count, struct err *err);
    void *picture_ctx;
};

#endif
