#include "cmd/planned.h"

#include <string.h>

#include "plan/lookup.h"
#include "plan/write_args.h"

static const char *gpus_of(struct arena *a, const struct plan *plan,
                           const struct plan_placed *placed)
{
    struct buf list = buf_new(a, PLACE_TP_MAX * (GPU_TEXT + 1));

    for (size_t i = 0; i < placed->gpu_count; i++)
        buf_addf(&list, "%s%s", i > 0 ? "," : "", plan->ask->gpus[placed->gpus[i]].gpu->uuid);
    return list.len > 0 ? list.ptr : "";
}

static struct planned_engine engine_of(struct arena *a, const struct plan *plan,
                                       const struct plan_placed *placed)
{
    static const char *const none[] = {NULL};
    const struct write_ask ask = {.plan = plan, .arena = a};
    struct buf share = buf_new(a, 16);

    plan_put_share(&share, placed->fit.utilization);
    return (struct planned_engine){
        .model = placed->item->models[0].name,
        .utilization = share.ptr,
        .context = str_format(a, "%llu", (unsigned long long)placed->settings.context),
        .tp = str_format(a, "%u", placed->settings.tp > 1 ? placed->settings.tp : 1),
        .gpus = gpus_of(a, plan, placed),
        .taken_mib = placed->taken / MEMORY_MIB,
        .args = placed->item->engine == MEMORY_VLLM ? write_vllm_settings(&ask, placed) : none,
    };
}

/* The form that was planned takes the place of what was wanted. */
static int take_form(struct catalog_choice *choice, struct arena *a, const struct planned_ask *ask,
                     const struct plan_placed *placed, struct err *err)
{
    const struct plan_model *first = &placed->item->models[0];

    if (placed->model == first || placed->item->engine == MEMORY_OLLAMA)
        return 0;
    for (size_t i = 0; i < choice->count; i++) {
        if (strcmp(choice->wants[i].ref.text, first->ref) != 0)
            continue;
        report_note(ask->report, REPORT_INFO, "planned_form", first->ref,
                    "%s takes its place: the plan has no room for more", placed->model->ref);
        if (ref_parse(&choice->wants[i].ref, a, str_from(placed->model->ref), err) < 0)
            return -1;
    }
    return 0;
}

static int make(struct plan *out, struct arena *a, const struct planned_ask *ask, struct err *err)
{
    struct plan_ask *plan = arena_new(a, struct plan_ask);
    struct lookup lookup;
    const struct gather_ask gather = {.catalog = &ask->config->catalog,
                                      .words = ask->words,
                                      .optional = ask->optional,
                                      .facts = lookup_facts,
                                      .facts_ctx = &lookup};
    struct gather items;

    lookup_begin(&lookup, a, ask->config, ask->report);
    if (gather_items(&items, a, &gather, err) < 0)
        return -1;
    *plan = (struct plan_ask){.items = items.items,
                              .item_count = items.count,
                              .reserve = UINT64_MAX,
                              .gpu_count = ask->inventory->count};
    plan->gpus = arena_array(a, struct plan_gpu, plan->gpu_count + 1);
    for (size_t i = 0; i < plan->gpu_count; i++)
        plan->gpus[i].gpu = &ask->inventory->gpus[i];
    return plan_make(out, a, plan, err);
}

int planned_apply(struct planned *out, struct catalog_choice *choice, struct arena *a,
                  const struct planned_ask *ask, struct err *err)
{
    struct planned_engine *engines;
    struct plan plan;

    if (make(&plan, a, ask, err) < 0)
        return -1;
    if (!plan.works)
        return plan_failure(&plan, err);
    engines = arena_array(a, struct planned_engine, plan.ask->item_count + 1);
    for (size_t i = 0; i < plan.ask->item_count; i++) {
        const struct plan_placed *placed = &plan.placed[i];

        engines[i] = engine_of(a, &plan, placed);
        if (take_form(choice, a, ask, placed, err) < 0)
            return -1;
    }
    if (out != NULL)
        *out = (struct planned){.at = engines, .count = plan.ask->item_count};
    return 0;
}
