#include "gpu/gpu.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/str.h"

#define LIMIT_MS ((uint64_t)15000)
/* "GPU-" and the first eight digits: what nvidia-smi's users recognise. */
#define SHORT_NAME 12

/* In the order in which they are asked; none has always an answer. */
static const struct gpu_driver *const drivers[] = {
    &gpu_driver_nvml,
    &gpu_driver_amd,
    &gpu_driver_none,
};

static const char *const state_names[GPU_STATES] = {
    [GPU_OK] = "ok",         [GPU_LOST] = "lost",
    [GPU_FAULTY] = "faulty", [GPU_NO_PERMISSION] = "no-permission",
    [GPU_HIDDEN] = "hidden", [GPU_MIG_PARENT] = "mig-parent",
};

static const char *const link_names[GPU_LINK_KINDS] = {
    [GPU_LINK_NVLINK] = "nvlink", [GPU_LINK_PIX] = "pix",   [GPU_LINK_PXB] = "pxb",
    [GPU_LINK_PHB] = "phb",       [GPU_LINK_NODE] = "node", [GPU_LINK_SYS] = "sys",
};

static const char *const mode_names[GPU_COMPUTE_MODES] = {
    [GPU_COMPUTE_DEFAULT] = "default",
    [GPU_COMPUTE_EXCLUSIVE_THREAD] = "exclusive-thread",
    [GPU_COMPUTE_PROHIBITED] = "prohibited",
    [GPU_COMPUTE_EXCLUSIVE_PROCESS] = "exclusive-process",
};

struct gpu_look gpu_look_here(const struct gpu_visible *visible)
{
    static const char *const names[] = {"libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1",
                                        "libnvidia-ml.so", NULL};

    return (struct gpu_look){.clock = clock_real(),
                             .nvml_names = names,
                             .limit_ms = LIMIT_MS,
                             .sys = "/sys",
                             .proc = "/proc",
                             .dev = "/dev",
                             .visible = *visible};
}

int gpu_look(struct gpu_inventory *out, struct arena *a, const struct gpu_look *look,
             struct err *err)
{
    struct gpu_inventory seen = {0};
    bool here = false;

    for (size_t i = 0; !here && i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        seen.gpus = NULL;
        seen.count = 0;
        if (drivers[i]->look(&seen, &here, a, look, err) < 0)
            return -1;
        if (!here)
            continue;
        (void)snprintf(seen.driver, sizeof(seen.driver), "%s", drivers[i]->name);
        if (drivers[i]->hide != NULL)
            drivers[i]->hide(&seen, &look->visible);
    }
    assert(here);
    *out = seen;
    return 0;
}

const char *gpu_state_name(enum gpu_state state)
{
    assert(state < GPU_STATES);
    return state_names[state];
}

const char *gpu_link_name(enum gpu_link_kind kind)
{
    assert(kind < GPU_LINK_KINDS);
    return link_names[kind];
}

const char *gpu_compute_mode_name(enum gpu_compute_mode mode)
{
    assert(mode < GPU_COMPUTE_MODES);
    return mode_names[mode];
}

const char *gpu_short_name(struct arena *a, const struct gpu *gpu)
{
    if (gpu->uuid[0] == '\0')
        return str_format(a, "GPU %u", gpu->index);
    return str_format(a, "%.*s", SHORT_NAME, gpu->uuid);
}

static void put(char out[static GPU_REASON], const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* Cut where it is too long: a reason is for people's eyes. */
static void put(char out[static GPU_REASON], const char *fmt, va_list ap)
{
    (void)vsnprintf(out, GPU_REASON, fmt, ap);
}

void gpu_set_state(struct gpu *gpu, enum gpu_state state, const char *fmt, ...)
{
    va_list ap;

    gpu->state = state;
    va_start(ap, fmt);
    put(gpu->reason, fmt, ap);
    va_end(ap);
}

void gpu_set_hint(struct gpu *gpu, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(gpu->hint, fmt, ap);
    va_end(ap);
}

void gpu_set_reason(struct gpu_inventory *inventory, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(inventory->reason, fmt, ap);
    va_end(ap);
}

void gpu_set_way_out(struct gpu_inventory *inventory, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(inventory->hint, fmt, ap);
    va_end(ap);
}
