#include "plan/gather.h"

#include <string.h>

#include "text/vec.h"

typedef VEC(struct plan_item) item_list;
typedef VEC(struct plan_model) model_list;
typedef VEC(const char *) text_list;

struct gathering {
    struct arena *arena;
    const struct gather_ask *ask;
    item_list items;
    size_t word; /* which one is being gathered */
    text_list notes;
    model_list ollama; /* models of Ollama that were named alone */
};

static int model_of(struct plan_model *out, struct gathering *g, const struct catalog_want *want,
                    struct err *err)
{
    *out = (struct plan_model){.name = want->name, .ref = want->ref.text};
    if (want->note != NULL)
        vec_push(g->arena, &g->notes, want->note);
    return g->ask->facts(g->ask->facts_ctx, out, &want->ref, err);
}

static const struct catalog_model *entry_of(const struct gathering *g, const char *name)
{
    bool mended;

    return catalog_model(g->ask->catalog, str_from(name), &mended);
}

/* The smaller forms of an entry; one whose facts cannot be had is left out, with a note. */
static int forms_of(model_list *out, struct gathering *g, const char *name, struct err *err)
{
    const struct catalog_model *entry = entry_of(g, name);

    for (size_t i = 0; entry != NULL && entry->variants[i] != NULL; i++) {
        struct plan_model form = {.name = entry->variants[i], .ref = entry->variants[i]};
        struct model_ref ref;
        struct err why = {0};

        if (ref_parse(&ref, g->arena, str_from(entry->variants[i]), &why) < 0 ||
            g->ask->facts(g->ask->facts_ctx, &form, &ref, &why) < 0) {
            if (why.code == ERR_INTERRUPTED) {
                *err = why;
                return -1;
            }
            vec_push(g->arena, &g->notes,
                     str_format(g->arena, "%s is no form of %s that can be planned: %s",
                                entry->variants[i], name, why.msg));
            continue;
        }
        form.ref = ref.text;
        vec_push(g->arena, out, form);
    }
    return 0;
}

static void put_item(struct gathering *g, struct plan_item item, const struct catalog_worker *type)
{
    if (type != NULL) {
        item.worker = type->name;
        item.required = strcmp(type->gpu, "required") == 0;
        item.cpu = strcmp(type->gpu, "preferred") == 0;
        item.no_gpu = strcmp(type->gpu, "none") == 0;
        item.min_gpu_bytes = type->min_gpu_memory_bytes;
    } else {
        item.required = true;
    }
    item.group = g->word;
    vec_push(g->arena, &g->items, item);
}

static const char *item_name(struct gathering *g, const struct catalog_worker *type,
                             const char *name)
{
    return type == NULL ? name : str_format(g->arena, "%s/%s", type->name, name);
}

/* vLLM's, or a small server's. */
static int put_hub(struct gathering *g, const struct catalog_worker *type,
                   const struct plan_model *model, struct err *err)
{
    const struct catalog_model *entry = entry_of(g, model->name);
    bool embeds = (entry != NULL && strcmp(entry->kind, "embedding") == 0) ||
                  model->facts->shape.cache == FACTS_CACHE_NONE;
    struct plan_item item = {.name = item_name(g, type, model->name),
                             .engine = embeds ? MEMORY_SERVER : MEMORY_VLLM};
    model_list models = {0}, others = {0};

    if (g->ask->engine_named)
        item.engine = g->ask->engine;
    vec_push(g->arena, &models, *model);
    if (forms_of(type != NULL && !g->ask->no_variants ? &models : &others, g, model->name, err) < 0)
        return -1;
    item.models = models.at;
    item.model_count = models.len;
    item.others = others.at;
    item.other_count = others.len;
    put_item(g, item, type);
    return 0;
}

static void put_ollama(struct gathering *g, const struct catalog_worker *type,
                       const model_list *models)
{
    const char *alone = type == NULL && models->len == 1 ? models->at[0].name : "ollama";

    if (models->len > 0)
        put_item(g,
                 (struct plan_item){.name = item_name(g, type, alone),
                                    .engine = MEMORY_OLLAMA,
                                    .models = models->at,
                                    .model_count = models->len},
                 type);
}

static bool is_ollama(const struct catalog_want *want)
{
    return strcmp(want->ref.source, "ollama") == 0;
}

static int engine_suits(const struct gathering *g, const struct catalog_want *want, struct err *err)
{
    const struct gather_ask *ask = g->ask;

    if (!ask->engine_named || is_ollama(want) == (ask->engine == MEMORY_OLLAMA))
        return 0;
    return err_set(err, ERR_USAGE, "--engine %s: %s is a model of %s, which %s serves",
                   memory_engine_name(ask->engine), want->ref.text,
                   is_ollama(want) ? "Ollama" : "the Hub", is_ollama(want) ? "Ollama" : "vLLM");
}

static int add_want(struct gathering *g, const struct catalog_worker *type,
                    const struct catalog_want *want, model_list *ollama, struct err *err)
{
    struct plan_model model;

    if (engine_suits(g, want, err) < 0 || model_of(&model, g, want, err) < 0)
        return -1;
    if (!is_ollama(want))
        return put_hub(g, type, &model, err);
    vec_push(g->arena, ollama, model);
    return 0;
}

/* A type with all its models, or a model. */
static int add_word(struct gathering *g, const char *word, struct err *err)
{
    const struct gather_ask *ask = g->ask;
    const struct catalog_worker *type = catalog_worker(ask->catalog, str_from(word));
    const char *const words[] = {word, NULL};
    const struct catalog_ask one = {.words = words, .optional = ask->optional};
    struct catalog_choice choice;
    model_list own = {0};
    model_list *ollama = type != NULL ? &own : &g->ollama;

    if (catalog_resolve(&choice, g->arena, ask->catalog, &one, err) < 0)
        return -1;
    for (size_t i = 0; i < choice.count; i++) {
        if (add_want(g, type, &choice.wants[i], ollama, err) < 0)
            return -1;
    }
    if (type != NULL)
        put_ollama(g, type, &own);
    return 0;
}

/* Names that came twice get a number. */
static void name_apart(struct gathering *g)
{
    for (size_t i = 1; i < g->items.len; i++) {
        size_t same = 1;

        for (size_t k = 0; k < i; k++)
            same += strcmp(g->items.at[k].name, g->items.at[i].name) == 0;
        if (same > 1)
            g->items.at[i].name = str_format(g->arena, "%s#%zu", g->items.at[i].name, same);
    }
}

static bool pin_is_for(const struct plan_item *item, struct str name)
{
    return str_eqz(name, item->name) || (item->worker != NULL && str_eqz(name, item->worker)) ||
           str_eqz(name, item->models[0].name) || str_eqz(name, memory_engine_name(item->engine));
}

/* "vllm=GPU-5c3f": by name, type, model or engine. */
static int put_pins(struct gathering *g, struct err *err)
{
    for (size_t p = 0; g->ask->pins != NULL && g->ask->pins[p] != NULL; p++) {
        struct str gpu = str_from(g->ask->pins[p]);
        struct str name;
        size_t found = 0;

        if (!str_cut(&gpu, '=', &name) || name.len == 0 || gpu.len == 0)
            return err_set(err, ERR_USAGE, "--pin %s: it takes ITEM=GPU, as vllm=GPU-5c3f2a1b",
                           g->ask->pins[p]);
        for (size_t i = 0; i < g->items.len; i++) {
            struct plan_item *item = &g->items.at[i];
            size_t count = 0;
            const char **pins;

            if (!pin_is_for(item, name))
                continue;
            found++;
            while (item->pins != NULL && item->pins[count] != NULL)
                count++;
            pins = arena_array(g->arena, const char *, count + 2);
            if (count > 0)
                memcpy(pins, item->pins, count * sizeof(*pins));
            pins[count] = str_dup(g->arena, gpu);
            item->pins = pins;
        }
        if (found == 0)
            return err_set(err, ERR_USAGE,
                           "--pin %s: nothing that is planned has this name, type, model or engine",
                           g->ask->pins[p]);
    }
    return 0;
}

int gather_items(struct gather *out, struct arena *a, const struct gather_ask *ask, struct err *err)
{
    const char *const type_alone[] = {ask->worker_type, NULL};
    const char *const *words =
        ask->words != NULL && ask->words[0] != NULL ? ask->words : type_alone;
    struct gathering g = {.arena = a, .ask = ask};

    if (words[0] == NULL) {
        (void)err_set(err, ERR_USAGE,
                      "nothing to plan: neither a worker type nor a model is named");
        return err_hint(err, "worker types: %s", catalog_worker_names(a, ask->catalog));
    }
    for (; words[g.word] != NULL; g.word++) {
        if (add_word(&g, words[g.word], err) < 0)
            return -1;
    }
    put_ollama(&g, NULL, &g.ollama);
    name_apart(&g);
    for (size_t i = 0; i < g.items.len; i++)
        g.items.at[i].priority = (uint32_t)(g.items.len - i);
    if (put_pins(&g, err) < 0)
        return -1;
    vec_push(a, &g.notes, NULL);
    *out = (struct gather){.items = g.items.at, .count = g.items.len, .notes = g.notes.at};
    return 0;
}
