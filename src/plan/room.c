#include "plan/room.h"

#include <string.h>

#include "text/num.h"

static bool is_usable(const struct gpu *gpu)
{
    return gpu->state == GPU_OK && gpu->compute_mode != GPU_COMPUTE_PROHIBITED &&
           gpu->cuda_total_mib > 0;
}

bool room_same_host(const struct plan_gpu *x, const struct plan_gpu *y)
{
    return strcmp(x->host != NULL ? x->host : "", y->host != NULL ? y->host : "") == 0;
}

static bool is_alike(const struct plan_gpu *x, const struct plan_gpu *y)
{
    return room_same_host(x, y) && strcmp(x->gpu->name, y->gpu->name) == 0 &&
           x->gpu->cuda_total_mib == y->gpu->cuda_total_mib &&
           (x->gpu->mig_parent[0] != '\0') == (y->gpu->mig_parent[0] != '\0');
}

uint32_t room_sm(const struct plan_gpu *gpu)
{
    struct str minor = str_from(gpu->gpu->sm);
    struct str major;
    uint64_t x, y;
    struct err err;

    if (!str_cut(&minor, '.', &major) || num_parse_u64(&x, major, 99, &err) < 0 ||
        num_parse_u64(&y, minor, 9, &err) < 0)
        return 0;
    return (uint32_t)(x * 10 + y);
}

uint64_t room_held(const struct plan_gpu *gpu)
{
    uint64_t total = gpu->gpu->cuda_total_mib * MEMORY_MIB;
    uint64_t room = gpu->gpu->free_mib * MEMORY_MIB + gpu->managed;

    return total > room ? total - room : 0;
}

/* A single item on its own has no neighbour whose needs could grow. */
uint64_t room_capacity(const struct plan_ask *ask, const struct plan_gpu *gpu)
{
    uint64_t room = gpu->gpu->cuda_total_mib * MEMORY_MIB - room_held(gpu);
    uint64_t reserve = ask->reserve;

    if (!is_usable(gpu->gpu))
        return 0;
    if (reserve == UINT64_MAX && ask->item_count == 1)
        reserve = 0;
    else if (reserve == UINT64_MAX)
        reserve = gpu->gpu->display ? PLAN_RESERVE_DISPLAY : PLAN_RESERVE;
    return room > reserve ? room - reserve : 0;
}

struct fit_gpu room_fit(const struct plan_gpu *gpu, uint64_t free_bytes)
{
    return (struct fit_gpu){.total = gpu->gpu->cuda_total_mib * MEMORY_MIB,
                            .free = free_bytes,
                            .sm = room_sm(gpu),
                            .mig = gpu->gpu->mig_parent[0] != '\0'};
}

size_t room_classes(struct plan_class *out, const struct plan_ask *ask, uint64_t allowed)
{
    size_t count = 0;

    for (size_t i = 0; i < ask->gpu_count; i++) {
        const struct plan_gpu *gpu = &ask->gpus[i];
        size_t k = 0;

        if (!is_usable(gpu->gpu) || (allowed >> i & 1) == 0)
            continue;
        while (k < count && !is_alike(out[k].like, gpu))
            k++;
        if (k == count)
            out[count++] = (struct plan_class){.like = gpu};
        out[k].gpus |= UINT64_C(1) << i;
        out[k].count++;
        if (gpu->capacity > out[k].capacity)
            out[k].capacity = gpu->capacity;
        out[k].fit = room_fit(gpu, out[k].capacity);
    }
    return count;
}

static bool pin_means(const char *pin, const struct gpu *gpu)
{
    struct str text = str_from(pin);
    uint64_t index;
    struct err err;

    if (num_parse_u64(&index, text, GPU_MAX, &err) == 0)
        return index == gpu->index && gpu->mig_parent[0] == '\0';
    return str_starts(str_from(gpu->uuid), text);
}

static int allow_pins(uint64_t *ret_bits, const struct plan_ask *ask, const struct plan_item *item,
                      struct err *err)
{
    uint64_t bits = 0;

    for (size_t p = 0; item->pins != NULL && item->pins[p] != NULL; p++) {
        size_t found = 0;

        for (size_t i = 0; i < ask->gpu_count; i++) {
            if (!pin_means(item->pins[p], ask->gpus[i].gpu))
                continue;
            bits |= UINT64_C(1) << i;
            found++;
        }
        if (found == 0) {
            (void)err_set(err, ERR_USAGE, "--pin %s=%s: no GPU has this UUID or index", item->name,
                          item->pins[p]);
            return err_hint(err, "hostler gpus lists them");
        }
        if (found > 1)
            return err_set(err, ERR_USAGE, "--pin %s=%s: %zu GPUs begin so; write more of the UUID",
                           item->name, item->pins[p], found);
    }
    *ret_bits = item->pins != NULL && item->pins[0] != NULL ? bits : UINT64_MAX;
    return 0;
}

int room_allowed(uint64_t *ret_bits, const struct plan_ask *ask, const struct plan_item *item,
                 struct err *err)
{
    uint64_t bits;

    if (allow_pins(&bits, ask, item, err) < 0)
        return -1;
    for (size_t i = 0; i < ask->gpu_count; i++) {
        const struct gpu *gpu = ask->gpus[i].gpu;
        uint64_t mib = gpu->total_mib != 0 ? gpu->total_mib : gpu->cuda_total_mib;

        if (mib * MEMORY_MIB < item->min_gpu_bytes)
            bits &= ~(UINT64_C(1) << i);
    }
    *ret_bits = bits;
    return 0;
}
