#include "gpu/nvml_ask.h"
#include "gpu/tree.h"
#include "text/num.h"

#define MIB ((uint64_t)1 << 20)
/* What CUDA cannot have where the library does not tell: measured on cards of 8 to 80 GB. */
#define RESERVED_LEAST_MIB ((uint64_t)350)
#define RESERVED_PER_MILLE ((uint64_t)18)

static void fill(struct gpu *gpu, uint64_t total_mib, uint64_t reserved_mib, uint64_t free_mib)
{
    if (total_mib > GPU_MIB_MAX)
        return;
    gpu->total_mib = total_mib;
    gpu->reserved_mib = reserved_mib < total_mib ? reserved_mib : total_mib;
    gpu->cuda_total_mib = total_mib - gpu->reserved_mib;
    gpu->free_mib = free_mib < gpu->cuda_total_mib ? free_mib : gpu->cuda_total_mib;
    gpu->used_mib = gpu->cuda_total_mib - gpu->free_mib;
}

/* "MemTotal:  127508480 kB" */
static uint64_t host_mib(struct str text, const char *name)
{
    struct str value;
    struct err unused;
    uint64_t kib = 0;

    if (!tree_field(&value, text, name) || !str_ends(value, STR(" kB")))
        return 0;
    value.len -= 3;
    return num_parse_u64(&kib, value, UINT64_MAX, &unused) == 0 ? kib / 1024 : 0;
}

/* A GPU without memory of its own (GB10, Jetson): it shares the host's. */
static void share_the_hosts(const struct nvml_asker *s, struct gpu *gpu)
{
    struct str text;

    gpu->unified = true;
    if (tree_text(&text, s->arena, s->proc, "meminfo"))
        fill(gpu, host_mib(text, "MemTotal"), 0, host_mib(text, "MemAvailable"));
    gpu_set_state(gpu, GPU_OK,
                  "it shares the host's memory, and CUDA does not count the page cache as free");
    gpu_set_hint(gpu, "if an engine finds too little free right after a download: "
                      "echo 1 > /proc/sys/vm/drop_caches as root");
}

static bool ask_v2(const struct nvml_asker *s, nvml_device device, struct gpu *gpu, int *ret_code)
{
    struct nvml_memory_v2 m = {.version = NVML_MEMORY_V2};

    if (s->api->nvmlDeviceGetMemoryInfo_v2 == NULL)
        return false;
    *ret_code = s->api->nvmlDeviceGetMemoryInfo_v2(device, &m);
    if (!nvml_is_ok(gpu, *ret_code) || m.total == 0)
        return false;
    fill(gpu, m.total / MIB, m.reserved / MIB, m.free / MIB);
    return true;
}

static bool ask_v1(const struct nvml_asker *s, nvml_device device, struct gpu *gpu, int *ret_code)
{
    struct nvml_memory m = {0};
    uint64_t reserved;

    if (s->api->nvmlDeviceGetMemoryInfo == NULL)
        return false;
    *ret_code = s->api->nvmlDeviceGetMemoryInfo(device, &m);
    if (!nvml_is_ok(gpu, *ret_code) || m.total == 0)
        return false;
    reserved = m.total / MIB * RESERVED_PER_MILLE / 1000;
    if (reserved < RESERVED_LEAST_MIB)
        reserved = RESERVED_LEAST_MIB;
    fill(gpu, m.total / MIB, reserved, m.free / MIB);
    return true;
}

void nvml_ask_memory(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    int code = NVML_NOT_SUPPORTED;

    if (gpu->state != GPU_OK || ask_v2(s, device, gpu, &code) || ask_v1(s, device, gpu, &code) ||
        gpu->state != GPU_OK)
        return;
    /* "Not supported", or a total of 0. */
    if (code == NVML_NOT_SUPPORTED || code == NVML_OK)
        share_the_hosts(s, gpu);
    else
        gpu_set_state(gpu, GPU_FAULTY, "its memory is not told: %s (NVML error %d)",
                      nvml_code_meaning(code), code);
}
