/*
 * NVIDIA's management library, libnvidia-ml.so.1, by declarations of our own: no package of Debian
 * main has its header. The layouts are those of nvml.h (API 13) on 64-bit little-endian machines.
 *
 * The library talks to the kernel's driver, and with a GPU that is ill it hangs or crashes. So it
 * is opened and asked in a child process alone:
 *
 *     nvml_ask.c    in the child: asks, and sends what it gets as records (answer.h)
 *     nvml_mig.c, nvml_health.c, nvml_memory.c, nvml_process.c, nvml_link.c: one question each
 *     answer.c      the parent: reads the records within a time limit, and ends the child
 *     nvml.c        the driver: puts them together with what /proc and /sys say
 */
#ifndef GPU_NVML_H
#define GPU_NVML_H

#include <stdint.h>

#include "gpu/gpu.h"

typedef struct nvml_device_opaque *nvml_device;

enum nvml_code {
#define NVML_CODE(number, name, meaning, way_out) NVML_##name = (number),
#include "gpu/nvml_code.def"
#undef NVML_CODE
};

/* Both never NULL; a code that is not in the table has a meaning of its own. */
const char *nvml_code_meaning(int code);
const char *nvml_code_way_out(int code);

struct nvml_memory {
    uint64_t total;
    uint64_t free;
    uint64_t used; /* with what is reserved */
};

/* used is left alone: NVIDIA's own words on whether it holds what is reserved contradict. */
struct nvml_memory_v2 {
    uint32_t version;
    uint64_t total;
    uint64_t reserved;
    uint64_t free;
    uint64_t used;
};
#define NVML_MEMORY_V2 (sizeof(struct nvml_memory_v2) | 2U << 24)

struct nvml_pci {
    char bus_id_legacy[16];
    uint32_t domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};

struct nvml_process {
    uint32_t pid;
    uint64_t used; /* UINT64_MAX: not known */
    uint32_t gpu_instance;
    uint32_t compute_instance;
};

struct nvml_process_v1 {
    uint32_t pid;
    uint64_t used;
};

struct nvml_attributes {
    uint32_t sm, copy, decoder, encoder, jpeg, ofa, gpu_slices, compute_slices;
    uint64_t memory_mib;
};

struct nvml_field {
    uint32_t id;
    uint32_t scope;
    int64_t timestamp;
    int64_t latency_us;
    int32_t type;
    int32_t result;
    union {
        uint64_t u64;
        uint32_t u32;
    } value;
};

_Static_assert(sizeof(struct nvml_memory) == 24, "nvmlMemory_t");
_Static_assert(sizeof(struct nvml_memory_v2) == 40, "nvmlMemory_v2_t");
_Static_assert(NVML_MEMORY_V2 == 0x02000028, "nvmlMemory_v2");
_Static_assert(sizeof(struct nvml_pci) == 68, "nvmlPciInfo_t");
_Static_assert(sizeof(struct nvml_process) == 24, "nvmlProcessInfo_t");
_Static_assert(sizeof(struct nvml_process_v1) == 16, "nvmlProcessInfo_v1_t");
_Static_assert(sizeof(struct nvml_attributes) == 40, "nvmlDeviceAttributes_t");
_Static_assert(sizeof(struct nvml_field) == 40, "nvmlFieldValue_t");

struct nvml_api {
#define NVML(need, name, arguments) int(*name) arguments;
#include "gpu/nvml.def"
#undef NVML
};

#endif
