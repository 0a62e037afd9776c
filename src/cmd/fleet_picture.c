#include "cmd/fleet_picture.h"

#include <string.h>

#include "cmd/fleet_gpus.h"
#include "model/known.h"
#include "plan/gather.h"
#include "plan/write.h"

static int facts_of(void *ctx, struct plan_model *out, const struct model_ref *ref, struct err *err)
{
    const struct model_facts *facts = known_facts(ref->text);

    (void)ctx;
    if (facts == NULL)
        return err_set(err, ERR_NOT_FOUND, "%s is not the catalog's", ref->text);
    out->facts = facts;
    out->from = "the catalog";
    return 0;
}

static int gather(struct gather *out, struct arena *a, const struct catalog *catalog,
                  const char *const *words, struct err *err)
{
    const struct gather_ask ask = {.catalog = catalog, .words = words, .facts = facts_of};

    return gather_items(out, a, &ask, err);
}

static bool can_be_planned(struct arena *a, const struct catalog *catalog, const char *type)
{
    const struct catalog_worker *worker = catalog_worker(catalog, str_from(type));
    const char *const words[] = {type, NULL};
    struct gather ignored;
    struct err why;

    return worker != NULL && strcmp(worker->gpu, "none") != 0 &&
           gather(&ignored, a, catalog, words, &why) == 0 && ignored.count > 0;
}

/* Their types, as often as there are workers of one. */
static const char *const *types_of(struct arena *a, const struct catalog *catalog,
                                   const struct fleet_listed *workers, size_t count)
{
    const char **types = arena_array(a, const char *, count + 1);
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        if (fleet_is_alive(&workers[i]) && can_be_planned(a, catalog, workers[i].record.type))
            types[len++] = workers[i].record.type;
    }
    return types;
}

int fleet_picture(void *ctx, struct str *ret_svg, struct arena *a,
                  const struct fleet_listed *workers, size_t count, struct err *err)
{
    const char *const *types = types_of(a, ctx, workers, count);
    struct plan_ask ask = {.reserve = UINT64_MAX, .node_limit = FLEET_PICTURE_NODES};
    struct buf svg = buf_new(a, PLAN_TEXT_MAX);
    struct fleet_gpus gpus;
    struct gather items = {0};
    struct plan plan;

    if (fleet_gpus_of(&gpus, a, workers, count, err) < 0)
        return -1;
    ask.gpus = gpus.at;
    ask.gpu_count = gpus.count;
    if (types[0] != NULL && gather(&items, a, ctx, types, err) < 0)
        return -1;
    for (size_t i = 0; i < ask.gpu_count; i++)
        ask.gpus[i].host = NULL; /* all are of one */
    ask.items = items.items;
    ask.item_count = items.count;
    running_keep(&ask, items.items, a, &gpus.running);
    if (plan_make(&plan, a, &ask, err) < 0)
        return -1;
    plan_write_svg(&svg, &(struct write_ask){.plan = &plan, .arena = a});
    if (svg.cut)
        return err_set(err, ERR_LIMIT, "the picture is longer than %zu bytes", PLAN_TEXT_MAX);
    *ret_svg = buf_str(&svg);
    return 0;
}
