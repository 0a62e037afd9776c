/* What the environment says about GPUs, as values. */
#ifndef CONFIG_GPU_H
#define CONFIG_GPU_H

#include "config/config.h"
#include "config/environment.h"

/* Of an environment that environment_read() took: every value is one of those that are taken. */
void gpu_set(struct config_gpu *out, struct arena *a, const struct environment *e);

#endif
