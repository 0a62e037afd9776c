/*
 * What /proc, /sys and /dev say of NVIDIA's driver, without its library: enough to tell "the driver
 * is loaded, its library is not in this container" from "no driver", and to name the cards.
 */
#ifndef GPU_NVML_HOST_H
#define GPU_NVML_HOST_H

#include "gpu/gpu.h"
#include "text/str.h"

struct nvml_host {
    const char *module; /* version of the loaded kernel module; NULL: none is loaded */
    const char *card;   /* place on the bus of the first NVIDIA display card; NULL: none */
    struct gpu *gpus;   /* that the module knows, in order of the bus: uuid, name, pci */
    size_t gpu_count;
    const char *control; /* why /dev/nvidiactl cannot be opened; NULL: it can */
};

void nvml_host_look(struct nvml_host *out, struct arena *a, const struct gpu_look *look);

/*
 * The version in the text of /proc/driver/nvidia/version; NULL if there is none:
 * "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024"
 */
const char *nvml_host_version(struct arena *a, struct str text);

#endif
