#include <string.h>

#include "plan/options.h"
#include "plan/reasons.h"
#include "plan/room.h"
#include "plan/suggest.h"

/* What plan_make() works on. */
struct work {
    struct arena *arena;
    struct plan_ask ask;        /* the GPUs are its own copies */
    struct plan_class *classes; /* of all GPUs */
    size_t class_count;
    struct plan_way (*ways)[PLACE_OPTIONS_MAX]; /* of each item */
    struct place_item *items;
};

static uint64_t current_of(const struct plan_ask *ask, const struct plan_item *item)
{
    uint64_t bits = 0;

    for (size_t c = 0; item->current != NULL && item->current[c] != NULL; c++) {
        for (size_t i = 0; i < ask->gpu_count; i++) {
            if (strcmp(ask->gpus[i].gpu->uuid, item->current[c]) == 0)
                bits |= UINT64_C(1) << i;
        }
    }
    return bits;
}

static struct plan_frame frame_of(struct work *work, uint64_t allowed)
{
    struct plan_class *classes =
        arena_array(work->arena, struct plan_class, work->ask.gpu_count + 1);
    size_t count = room_classes(classes, &work->ask, allowed);

    return (struct plan_frame){.ask = &work->ask, .classes = classes, .class_count = count};
}

static int item_of(struct work *work, size_t i, struct err *err)
{
    const struct plan_item *item = &work->ask.items[i];
    struct place_option *options = arena_array(work->arena, struct place_option, PLACE_OPTIONS_MAX);
    struct plan_frame frame;
    uint64_t allowed;
    size_t count;

    if (room_allowed(&allowed, &work->ask, item, err) < 0)
        return -1;
    frame = frame_of(work, allowed);
    count = options_of(work->ways[i], work->arena, &frame, item);
    for (size_t k = 0; k < count; k++)
        options[k] = work->ways[i][k].place;
    work->items[i] = (struct place_item){.options = options,
                                         .option_count = count,
                                         .priority = item->priority,
                                         .required = item->required,
                                         .current = current_of(&work->ask, item)};
    return 0;
}

static uint32_t class_of(const struct work *work, size_t gpu)
{
    for (size_t k = 0; k < work->class_count; k++) {
        if ((work->classes[k].gpus >> gpu & 1) != 0)
            return (uint32_t)k + 1;
    }
    return 0;
}

static uint32_t host_of(const struct plan_ask *ask, size_t gpu)
{
    for (size_t i = 0; i < gpu; i++) {
        if (room_same_host(&ask->gpus[i], &ask->gpus[gpu]))
            return (uint32_t)i;
    }
    return (uint32_t)gpu;
}

static struct place_gpu *place_gpus(const struct work *work)
{
    struct place_gpu *gpus = arena_array(work->arena, struct place_gpu, work->ask.gpu_count + 1);

    for (size_t i = 0; i < work->ask.gpu_count; i++) {
        const struct plan_gpu *gpu = &work->ask.gpus[i];
        bool mig = gpu->gpu->mig_parent[0] != '\0';

        gpus[i] = (struct place_gpu){
            .capacity_mib = gpu->capacity / MEMORY_MIB,
            .class_id = class_of(work, i),
            .group = host_of(&work->ask, i),
            .sm = room_sm(gpu),
            .exclusive = mig || gpu->gpu->compute_mode == GPU_COMPUTE_EXCLUSIVE_PROCESS ||
                         gpu->gpu->compute_mode == GPU_COMPUTE_EXCLUSIVE_THREAD,
            .no_sets = mig,
        };
    }
    return gpus;
}

enum gpu_link_kind plan_link(const struct plan_gpu *x, const struct plan_gpu *y)
{
    for (size_t i = 0; i < x->gpu->link_count; i++) {
        if (strcmp(x->gpu->links[i].to, y->gpu->uuid) == 0)
            return x->gpu->links[i].kind;
    }
    return GPU_LINK_SYS;
}

static const uint8_t *place_links(const struct work *work)
{
    size_t n = work->ask.gpu_count;
    uint8_t *links = arena_array(work->arena, uint8_t, n * n + 1);

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++)
            links[i * n + k] =
                i == k ? 0 : (uint8_t)plan_link(&work->ask.gpus[i], &work->ask.gpus[k]);
    }
    return links;
}

static void set_gpus(struct work *work, struct plan_placed *placed, uint64_t bits)
{
    size_t *gpus = arena_array(work->arena, size_t, PLACE_TP_MAX + 1);

    for (size_t i = 0; i < work->ask.gpu_count && placed->gpu_count < PLACE_TP_MAX; i++) {
        if ((bits >> i & 1) != 0)
            gpus[placed->gpu_count++] = i;
    }
    placed->gpus = gpus;
    placed->best_gpus = gpus;
    placed->best_count = placed->gpu_count;
}

/* What the others leave of a GPU. */
static uint64_t left_of(const struct work *work, const struct place_result *result, size_t item,
                        size_t gpu, bool *shared)
{
    uint64_t left = work->ask.gpus[gpu].capacity;

    for (size_t i = 0; i < work->ask.item_count; i++) {
        const struct place_choice *choice = &result->choices[i];
        uint64_t need;

        if (i == item || !choice->placed || (choice->gpus >> gpu & 1) == 0)
            continue;
        *shared = true;
        need = work->items[i].options[choice->option].need_mib * MEMORY_MIB;
        left = left > need ? left - need : 0;
    }
    return left;
}

static void judge(struct work *work, struct plan_placed *placed, const struct fit_gpu *gpu)
{
    struct fit_ask ask = {.facts = placed->model->facts,
                          .settings = placed->settings,
                          .utilization = work->ask.wish.utilization,
                          .shared = placed->shared,
                          .bfloat16 = work->ask.wish.dtype == PLAN_DTYPE_BFLOAT16};

    fit_judge(&placed->fit, work->arena, &ask, gpu);
    placed->verdict = placed->fit.verdict;
}

/* A choice of the search, with the settings that follow from who its neighbours are. */
static void finish_placed(struct work *work, struct plan_placed *placed,
                          const struct place_result *result, size_t i)
{
    const struct place_choice *choice = &result->choices[i];
    const struct plan_way *way = &work->ways[i][choice->option];
    struct fit_gpu least = {.free = UINT64_MAX};

    placed->model = way->model;
    placed->settings = way->settings;
    if (way->place.tp == 0) {
        memory_reckon(&placed->fit.need, way->model->facts, &way->settings);
        placed->verdict = FIT_CPU;
        reasons_of_cpu(work->arena, placed, &work->ask);
        return;
    }
    set_gpus(work, placed, choice->gpus);
    for (size_t k = 0; k < placed->gpu_count; k++) {
        const struct plan_gpu *gpu = &work->ask.gpus[placed->gpus[k]];
        uint64_t left = left_of(work, result, i, placed->gpus[k], &placed->shared);

        if (left < least.free)
            least = room_fit(gpu, left);
    }
    placed->left = least.free;
    judge(work, placed, &least);
    placed->taken = placed->fit.taken;
    for (size_t k = 0; k < placed->gpu_count; k++)
        work->ask.gpus[placed->gpus[k]].given += placed->taken;
    reasons_of_way(work->arena, placed, way, &work->ask);
}

/* Nothing works: it is judged where it comes closest, as if it were alone there. */
static int finish_unplaced(struct work *work, struct plan_placed *placed, struct err *err)
{
    const struct plan_item *item = placed->item;
    struct plan_placed best = *placed;
    struct plan_frame frame;
    uint64_t allowed;

    if (room_allowed(&allowed, &work->ask, item, err) < 0)
        return -1;
    frame = frame_of(work, allowed);
    placed->model = item->engine == MEMORY_OLLAMA ? options_heaviest(&frame, item) : item->models;
    placed->settings = options_plain(&frame, item, placed->model, NULL);
    memory_reckon(&placed->fit.need, placed->model->facts, &placed->settings);
    placed->verdict = FIT_NO;
    for (size_t k = 0; k < frame.class_count; k++) {
        const struct plan_class *on = &frame.classes[k];

        best = *placed;
        best.settings = options_plain(&frame, item, placed->model, on);
        judge(work, &best, &on->fit);
        if (placed->best_count != 0 && (fit_rank(best.verdict) < fit_rank(placed->verdict) ||
                                        (fit_rank(best.verdict) == fit_rank(placed->verdict) &&
                                         best.fit.slack <= placed->fit.slack)))
            continue;
        *placed = best;
        placed->best_gpus = NULL;
        placed->best_count = 0;
        set_gpus(work, placed, on->gpus);
        placed->gpu_count = 0;
    }
    reasons_of_failure(work->arena, placed, &frame);
    return 0;
}

static struct place_result search(struct work *work)
{
    const struct place_ask ask = {
        .gpus = place_gpus(work),
        .gpu_count = work->ask.gpu_count,
        .items = work->items,
        .item_count = work->ask.item_count,
        .links = place_links(work),
        .spread = work->ask.spread,
        .node_limit = work->ask.node_limit,
    };
    struct place_result result;

    place_search(&result, work->arena, &ask);
    return result;
}

static int begin(struct work *work, struct err *err)
{
    struct plan_ask *ask = &work->ask;

    if (ask->gpu_count > PLACE_GPUS_MAX || ask->item_count > PLACE_ITEMS_MAX)
        return err_set(
            err, ERR_LIMIT,
            "%zu items on %zu GPUs are to be planned, which is more than %zu on %zu: plan "
            "them in parts",
            ask->item_count, ask->gpu_count, PLACE_ITEMS_MAX, PLACE_GPUS_MAX);
    for (size_t i = 0; i < ask->gpu_count; i++) {
        ask->gpus[i].capacity = room_capacity(ask, &ask->gpus[i]);
        ask->gpus[i].given = 0;
    }
    work->classes = arena_array(work->arena, struct plan_class, ask->gpu_count + 1);
    work->class_count = room_classes(work->classes, ask, UINT64_MAX);
    work->ways = arena_alloc(work->arena, ask->item_count + 1, sizeof(*work->ways),
                             _Alignof(struct plan_way));
    work->items = arena_array(work->arena, struct place_item, ask->item_count + 1);
    for (size_t i = 0; i < ask->item_count; i++) {
        if (item_of(work, i, err) < 0)
            return -1;
    }
    return 0;
}

int plan_make(struct plan *out, struct arena *a, const struct plan_ask *ask, struct err *err)
{
    struct work work = {.arena = a, .ask = *ask};
    struct plan plan = {.ask = ask, .works = true};
    struct place_result result;

    if (begin(&work, err) < 0)
        return -1;
    result = search(&work);
    plan.optimal = result.optimal;
    plan.placed = arena_array(a, struct plan_placed, ask->item_count + 1);
    for (size_t i = 0; i < ask->item_count; i++) {
        struct plan_placed *placed = &plan.placed[i];

        placed->item = &ask->items[i];
        if (result.choices[i].placed)
            finish_placed(&work, placed, &result, i);
        else if (finish_unplaced(&work, placed, err) < 0)
            return -1;
        suggest(a, placed, ask);
        plan.works &=
            !placed->item->required || (result.choices[i].placed && fit_runs(placed->verdict));
    }
    *out = plan;
    return 0;
}

int plan_failure(const struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < plan->ask->item_count; i++) {
        const struct plan_placed *placed = &plan->placed[i];

        if (!placed->item->required || fit_runs(placed->verdict))
            continue;
        (void)err_set(err, ERR_GPU, "%s does not run here: %s", placed->item->name,
                      placed->reason_count > 0 ? placed->reasons[0].text : "no GPU takes it");
        if (placed->suggestion_count > 0)
            return err_hint(err, "it would with %s", placed->suggestions[0].change);
        return -1;
    }
    return 0;
}

const char *plan_gpu_name(struct arena *a, const struct plan_gpu *gpu)
{
    const char *name = gpu_short_name(a, gpu->gpu);

    return gpu->host == NULL ? name : str_format(a, "%s on %s", name, gpu->host);
}

uint64_t plan_need(const struct plan_placed *placed)
{
    const struct memory_need *need = &placed->fit.need;

    return placed->item->engine == MEMORY_VLLM ? need->inside : need->whole;
}
