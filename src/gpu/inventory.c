#include "gpu/inventory.h"

#include "json/json.h"

static void put_null(struct buf *out, const char *key)
{
    json_put_key(out, key);
    buf_addz(out, "null");
}

static void put_bool(struct buf *out, const char *key, bool value)
{
    json_put_key(out, key);
    buf_addz(out, value ? "true" : "false");
}

static void put_sizes(struct buf *out, const struct gpu *gpu)
{
    const struct {
        const char *key;
        uint64_t mib;
    } sizes[] = {
        {"total_mib", gpu->total_mib},
        {"reserved_mib", gpu->reserved_mib},
        {"cuda_total_mib", gpu->cuda_total_mib},
        {"used_mib", gpu->used_mib},
        {"free_mib", gpu->free_mib},
    };
    bool known = gpu->total_mib > 0 || gpu->cuda_total_mib > 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (known)
            json_put_member_u64(out, sizes[i].key, sizes[i].mib);
        else
            put_null(out, sizes[i].key);
    }
}

static void put_mig(struct buf *out, const struct gpu *gpu)
{
    if (gpu->mig_parent[0] == '\0') {
        put_null(out, "mig");
        return;
    }
    json_put_key(out, "mig");
    buf_addc(out, '{');
    json_put_member(out, "parent", str_from(gpu->mig_parent));
    json_put_member(out, "profile", str_from(gpu->mig_profile));
    buf_addc(out, '}');
}

static void put_processes(struct buf *out, const struct gpu *gpu)
{
    json_put_key(out, "processes");
    buf_addc(out, '[');
    for (size_t i = 0; i < gpu->process_count; i++) {
        const struct gpu_process *p = &gpu->processes[i];

        buf_addz(out, i > 0 ? ",{" : "{");
        json_put_member_u64(out, "pid", p->pid);
        if (p->mib_known)
            json_put_member_u64(out, "mib", p->mib);
        else
            put_null(out, "mib");
        json_put_member(out, "name", str_from(p->name));
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static void put_links(struct buf *out, const struct gpu *gpu)
{
    json_put_key(out, "links");
    buf_addc(out, '[');
    for (size_t i = 0; i < gpu->link_count; i++) {
        buf_addz(out, i > 0 ? ",{" : "{");
        json_put_member(out, "to", str_from(gpu->links[i].to));
        json_put_member(out, "kind", str_from(gpu_link_name(gpu->links[i].kind)));
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

void inventory_write_gpu(struct buf *out, const struct gpu *gpu)
{
    buf_addc(out, '{');
    json_put_member(out, "uuid", str_from(gpu->uuid));
    json_put_member_u64(out, "index", gpu->index);
    json_put_member(out, "name", str_from(gpu->name));
    json_put_member(out, "pci", str_from(gpu->pci));
    json_put_member(out, "sm", str_from(gpu->sm));
    put_sizes(out, gpu);
    put_mig(out, gpu);
    json_put_member(out, "compute_mode", str_from(gpu_compute_mode_name(gpu->compute_mode)));
    put_bool(out, "display", gpu->display);
    put_bool(out, "unified", gpu->unified);
    json_put_member(out, "state", str_from(gpu_state_name(gpu->state)));
    json_put_member(out, "reason", str_from(gpu->reason));
    json_put_member(out, "hint", str_from(gpu->hint));
    put_processes(out, gpu);
    put_links(out, gpu);
    buf_addc(out, '}');
}

void inventory_write(struct buf *out, const struct gpu_inventory *inventory)
{
    buf_addc(out, '{');
    json_put_member(out, "driver", str_from(inventory->driver));
    json_put_member(out, "driver_version", str_from(inventory->driver_version));
    json_put_member(out, "cuda_version", str_from(inventory->cuda_version));
    json_put_member(out, "reason", str_from(inventory->reason));
    json_put_member(out, "hint", str_from(inventory->hint));
    json_put_key(out, "gpus");
    buf_addc(out, '[');
    for (size_t i = 0; i < inventory->count; i++) {
        buf_addz(out, i > 0 ? "," : "");
        inventory_write_gpu(out, &inventory->gpus[i]);
    }
    buf_addz(out, "]}\n");
}
