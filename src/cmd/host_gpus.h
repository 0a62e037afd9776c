/* The GPUs that a command goes by: those of this host, or of a file that stands for it. */
#ifndef CMD_HOST_GPUS_H
#define CMD_HOST_GPUS_H

#include "config/config.h"
#include "gpu/gpu.h"

/* --gpus-from, else the drivers; nothing is looked at where ENABLE_GPU=false. */
int inventory_of_host(struct gpu_inventory *out, struct arena *a, const struct config *config,
                      struct err *err) MUST_CHECK;

#endif
