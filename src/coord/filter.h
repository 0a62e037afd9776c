/*
 * Which workers are asked for: by type, state, model and labels, all of which must hold. The same
 * for who lists them and for who follows them.
 */
#ifndef COORD_FILTER_H
#define COORD_FILTER_H

#include "config/catalog.h"
#include "err/err.h"
#include "fleet/record.h"

#define FILTER_LABELS_MAX 16

struct filter {
    const struct catalog *catalog;        /* which names are one model's */
    struct str type;                      /* ptr NULL, here and below: any */
    struct str state;                     /* of spin-up, or "lost" */
    const char *model;                    /* canonical (names.h); NULL: any */
    struct str labels[FILTER_LABELS_MAX]; /* KEY or KEY=VALUE */
    size_t label_count;
};

/* One more label; false: there are as many as may be. */
bool filter_add_label(struct filter *f, struct str label);

/* Whether the state is one that a worker can be in: another would list nothing, without a word. */
bool filter_state_is_known(const struct filter *f);

bool filter_passes(const struct filter *f, const struct fleet_listed *listed);

#endif
