/*
 * GPUs by what people call them, so that a plan can be made for a card that is not here.
 *
 *     24GB       a size as cards are sold by: decimal gigabytes of the driver's total
 *     L4         a card of the table, in any case, with or without NVIDIA, GeForce, RTX, Tesla
 *     2xL4       two of them
 *
 * Of a card the table (cards.def) has total, reserved and compute capability as the driver gives
 * them. Of a size alone 1.8 % are taken as reserved, at least 350 MiB, and the compute capability
 * is not known, so that nothing is refused for lack of it.
 */
#ifndef GPU_CARDS_H
#define GPU_CARDS_H

#include "gpu/gpu.h"

/* The GPUs that specs name, empty, with made-up UUIDs: "GPU-1", "GPU-2". ERR_USAGE else. */
int cards_inventory(struct gpu_inventory *out, struct arena *a, const char *const *specs,
                    size_t count, struct err *err) MUST_CHECK;

/* "RTX 3060, ..., B200": for messages. */
const char *cards_names(struct arena *a);

#endif
