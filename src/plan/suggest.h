/*
 * What would have to change so that an item runs, or runs better: each change is judged by the same
 * rules as the plan itself, on the GPU where the item is or comes closest. In order of what it
 * costs: context, eager, a smaller batch, an 8-bit cache, a smaller form of the model, several
 * GPUs, another GPU, ending what holds this one.
 */
#ifndef PLAN_SUGGEST_H
#define PLAN_SUGGEST_H

#include "plan/plan.h"

/* Fills in placed->suggestions: nothing for an item that fits. */
void suggest(struct arena *a, struct plan_placed *placed, const struct plan_ask *ask);

#endif
