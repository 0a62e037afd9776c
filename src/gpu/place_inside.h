/* What the search (place.c) and the score (place_score.c) share. */
#ifndef GPU_PLACE_INSIDE_H
#define GPU_PLACE_INSIDE_H

#include "gpu/place.h"

/* weights[i] of item i: one more than all of lower priority, required or not alike, together. */
void place_weigh(uint64_t weights[static PLACE_ITEMS_MAX], const struct place_ask *ask);

/* The worst link between two of a set; 0 for a set of one, and where links are not known. */
uint8_t place_worst_link(const struct place_ask *ask, uint64_t gpus);

/* Adds what one choice is worth; all but `used`. */
void place_add(struct place_score *score, const struct place_ask *ask, const uint64_t *weights,
               size_t item, const struct place_choice *choice);

static inline size_t place_first(uint64_t bits)
{
    return (size_t)__builtin_ctzll(bits);
}

static inline uint32_t place_count(uint64_t bits)
{
    return (uint32_t)__builtin_popcountll(bits);
}

#endif
