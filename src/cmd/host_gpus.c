#include "cmd/host_gpus.h"

#include "gpu/inventory.h"

int inventory_of_host(struct gpu_inventory *out, struct arena *a, const struct config *config,
                      struct err *err)
{
    struct gpu_look look = gpu_look_here(&config->gpu.visible);

    if (config->options.gpus_from != NULL)
        return inventory_read_file(out, a, config->options.gpus_from, err);
    if (config->gpu.enable == GPU_ENABLE_FALSE) {
        *out = (struct gpu_inventory){.driver = "none"};
        gpu_set_reason(out, "ENABLE_GPU=false: no GPU is looked for");
        return 0;
    }
    look.limit_ms = config->options.gpu_timeout_ms;
    return gpu_look(out, a, &look, err);
}
