/*
 * What room there is: how much of each GPU may be given away, which GPUs are the same, and which
 * of them an item may have.
 */
#ifndef PLAN_ROOM_H
#define PLAN_ROOM_H

#include "plan/plan.h"

/* GPUs of the same model and size on one host. */
struct plan_class {
    const struct plan_gpu *like; /* its first */
    uint64_t gpus;               /* as bits */
    uint32_t count;              /* of those that the item may have */
    uint64_t capacity;           /* bytes; of the roomiest */
    struct fit_gpu fit;          /* free is the capacity */
};

/* Bytes that others hold: not free, and not held by workers that are planned anew. */
uint64_t room_held(const struct plan_gpu *gpu);

/*
 * Bytes that may be given away: all that nobody else holds, less a reserve. 0 for a GPU that cannot
 * be used.
 */
uint64_t room_capacity(const struct plan_ask *ask, const struct plan_gpu *gpu);

/* The GPU as fit_judge() takes it, of which free_bytes may be had. */
struct fit_gpu room_fit(const struct plan_gpu *gpu, uint64_t free_bytes);

/* "8.9" as 89; 0 for what is no such number, as AMD's targets. */
uint32_t room_sm(const struct plan_gpu *gpu);

bool room_same_host(const struct plan_gpu *x, const struct plan_gpu *y);

/*
 * The classes of those of the allowed GPUs (bits) that can be used, with their capacities as they
 * are in the ask; at most one a GPU. Their number.
 */
size_t room_classes(struct plan_class *out, const struct plan_ask *ask, uint64_t allowed);

/*
 * The GPUs that an item may have, as bits: those it is pinned to, and no smaller one than its type
 * allows. ERR_USAGE for a pin that means no GPU, or several.
 */
int room_allowed(uint64_t *ret_bits, const struct plan_ask *ask, const struct plan_item *item,
                 struct err *err) MUST_CHECK;

#endif
