#include "plan/options.h"

#include <string.h>

/*
 * Of what the quality of a way is made: the form of the model counts most, then that it runs
 * untuned, then the whole context, then that it has a GPU: so who only prefers one goes without
 * before anybody else's context is cut. Of each the sum over all items a search can have must stay
 * below the next.
 */
#define QUALITY_GPU     UINT32_C(1)
#define QUALITY_CONTEXT (UINT32_C(1) << 6)
#define QUALITY_TUNING  (UINT32_C(1) << 12)
#define QUALITY_FORM    (UINT32_C(1) << 20)

#define FORMS_MAX   ((size_t)8)
#define SEQS_SMALL  ((uint64_t)32)
#define SEQS_LEAST  ((uint64_t)16)
#define BATCH_SMALL ((uint64_t)2048)
#define TUNINGS     3 /* as the engine does it; smaller batches; and without graphs */

/* Where ways are collected. */
struct ways {
    struct plan_way *at;
    size_t len;
    struct arena *arena;
    const struct plan_frame *frame;
    const struct plan_item *item;
};

static uint64_t smaller(uint64_t x, uint64_t y)
{
    return x < y ? x : y;
}

/* The context of a model where the whole of it is asked for; a model's own is its bound. */
static uint64_t context_of(const struct plan_wish *wish, const struct model_facts *facts)
{
    uint64_t asked = wish->context != 0 ? wish->context : PLAN_CONTEXT;

    return facts->shape.context != 0 ? smaller(asked, facts->shape.context) : asked;
}

struct memory_settings options_plain(const struct plan_frame *frame, const struct plan_item *item,
                                     const struct plan_model *model, const struct plan_class *on)
{
    const struct plan_wish *wish = &frame->ask->wish;
    struct memory_settings s = {
        .engine = item->engine,
        .context = context_of(wish, model->facts),
        .seqs = 1,
        .tp = wish->tp != 0 ? wish->tp : 1,
    };

    if (item->engine != MEMORY_VLLM)
        return s;
    fit_vllm_defaults(&s, on != NULL ? on->like->gpu->name : "", on != NULL ? on->fit.total : 0,
                      on != NULL && on->fit.mig);
    if (wish->seqs != 0)
        s.seqs = wish->seqs;
    if (wish->batch_tokens != 0)
        s.batch_tokens = wish->batch_tokens;
    s.eager = wish->eager;
    s.kv_fp8 = wish->kv_fp8;
    s.weights_fp8 = wish->dtype == PLAN_DTYPE_FP8 && model->facts->quant.method[0] == '\0';
    return s;
}

/*
 * What earlier starts have shown: weights of any start that is split and packed alike, working
 * memory of the very same settings on the same card alone. Of several versions of the engine the
 * one that was started last counts: which will be started nobody knows.
 */
static void use_learned(struct memory_settings *s, const struct plan_model *model, const char *gpu)
{
    for (size_t i = 0; i < model->learned_count; i++) {
        const struct learned *then = &model->learned[i];

        if (strcmp(then->engine, memory_engine_name(s->engine)) != 0 || then->tp != s->tp ||
            then->weights_fp8 != s->weights_fp8)
            continue;
        if (then->weights != 0)
            s->learned.weights = then->weights;
        if (then->working != 0 && then->kv_fp8 == s->kv_fp8 && then->seqs == s->seqs &&
            then->batch_tokens == s->batch_tokens && then->eager == s->eager &&
            strcmp(then->gpu, gpu) == 0) {
            s->learned.working = then->working;
            s->learned.version = then->version;
        }
    }
}

const struct plan_model *options_heaviest(const struct plan_frame *frame,
                                          const struct plan_item *item)
{
    const struct plan_model *heaviest = &item->models[0];
    uint64_t most = 0;

    for (size_t i = 0; i < item->model_count; i++) {
        struct memory_settings s = options_plain(frame, item, &item->models[i], NULL);
        struct memory_need need;

        memory_reckon(&need, item->models[i].facts, &s);
        if (need.whole > most) {
            most = need.whole;
            heaviest = &item->models[i];
        }
    }
    return heaviest;
}

/* Rounded up, so that what the search gives away is never less than what is taken. */
static uint64_t mib_up(uint64_t bytes)
{
    return bytes / MEMORY_MIB + (bytes % MEMORY_MIB != 0);
}

static bool put(struct ways *ways, const struct plan_way *way)
{
    if (ways->len >= PLACE_OPTIONS_MAX)
        return false;
    ways->at[ways->len++] = *way;
    return true;
}

/* Adds one way of vLLM on one class if it can run there beside others, or else alone. */
static bool put_vllm(struct ways *ways, struct plan_way *way)
{
    const struct plan_wish *wish = &ways->frame->ask->wish;
    struct fit_ask ask = {.facts = way->model->facts,
                          .settings = way->settings,
                          .utilization = wish->utilization,
                          .shared = true,
                          .bfloat16 = wish->dtype == PLAN_DTYPE_BFLOAT16};
    struct fit fit;

    use_learned(&ask.settings, way->model, way->on->like->gpu->name);
    way->settings = ask.settings;
    fit_judge(&fit, ways->arena, &ask, &way->on->fit);
    if (!fit_runs(fit.verdict))
        return false;
    way->place.need_mib = mib_up(fit.taken);
    way->place.counts_less = wish->utilization == 0 && fit.slack < (int64_t)FIT_CUSHION;
    return put(ways, way);
}

static uint32_t quality_of(const struct plan_way *way, size_t form, uint32_t tuning)
{
    return QUALITY_FORM * (uint32_t)(FORMS_MAX - form) + QUALITY_TUNING * (TUNINGS - tuning) +
           (way->context_less ? 0 : QUALITY_CONTEXT) + QUALITY_GPU;
}

/* As the engine does it; with a smaller batch; with the least batch and without graphs. */
static bool tune(struct memory_settings *s, const struct plan_wish *wish, uint32_t tuning)
{
    bool batch = wish->seqs == 0 && s->seqs > SEQS_SMALL;

    if (tuning == 0)
        return true;
    if (tuning == 1) {
        if (!batch)
            return false;
        s->seqs = SEQS_SMALL;
    } else {
        if (wish->seqs == 0)
            s->seqs = smaller(s->seqs, SEQS_LEAST);
        if (wish->eager || (wish->seqs != 0 && wish->batch_tokens != 0))
            return false;
        s->eager = true;
    }
    if (wish->batch_tokens == 0)
        s->batch_tokens = smaller(s->batch_tokens, BATCH_SMALL);
    return true;
}

/* All tunings at one context; false if even the untuned one runs nowhere here. */
static bool put_tunings(struct ways *ways, const struct plan_way *like, size_t form)
{
    bool plain = false;

    for (uint32_t tuning = 0; tuning < TUNINGS; tuning++) {
        struct plan_way way = *like;

        if (!tune(&way.settings, &ways->frame->ask->wish, tuning))
            continue;
        way.tuned = tuning > 0;
        way.place.quality = quality_of(&way, form, tuning);
        plain |= put_vllm(ways, &way) && tuning == 0;
    }
    return plain;
}

static void put_contexts(struct ways *ways, const struct plan_way *like, size_t form,
                         bool *ret_plain)
{
    struct plan_way less = *like;

    *ret_plain = put_tunings(ways, like, form);
    if (ways->frame->ask->wish.context != 0 || like->settings.context <= PLAN_CONTEXT_LEAST)
        return;
    less.settings.context = PLAN_CONTEXT_LEAST;
    less.context_less = true;
    (void)put_tunings(ways, &less, form);
}

/* More GPUs only where fewer do not do, and no more than there are. */
static void put_splits(struct ways *ways, const struct plan_model *model, size_t form,
                       const struct plan_class *on)
{
    const struct plan_wish *wish = &ways->frame->ask->wish;
    uint32_t first = wish->tp != 0 ? wish->tp : 1;
    bool plain = false;

    for (uint32_t tp = first; tp <= on->count && tp <= FIT_TP_MAX && !plain; tp *= 2) {
        struct plan_way way = {.model = model, .on = on, .place = {.tp = tp}};

        way.settings = options_plain(ways->frame, ways->item, model, on);
        way.settings.tp = tp;
        way.place.gpus = on->gpus;
        put_contexts(ways, &way, form, &plain);
        if (wish->tp != 0 || on->fit.mig)
            break;
    }
}

/* Ollama: all layers, or fewer and fewer of them. */
static void put_ollama(struct ways *ways, const struct plan_model *model,
                       const struct plan_class *on)
{
    uint64_t layers = model->facts->shape.layers;
    struct plan_way way = {.model = model,
                           .on = on,
                           .settings = options_plain(ways->frame, ways->item, model, on),
                           .place = {.tp = 1, .gpus = on->gpus}};
    struct memory_need need;

    memory_reckon(&need, model->facts, &way.settings);
    way.place.need_mib = mib_up(need.whole);
    way.place.quality = quality_of(&way, 0, 0);
    if (need.whole <= on->capacity)
        (void)put(ways, &way);
    way.place.counts_less = true;
    for (uint64_t quarter = 4; quarter > 0 && layers > 0; quarter--) {
        uint64_t some = quarter == 4 ? layers - 1 : layers * quarter / 4;
        uint64_t bytes = memory_of_layers(&need, model->facts, some);

        way.place.need_mib = mib_up(bytes);
        way.place.quality = QUALITY_TUNING * (uint32_t)(quarter - 1) / 2 + QUALITY_CONTEXT;
        if (some > 0 && bytes <= on->capacity)
            (void)put(ways, &way);
    }
}

static void put_server(struct ways *ways, const struct plan_model *model,
                       const struct plan_class *on)
{
    struct plan_way way = {.model = model,
                           .on = on,
                           .settings = options_plain(ways->frame, ways->item, model, on),
                           .place = {.tp = 1, .gpus = on->gpus}};
    struct memory_need need;

    memory_reckon(&need, model->facts, &way.settings);
    way.place.need_mib = mib_up(need.whole);
    way.place.quality = quality_of(&way, 0, 0);
    if (need.whole <= on->capacity)
        (void)put(ways, &way);
}

static void put_on(struct ways *ways, const struct plan_class *on)
{
    const struct plan_item *item = ways->item;

    switch (item->engine) {
    case MEMORY_VLLM:
        for (size_t form = 0; form < item->model_count && form < FORMS_MAX; form++)
            put_splits(ways, &item->models[form], form, on);
        return;
    case MEMORY_OLLAMA: put_ollama(ways, options_heaviest(ways->frame, item), on); return;
    case MEMORY_SERVER:
    case MEMORY_ENGINES: put_server(ways, &item->models[0], on); return;
    }
}

static void put_cpu(struct ways *ways)
{
    const struct plan_item *item = ways->item;
    struct plan_way way = {.model = options_heaviest(ways->frame, item)};

    way.settings = options_plain(ways->frame, item, way.model, NULL);
    way.place.quality = quality_of(&way, 0, 0) - QUALITY_GPU;
    (void)put(ways, &way);
}

/* Best first: by quality, then the firm ones, then by the order in which they were put. */
static void sort_ways(struct plan_way *at, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct plan_way way = at[i];
        size_t k = i;

        for (; k > 0; k--) {
            const struct place_option *before = &at[k - 1].place;

            if (before->counts_less == way.place.counts_less ? before->quality >= way.place.quality
                                                             : !before->counts_less)
                break;
            at[k] = at[k - 1];
        }
        at[k] = way;
    }
}

size_t options_of(struct plan_way out[static PLACE_OPTIONS_MAX], struct arena *a,
                  const struct plan_frame *frame, const struct plan_item *item)
{
    struct ways ways = {.at = out, .arena = a, .frame = frame, .item = item};

    if (item->cpu || item->no_gpu)
        put_cpu(&ways);
    for (size_t i = 0; i < frame->class_count && !item->no_gpu; i++) {
        if (frame->classes[i].count > 0)
            put_on(&ways, &frame->classes[i]);
    }
    sort_ways(out, ways.len);
    return ways.len;
}
