/*
 * The workers that run already: which GPUs they hold, so that one that is planned anew stays where
 * it is if nothing better is possible, and what it holds counts as free for it.
 *
 *     marks of use on the volume (store/use.h) --running_on_volume-->
 *     records of the coordinator (fleet/record.h) --running_of_record--> running_keep --> the ask
 *
 * A type that is planned takes the place of one worker of that type that runs, and a type that is
 * named twice of two; what all others hold stays theirs. Of what a GPU has in use no more than that
 * counts as held.
 */
#ifndef PLAN_RUNNING_H
#define PLAN_RUNNING_H

#include "config/config.h"
#include "fleet/record.h"
#include "plan/plan.h"
#include "text/vec.h"

struct running_hold {
    const char *uuid;
    uint64_t bytes;
};

struct running {
    const char *type; /* of the worker */
    const char *who;  /* for people: its id, or the type */
    const struct running_hold *holds;
    size_t hold_count;
    const char *id; /* inside: the same in all marks of one worker */
};

typedef VEC(struct running) running_list;

/*
 * Adds those whose marks on the volume are of this boot of this host: what others hold is of other
 * GPUs, and what was before the boot is gone. A volume that is not there has none.
 */
void running_on_volume(running_list *list, struct arena *a, const struct config *config);

/* Adds a worker if it holds something. The record must outlive the list. */
void running_of_record(running_list *list, struct arena *a, const struct fleet_record *record);

/*
 * Sets current of the ask's items, and held and managed of its GPUs, by UUID. The items, which are
 * the ask's, are written to.
 */
void running_keep(struct plan_ask *ask, struct plan_item *items, struct arena *a,
                  const running_list *list);

#endif
