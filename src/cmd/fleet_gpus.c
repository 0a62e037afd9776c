#include "cmd/fleet_gpus.h"

#include <string.h>

#include "cmd/fleet_client.h"
#include "gpu/inventory.h"
#include "text/vec.h"

typedef VEC(struct plan_gpu) gpu_list;

bool fleet_is_alive(const struct fleet_listed *worker)
{
    return !worker->lost && worker->record.state != FLEET_STOPPED &&
           worker->record.state != FLEET_FAILED && worker->record.gpus.len > 0;
}

/* The one of its host that beat last. */
static bool is_freshest(const struct fleet_listed *all, size_t count, size_t i)
{
    for (size_t k = 0; k < count; k++) {
        if (k == i || !fleet_is_alive(&all[k]) ||
            strcmp(all[k].record.host, all[i].record.host) != 0)
            continue;
        if (all[k].last_beat_s < all[i].last_beat_s + (k < i))
            return false;
    }
    return true;
}

static void use_at_least(struct gpu *gpu, const running_list *running)
{
    uint64_t held = 0;

    for (size_t i = 0; i < running->len; i++) {
        for (size_t k = 0; k < running->at[i].hold_count; k++) {
            if (strcmp(running->at[i].holds[k].uuid, gpu->uuid) == 0)
                held += running->at[i].holds[k].bytes / MEMORY_MIB;
        }
    }
    held = held < gpu->cuda_total_mib ? held : gpu->cuda_total_mib;
    if (held <= gpu->used_mib)
        return;
    gpu->used_mib = held;
    if (gpu->free_mib > gpu->cuda_total_mib - held)
        gpu->free_mib = gpu->cuda_total_mib - held;
}

static int add_host(gpu_list *out, struct arena *a, const struct fleet_record *record,
                    const running_list *running, struct err *err)
{
    struct gpu_inventory inventory;
    const char *text = str_format(a, "{\"gpus\":%.*s}", (int)record->gpus.len, record->gpus.ptr);

    if (inventory_read(&inventory, a, str_from(text), record->id, err) < 0)
        return err_wrap(err, "the GPUs of host %s", str_printable(a, str_from(record->host), 80));
    for (size_t i = 0; i < inventory.count; i++) {
        struct plan_gpu gpu = {.gpu = &inventory.gpus[i], .host = record->host};

        use_at_least(&inventory.gpus[i], running);
        vec_push(a, out, gpu);
    }
    return 0;
}

int fleet_gpus_of(struct fleet_gpus *out, struct arena *a, const struct fleet_listed *all,
                  size_t count, struct err *err)
{
    gpu_list gpus = {0};

    *out = (struct fleet_gpus){0};
    for (size_t i = 0; i < count; i++) {
        if (fleet_is_alive(&all[i]))
            running_of_record(&out->running, a, &all[i].record);
    }
    for (size_t i = 0; i < count; i++) {
        if (fleet_is_alive(&all[i]) && is_freshest(all, count, i) &&
            add_host(&gpus, a, &all[i].record, &out->running, err) < 0)
            return -1;
    }
    out->at = gpus.at != NULL ? gpus.at : arena_array(a, struct plan_gpu, 1);
    out->count = gpus.len;
    return 0;
}

int fleet_gpus(struct fleet_gpus *out, struct cmd_context *ctx, struct err *err)
{
    struct fleet_listed *all;
    struct fleet_client c;
    size_t count;
    int r;

    if (fleet_client_open(&c, ctx, err) < 0)
        return -1;
    r = fleet_client_list(&all, &count, &c, "", err);
    fleet_client_close(&c);
    return r < 0 ? -1 : fleet_gpus_of(out, ctx->arena, all, count, err);
}
