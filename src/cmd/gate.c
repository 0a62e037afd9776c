#include "cmd/gate.h"

#include <string.h>

#include "gpu/gate.h"
#include "gpu/inventory.h"

static enum gpu_need need_of(const struct catalog_worker *type)
{
    if (strcmp(type->gpu, "required") == 0)
        return GPU_NEED_REQUIRED;
    return strcmp(type->gpu, "preferred") == 0 ? GPU_NEED_PREFERRED : GPU_NEED_NONE;
}

static int take_inventory(struct gpu_inventory *out, struct arena *a, const struct config *config,
                          struct err *err)
{
    struct gpu_look look = gpu_look_here(&config->gpu.visible);

    if (config->options.gpus_from != NULL)
        return inventory_read_file(out, a, config->options.gpus_from, err);
    look.limit_ms = config->options.gpu_timeout_ms;
    return gpu_look(out, a, &look, err);
}

int gate_check(void *ctx, struct arena *a, const struct config *config,
               const struct catalog_worker *type, struct report *report, struct err *err)
{
    const struct gpu_ask ask = {
        .worker = type->name,
        .need = need_of(type),
        .enable = config->gpu.enable,
        .type_min_bytes = type->min_gpu_memory_bytes,
        .min_named = config->gpu.min_named,
        .min_bytes = config->gpu.min_memory_bytes,
    };
    struct gpu_inventory inventory = {0};
    struct gpu_verdict verdict;

    (void)ctx;
    if (gpu_gate_looks(&ask) && take_inventory(&inventory, a, config, err) < 0)
        return -1;
    gpu_gate(&verdict, a, &inventory, &ask);
    if (verdict.result == GPU_GATE_REFUSE)
        return gpu_gate_refuse(&verdict, err);
    for (size_t i = 0; i < verdict.left_out_count; i++)
        report_note(report, REPORT_INFO, "gpu_left_out", NULL, "%s", verdict.left_out[i]);
    if (verdict.result == GPU_GATE_WARN)
        report_note(report, REPORT_WARN, "gpu", NULL, "%s", verdict.reason);
    return 0;
}
