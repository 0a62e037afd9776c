/*
 * Facts of a model by its reference: from the volume if it is there, else from the built-in
 * catalog's knowledge, else from its headers at the origin, of which only so much is fetched as the
 * headers are long.
 */
#ifndef PLAN_LOOKUP_H
#define PLAN_LOOKUP_H

#include "config/config.h"
#include "plan/gather.h"
#include "report/report.h"

struct lookup {
    struct arena *arena;
    const struct config *config;
    struct report *report; /* of a network that lets one wait */
};

void lookup_begin(struct lookup *lookup, struct arena *a, const struct config *config,
                  struct report *report);

/* Fits gather_facts; ctx is a struct lookup. */
int lookup_facts(void *ctx, struct plan_model *out, const struct model_ref *ref, struct err *err);

#endif
