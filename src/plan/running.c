#include "plan/running.h"

#include <string.h>

#include "store/lease_file.h"
#include "store/use.h"

static void push_hold(struct running *one, struct arena *a, const char *uuid, uint64_t mib)
{
    struct running_hold *holds = arena_array(a, struct running_hold, one->hold_count + 1);

    if (one->hold_count > 0)
        memcpy(holds, one->holds, one->hold_count * sizeof(*holds));
    holds[one->hold_count++] = (struct running_hold){uuid, mib * MEMORY_MIB};
    one->holds = holds;
}

static struct running *worker_of(running_list *list, struct arena *a, const struct use_gpu *mark)
{
    struct running one = {.type = str_dup(a, str_from(mark->type)),
                          .id = str_dup(a, str_from(mark->worker))};

    for (size_t i = 0; i < list->len; i++) {
        if (list->at[i].id != NULL && strcmp(list->at[i].id, mark->worker) == 0)
            return &list->at[i];
    }
    one.who = one.type;
    vec_push(a, list, one);
    return &list->at[list->len - 1];
}

void running_on_volume(running_list *list, struct arena *a, const struct config *config)
{
    char boot_id[LEASE_BOOT_ID];
    struct volume volume;
    struct err ignored;
    use_marks marks;

    if (volume_open(&volume, a, config->volume_path, false, &ignored) < 0)
        return;
    marks = use_list(a, &volume);
    volume_close(&volume);
    lease_boot_id(boot_id);
    for (size_t i = 0; i < marks.len; i++) {
        struct use_gpu gpu;

        if (strcmp(marks.at[i].boot_id, boot_id) == 0 && use_gpu_of(&gpu, &marks.at[i]))
            push_hold(worker_of(list, a, &gpu), a, str_dup(a, str_from(gpu.uuid)), gpu.mib);
    }
}

void running_of_record(running_list *list, struct arena *a, const struct fleet_record *record)
{
    struct running one = {.type = record->type, .who = record->id};

    for (size_t i = 0; i < record->hold_count; i++) {
        const struct fleet_hold *hold = &record->holds[i];

        push_hold(&one, a, hold->uuid,
                  hold->mib > hold->planned_mib ? hold->mib : hold->planned_mib);
    }
    if (one.hold_count > 0)
        vec_push(a, list, one);
}

/* NULL: it is none of the ask's. */
static struct plan_gpu *gpu_of(const struct plan_ask *ask, const char *uuid)
{
    for (size_t i = 0; i < ask->gpu_count; i++) {
        if (strcmp(ask->gpus[i].gpu->uuid, uuid) == 0)
            return &ask->gpus[i];
    }
    return NULL;
}

/* The first of its GPUs in the order of the ask: SIZE_MAX if it holds none of them. */
static size_t first_of(const struct plan_ask *ask, const struct running *one)
{
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < one->hold_count; i++) {
        const struct plan_gpu *gpu = gpu_of(ask, one->holds[i].uuid);

        if (gpu != NULL && (size_t)(gpu - ask->gpus) < first)
            first = (size_t)(gpu - ask->gpus);
    }
    return first;
}

/* The one of that type which comes first by its GPUs and was not taken yet; NULL: none. */
static const struct running *take_next(const struct plan_ask *ask, const running_list *list,
                                       size_t *taken_by, size_t item)
{
    const char *type = ask->items[item].worker;
    size_t best = SIZE_MAX;
    size_t found = SIZE_MAX;

    for (size_t i = 0; i < list->len; i++) {
        size_t first = taken_by[i] != SIZE_MAX ? SIZE_MAX : first_of(ask, &list->at[i]);

        if (first < best && strcmp(list->at[i].type, type) == 0) {
            best = first;
            found = i;
        }
    }
    if (found == SIZE_MAX)
        return NULL;
    taken_by[found] = item;
    return &list->at[found];
}

static uint64_t used_of(const struct plan_gpu *gpu)
{
    return gpu->gpu->used_mib * MEMORY_MIB;
}

static void set_held(struct plan_ask *ask, struct arena *a, const running_list *list,
                     const size_t *taken_by)
{
    for (size_t i = 0; i < list->len; i++) {
        for (size_t k = 0; k < list->at[i].hold_count; k++) {
            struct plan_gpu *gpu = gpu_of(ask, list->at[i].holds[k].uuid);
            struct plan_held *held;

            if (gpu == NULL)
                continue;
            held = arena_array(a, struct plan_held, gpu->held_count + 1);
            if (gpu->held_count > 0)
                memcpy(held, gpu->held, gpu->held_count * sizeof(*held));
            held[gpu->held_count++] =
                (struct plan_held){list->at[i].who, list->at[i].holds[k].bytes, taken_by[i]};
            gpu->held = held;
        }
    }
}

static const char *const *uuids_of(struct arena *a, const struct running *one)
{
    const char **uuids = arena_array(a, const char *, one->hold_count + 1);

    for (size_t i = 0; i < one->hold_count; i++)
        uuids[i] = one->holds[i].uuid;
    return uuids;
}

static void free_for(struct plan_ask *ask, const struct running *one)
{
    for (size_t i = 0; i < one->hold_count; i++) {
        struct plan_gpu *gpu = gpu_of(ask, one->holds[i].uuid);

        if (gpu == NULL)
            continue;
        gpu->managed += one->holds[i].bytes;
        if (gpu->managed > used_of(gpu))
            gpu->managed = used_of(gpu);
    }
}

void running_keep(struct plan_ask *ask, struct plan_item *items, struct arena *a,
                  const running_list *list)
{
    size_t *taken_by = arena_array(a, size_t, list->len + 1);
    const struct running *now = NULL;

    for (size_t i = 0; i < list->len; i++)
        taken_by[i] = SIZE_MAX;
    for (size_t i = 0; i < ask->item_count; i++) {
        /* The items of one type, which stand together, are one worker. */
        if (i == 0 || items[i].group != items[i - 1].group) {
            now = items[i].worker == NULL ? NULL : take_next(ask, list, taken_by, i);
            if (now != NULL)
                free_for(ask, now);
        }
        items[i].current = now == NULL ? NULL : uuids_of(a, now);
    }
    set_held(ask, a, list, taken_by);
}
