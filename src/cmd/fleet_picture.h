/*
 * The coordinator's picture of a host: what a plan of its workers would do, beside what they hold.
 * All of it is reckoned from their records and the catalog's knowledge of its own models: nothing
 * is read from a disk, and nobody is asked.
 */
#ifndef CMD_FLEET_PICTURE_H
#define CMD_FLEET_PICTURE_H

#include "config/catalog.h"
#include "fleet/record.h"
#include "mem/arena.h"

/* More steps of the search would keep the coordinator from its workers; then what was found is
 * shown. */
#define FLEET_PICTURE_NODES UINT64_C(20000)

/*
 * SVG of these workers, which are of one host and in the order of their ids; fits struct
 * coordinator; ctx is a const struct catalog. A worker whose type or models the catalog does not
 * know is not planned, and what it holds stays its own. ERR_USAGE or ERR_LIMIT for GPUs that a
 * worker tells of and that cannot be read, or are too many.
 */
int fleet_picture(void *ctx, struct str *ret_svg, struct arena *a,
                  const struct fleet_listed *workers, size_t count, struct err *err) MUST_CHECK;

#endif
