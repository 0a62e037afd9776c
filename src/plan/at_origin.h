/*
 * The headers of a model at its origin, by ranges: the listing, and of each file as much as its
 * header is long. At most two requests a file (a header of more than 1 MiB needs the second), of
 * several files at once.
 */
#ifndef PLAN_AT_ORIGIN_H
#define PLAN_AT_ORIGIN_H

#include "config/config.h"
#include "model/facts.h"
#include "report/report.h"

#define AT_ORIGIN_THREADS ((size_t)16)

/*
 * The report gets a warning where the origin lets one wait, or is asked again; that goes on for
 * give_up_ms of the configuration. As a pull fails: ERR_NET, ERR_AUTH, ERR_NOT_FOUND; ERR_LIMIT for
 * headers that cannot be read.
 */
int at_origin_facts(struct model_facts *out, struct arena *a, const struct config *config,
                    struct report *report, const struct model_ref *ref, struct err *err) MUST_CHECK;

#endif
