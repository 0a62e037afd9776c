#include "config/gpu.h"

#include "text/num.h"

static enum gpu_enable enable(const char *value)
{
    struct err unused;
    bool on = false;

    if (value == NULL || str_eq_nocase(str_from(value), STR("auto")))
        return GPU_ENABLE_AUTO;
    if (num_parse_bool(&on, str_from(value), &unused) < 0)
        return GPU_ENABLE_AUTO;
    return on ? GPU_ENABLE_TRUE : GPU_ENABLE_FALSE;
}

void gpu_set(struct config_gpu *out, struct arena *a, const struct environment *e)
{
    const char *least = e->at[VAR_MIN_GPU_MEMORY_GB];
    struct err unused;

    *out = (struct config_gpu){
        .enable = enable(e->at[VAR_ENABLE_GPU]),
        .visible = {.nvidia_visible_devices = e->at[VAR_NVIDIA_VISIBLE_DEVICES],
                    .cuda_visible_devices = e->at[VAR_CUDA_VISIBLE_DEVICES],
                    .cuda_device_order = e->at[VAR_CUDA_DEVICE_ORDER],
                    .rocr_visible_devices = e->at[VAR_ROCR_VISIBLE_DEVICES],
                    .hip_visible_devices = e->at[VAR_HIP_VISIBLE_DEVICES]},
    };
    out->min_named =
        least != NULL && num_parse_size(&out->min_memory_bytes,
                                        str_from(str_format(a, "%sGB", least)), &unused) == 0;
}
