#include "plan/suggest.h"

#include <stdio.h>
#include <string.h>

#include "plan/reasons.h"
#include "plan/room.h"

#define CONTEXT_LEAST ((uint64_t)512) /* a shorter one is no use */

/* What is being changed, and where it is judged. */
struct trial {
    struct arena *arena;
    struct plan_placed *placed;
    const struct plan_ask *ask;
    struct fit_gpu gpu;
    uint32_t utilization; /* that was named; 0: none */
};

/* Cards by the size they are sold by, with what CUDA has of it in MiB. */
static const struct {
    const char *name;
    uint64_t total_mib;
} cards[] = {
    {"8 GB", 7838},   {"12 GB", 11908}, {"16 GB", 15950}, {"24 GB", 24124},
    {"32 GB", 32117}, {"48 GB", 45468}, {"80 GB", 81008}, {"141 GB", 143150},
};

static void judge(struct fit *out, const struct trial *t, const struct model_facts *facts,
                  const struct memory_settings *settings, const struct fit_gpu *gpu)
{
    struct fit_ask ask = {.facts = facts,
                          .settings = *settings,
                          .utilization = t->utilization,
                          .shared = t->placed->shared,
                          .bfloat16 = t->ask->wish.dtype == PLAN_DTYPE_BFLOAT16};

    ask.settings.learned = (struct memory_learned){0};
    fit_judge(out, t->arena, &ask, gpu);
}

/* Added if it runs better than what is planned. */
static bool offer(struct trial *t, const char *change, const struct fit *fit)
{
    struct plan_placed *placed = t->placed;
    bool vllm = placed->item->engine == MEMORY_VLLM;

    if (!fit_runs(fit->verdict) || fit_rank(fit->verdict) <= fit_rank(placed->verdict) ||
        placed->suggestion_count >= PLAN_SUGGESTIONS_MAX)
        return false;
    placed->suggestions[placed->suggestion_count++] = (struct plan_suggestion){
        .change = change,
        .need = vllm ? fit->need.inside : fit->need.whole,
        .verdict = fit->verdict,
        .kv_tokens = fit->kv_tokens,
    };
    return true;
}

static bool try_settings(struct trial *t, const char *change, const struct memory_settings *s)
{
    struct fit fit;

    judge(&fit, t, t->placed->model->facts, s, &t->gpu);
    return offer(t, change, &fit);
}

/* The longest context that works as everything else stands. */
static void try_context(struct trial *t)
{
    struct memory_settings s = t->placed->settings;
    uint64_t good = 0, bad = s.context;

    while (bad - good > 16) {
        struct fit fit;

        s.context = good + (bad - good) / 2 / 16 * 16;
        if (s.context <= good)
            break;
        judge(&fit, t, t->placed->model->facts, &s, &t->gpu);
        if (fit.verdict == FIT_FIT || fit.verdict == FIT_TIGHT)
            good = s.context;
        else
            bad = s.context;
    }
    s.context = good;
    if (good >= CONTEXT_LEAST)
        (void)try_settings(t, str_format(t->arena, "--context %llu", (unsigned long long)good), &s);
}

static void offer_share(struct trial *t, const struct fit *fit)
{
    (void)offer(t,
                str_format(t->arena, "--utilization %u.%02u", fit->utilization / 1000,
                           fit->utilization % 1000 / 10),
                fit);
}

/* The best share in place of one that was named; beside others more, where more is left. */
static void try_utilization(struct trial *t)
{
    const struct plan_placed *placed = t->placed;
    struct memory_need roomy = placed->fit.need;
    struct fit_ask ask = {.facts = placed->model->facts, .settings = placed->settings};
    struct fit fit;

    if (t->utilization != 0) {
        t->utilization = 0;
        judge(&fit, t, placed->model->facts, &placed->settings, &t->gpu);
        t->utilization = t->ask->wish.utilization;
        offer_share(t, &fit);
    } else if (placed->shared && placed->verdict == FIT_TIGHT) {
        roomy.inside += FIT_BAND - FIT_CUSHION;
        ask.utilization = fit_shared_utilization(&roomy, t->gpu.total);
        fit_judge(&fit, t->arena, &ask, &t->gpu);
        offer_share(t, &fit);
    }
}

static void try_batches(struct trial *t)
{
    const struct memory_settings now = t->placed->settings;
    struct memory_settings s = now;
    bool done = false;

    s.eager = true;
    if (!now.eager)
        done = try_settings(t, "--eager", &s);
    for (uint64_t seqs = 256, found = 0; seqs >= 16 && found == 0; seqs /= 2) {
        s = now;
        s.seqs = seqs;
        if (seqs < now.seqs &&
            try_settings(t, str_format(t->arena, "--max-num-seqs %llu", (unsigned long long)seqs),
                         &s))
            found = seqs;
        done |= found != 0;
    }
    s = now;
    s.eager = true;
    s.seqs = now.seqs < 16 ? now.seqs : 16;
    s.batch_tokens = now.batch_tokens < 2048 ? now.batch_tokens : 2048;
    if (!done && !(now.eager && s.seqs == now.seqs))
        (void)try_settings(t, "--eager --max-num-seqs 16 --max-num-batched-tokens 2048", &s);
}

static void try_packing(struct trial *t)
{
    struct memory_settings s = t->placed->settings;
    const struct model_facts *facts = t->placed->model->facts;

    s.kv_fp8 = true;
    if (!t->placed->settings.kv_fp8 && facts->shape.cache != FACTS_CACHE_NONE)
        (void)try_settings(t, "--kv-cache-dtype fp8", &s);
    s = t->placed->settings;
    s.weights_fp8 = true;
    if (!t->placed->settings.weights_fp8 && facts->quant.method[0] == '\0')
        (void)try_settings(t, "--dtype fp8", &s);
}

static void try_form(struct trial *t, const struct plan_model *form)
{
    struct fit fit;

    if (form == t->placed->model)
        return;
    judge(&fit, t, form->facts, &t->placed->settings, &t->gpu);
    (void)offer(t, str_format(t->arena, "the model %s", form->ref), &fit);
}

static void try_forms(struct trial *t)
{
    const struct plan_item *item = t->placed->item;

    for (size_t i = 0; i < item->model_count; i++)
        try_form(t, &item->models[i]);
    for (size_t i = 0; i < item->other_count; i++)
        try_form(t, &item->others[i]);
}

static void try_split(struct trial *t)
{
    struct memory_settings s = t->placed->settings;

    for (s.tp = s.tp * 2; s.tp <= t->placed->best_count && s.tp <= FIT_TP_MAX; s.tp *= 2) {
        if (try_settings(t, str_format(t->arena, "--tp %u", s.tp), &s))
            return;
    }
}

/* More GPUs were asked for than there are of a kind. */
static void try_fewer(struct trial *t)
{
    struct memory_settings s = t->placed->settings;

    for (s.tp = (uint32_t)t->placed->best_count; s.tp >= 1; s.tp--) {
        if (try_settings(t, str_format(t->arena, "--tp %u", s.tp), &s))
            return;
    }
}

static void try_cards(struct trial *t)
{
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        struct fit_gpu card = {.total = cards[i].total_mib * MEMORY_MIB,
                               .free = cards[i].total_mib * MEMORY_MIB};
        struct fit fit;

        if (card.total <= t->gpu.total)
            continue;
        judge(&fit, t, t->placed->model->facts, &t->placed->settings, &card);
        if (fit.verdict == FIT_FIT &&
            offer(t, str_format(t->arena, "a GPU of %s", cards[i].name), &fit))
            return;
    }
}

/* With what others hold now. */
static void try_ending(struct trial *t)
{
    const struct plan_gpu *gpu = &t->ask->gpus[t->placed->best_gpus[0]];
    struct fit_gpu whole = t->gpu;
    const char *who = "whatever";
    struct fit fit;

    whole.free = whole.total;
    if (gpu->gpu->process_count > 0) {
        const struct gpu_process *p = &gpu->gpu->processes[0];

        for (size_t i = 1; i < gpu->gpu->process_count; i++) {
            if (gpu->gpu->processes[i].mib > p->mib)
                p = &gpu->gpu->processes[i];
        }
        who = str_format(t->arena, "%s (pid %llu), which",
                         p->name[0] != '\0' ? p->name : "the process", (unsigned long long)p->pid);
    }
    judge(&fit, t, t->placed->model->facts, &t->placed->settings, &whole);
    if (gpu->gpu->used_mib * MEMORY_MIB > gpu->managed)
        (void)offer(t,
                    str_format(t->arena, "end %s holds %llu MiB of %s", who,
                               (unsigned long long)(gpu->gpu->used_mib - gpu->managed / MEMORY_MIB),
                               plan_gpu_name(t->arena, gpu)),
                    &fit);
}

/* The roomiest of those where it is, or comes closest. */
static struct fit_gpu best_gpu(const struct plan_placed *placed, const struct plan_ask *ask)
{
    const struct plan_gpu *gpu = &ask->gpus[placed->best_gpus[0]];

    for (size_t i = 1; i < placed->best_count; i++) {
        if (ask->gpus[placed->best_gpus[i]].capacity > gpu->capacity)
            gpu = &ask->gpus[placed->best_gpus[i]];
    }
    return room_fit(gpu, gpu->capacity);
}

void suggest(struct arena *a, struct plan_placed *placed, const struct plan_ask *ask)
{
    struct trial t = {
        .arena = a, .placed = placed, .ask = ask, .utilization = ask->wish.utilization};

    if (placed->verdict == FIT_FIT || placed->verdict == FIT_CPU || placed->best_count == 0)
        return;
    t.gpu = best_gpu(placed, ask);
    if (placed->verdict == FIT_REFUSED && ask->wish.tp > placed->best_count) {
        try_fewer(&t);
        return;
    }
    if (placed->gpu_count > 0) /* its own part of the GPU, beside its neighbours */
        t.gpu.free = placed->left;
    if (placed->item->engine == MEMORY_VLLM)
        try_utilization(&t);
    if (!fit_runs(placed->verdict) || placed->verdict == FIT_PARTIAL)
        try_context(&t);
    if (placed->item->engine == MEMORY_VLLM) {
        try_batches(&t);
        try_packing(&t);
    }
    try_forms(&t);
    if (placed->item->engine == MEMORY_VLLM && ask->wish.tp == 0)
        try_split(&t);
    if (!placed->shared)
        try_cards(&t);
    try_ending(&t);
}
