/* Reads any text as an inventory; what was taken is within its limits, is written as JSON that is
 * read back, and then written as the same. Lists of GPUs that are ours end at no other's memory. */
#include <stdlib.h>
#include <string.h>

#include "gpu/inventory.h"
#include "gpu/visible.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool claim)
{
    if (!claim)
        abort();
}

static void check_limits(const struct gpu_inventory *inventory)
{
    need(inventory->count <= GPU_MAX);
    for (size_t i = 0; i < inventory->count; i++) {
        const struct gpu *gpu = &inventory->gpus[i];

        need(gpu->state < GPU_STATES && gpu->compute_mode < GPU_COMPUTE_MODES);
        need(gpu->index < GPU_MAX);
        need(gpu->total_mib <= GPU_MIB_MAX);
        need(gpu->reserved_mib <= gpu->total_mib && gpu->cuda_total_mib <= gpu->total_mib);
        need(gpu->used_mib <= gpu->cuda_total_mib && gpu->free_mib <= gpu->cuda_total_mib);
        need(gpu->state != GPU_OK || (gpu->uuid[0] != '\0' && gpu->total_mib > 0));
        need(gpu->process_count <= GPU_PROCESS_MAX && gpu->link_count <= GPU_LINK_MAX);
    }
}

static void check_again(const struct gpu_inventory *inventory)
{
    ARENA_SCOPED a = {0};
    struct buf first = buf_new(&a, 4 * INVENTORY_MAX);
    struct buf second = buf_new(&a, 4 * INVENTORY_MAX);
    struct gpu_inventory again;
    struct err err = {0};

    inventory_write(&first, inventory);
    need(!first.cut);
    if (first.len > INVENTORY_MAX)
        return;
    need(inventory_read(&again, &a, buf_str(&first), "again", &err) == 0);
    inventory_write(&second, &again);
    need(str_eq(buf_str(&first), buf_str(&second)));
}

/* The first line names what is visible, the rest is the inventory. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct str rest = {(const char *)data, size};
    struct gpu_visible visible = {0};
    struct gpu_inventory inventory;
    struct err err = {0};
    struct str line;

    if (size == 0)
        return 0;
    (void)str_cut(&rest, '\n', &line);
    visible.nvidia_visible_devices = visible.cuda_visible_devices = str_dup(&a, line);
    visible.rocr_visible_devices = visible.cuda_visible_devices;
    if (inventory_read(&inventory, &a, rest, "input", &err) < 0) {
        need(err.code == ERR_USAGE || err.code == ERR_LIMIT);
        return 0;
    }
    check_limits(&inventory);
    check_again(&inventory);
    visible_hide_nvidia(&inventory, &visible);
    visible_hide_amd(&inventory, &visible);
    check_limits(&inventory);
    return 0;
}
