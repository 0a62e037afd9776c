#include "gpu/fit.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "text/str.h"

#define LARGE_CARD  ((uint64_t)70 << 30) /* from here on vLLM takes its large defaults */
#define SM_WHEELS   70                   /* what vLLM's wheels are built for */
#define SM_W8A8     89
#define SM_BFLOAT16 80
#define VOCAB_PAD   64
#define MARLIN_OUT  64u
#define MARLIN_IN   128u
#define WHOLE       1000 /* thousandths */
#define HUNDREDTH   10

/* What packed weights ask of a GPU. Source: vLLM's table of supported hardware. */
static const struct {
    const char *method;
    uint32_t sm;
    bool marlin; /* its kernels want widths in steps */
} packings[] = {
    {"awq", 75, true},           {"gptq", 70, true},
    {"fp8", 75, false},          {"compressed-tensors", 75, false},
    {"bitsandbytes", 70, false}, {"gguf", 70, false},
};

uint64_t fit_budget(uint64_t total, uint32_t utilization)
{
    uint64_t whole = total / WHOLE * utilization;
    uint64_t rest = total % WHOLE * utilization;

    return whole + rest / WHOLE + (rest % WHOLE != 0);
}

/* The least share of the total that holds so many bytes, in steps. */
static uint32_t share_up(uint64_t bytes, uint64_t total, uint32_t step)
{
    for (uint32_t share = step; share < WHOLE; share += step) {
        if (fit_budget(total, share) >= bytes)
            return share;
    }
    return bytes <= total ? WHOLE : WHOLE + step;
}

uint32_t fit_shared_utilization(const struct memory_need *need, uint64_t total)
{
    return share_up(need->inside + FIT_CUSHION, total, HUNDREDTH);
}

/* The largest share, in hundredths, that vLLM's check of the free memory lets start. */
static uint32_t share_most(const struct memory_need *need, const struct fit_gpu *gpu)
{
    uint64_t context = need->part[MEMORY_CONTEXT];
    uint32_t share = WHOLE;

    if (gpu->free <= context)
        return 0;
    while (share > 0 && fit_budget(gpu->total, share) > gpu->free - context)
        share -= HUNDREDTH;
    return share;
}

static const char *indivisible(struct arena *a, const char *what, uint64_t n, uint32_t tp)
{
    return str_format(a, "its %llu %s cannot be split over %u GPUs", (unsigned long long)n, what,
                      tp);
}

/* Of packed weights each GPU's part must be whole groups, and whole tiles of the kernel. */
static const char *split_of_packed(struct arena *a, const struct model_facts *facts, uint32_t tp)
{
    const uint64_t widths[] = {facts->shape.hidden, facts->shape.intermediate};
    const struct model_quant *quant = &facts->quant;
    bool marlin = false;

    for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++)
        marlin |= packings[i].marlin && strcmp(quant->method, packings[i].method) == 0;
    for (size_t i = 0; i < 2; i++) {
        uint64_t part = widths[i] / tp;

        if (quant->group != 0 && part % quant->group != 0)
            return str_format(a,
                              "a GPU's part of %llu of the width %llu is no multiple of the group "
                              "size %llu of its quantisation",
                              (unsigned long long)part, (unsigned long long)widths[i],
                              (unsigned long long)quant->group);
        if (marlin && (part % MARLIN_IN != 0 || part % MARLIN_OUT != 0))
            return str_format(a,
                              "a GPU's part of %llu of the width %llu is no multiple of %u, as the "
                              "kernels for its quantisation want",
                              (unsigned long long)part, (unsigned long long)widths[i], MARLIN_IN);
    }
    return NULL;
}

const char *fit_split(struct arena *a, const struct model_facts *facts, uint32_t tp)
{
    const struct model_shape *shape = &facts->shape;
    uint64_t kv = shape->kv_heads != 0 ? shape->kv_heads : shape->heads;
    uint64_t vocab = (shape->vocab + VOCAB_PAD - 1) / VOCAB_PAD * VOCAB_PAD;

    if (tp <= 1)
        return NULL;
    if (shape->guessed || shape->heads == 0)
        return "its heads are not known, so nobody can tell whether it can be split";
    if (shape->heads % tp != 0)
        return indivisible(a, "attention heads", shape->heads, tp);
    if (shape->cache == FACTS_CACHE_ATTENTION && kv % tp != 0 && tp % kv != 0)
        return indivisible(a, "key and value heads", kv, tp);
    if (shape->intermediate % tp != 0)
        return indivisible(a, "columns of the intermediate size", shape->intermediate, tp);
    if (vocab % tp != 0)
        return indivisible(a, "rows of the padded vocabulary", vocab, tp);
    if (shape->vision_heads % tp != 0)
        return indivisible(a, "heads of the vision part", shape->vision_heads, tp);
    if (facts->quant.method[0] != '\0')
        return split_of_packed(a, facts, tp);
    return NULL;
}

static void refuse(struct fit *out, const char *code, const char *text)
{
    out->verdict = FIT_REFUSED;
    out->code = code;
    out->text = text;
}

static const char *sm_name(struct arena *a, uint32_t sm)
{
    return str_format(a, "%u.%u", sm / 10, sm % 10);
}

static void refuse_by_sm(struct fit *out, struct arena *a, const struct fit_ask *ask, uint32_t sm)
{
    const struct model_quant *quant = &ask->facts->quant;
    const char *method = ask->settings.weights_fp8 ? "fp8" : quant->method;
    const char *who = "vLLM";
    uint32_t least = SM_WHEELS;

    for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
        if (strcmp(method, packings[i].method) != 0)
            continue;
        who = str_format(a, "vLLM with %s weights", method);
        least = packings[i].sm > least ? packings[i].sm : least;
    }
    if (quant->static_activations && strcmp(method, "fp8") == 0) {
        who = "vLLM with fp8 weights and activations";
        least = SM_W8A8;
    }
    if (ask->bfloat16 && least < SM_BFLOAT16) {
        who = "bfloat16";
        least = SM_BFLOAT16;
    }
    if (sm != 0 && sm < least)
        refuse(out, "compute-capability",
               str_format(a, "%s needs compute capability %s, this GPU has %s", who,
                          sm_name(a, least), sm_name(a, sm)));
}

static bool is_bfloat16(const struct model_facts *facts)
{
    return facts->quant.method[0] == '\0' &&
           (strcmp(facts->dtype, "bfloat16") == 0 ||
            (facts->dtype_count > 0 && strcmp(facts->dtypes[0].name, "BF16") == 0));
}

static void refuse_vllm(struct fit *out, struct arena *a, const struct fit_ask *ask,
                        const struct fit_gpu *gpu)
{
    uint32_t tp = ask->settings.tp;
    const char *split = fit_split(a, ask->facts, tp);

    if (gpu->mig && tp > 1)
        refuse(out, "mig",
               "a MIG instance cannot be one of several GPUs: CUDA shows a process one");
    else if (split != NULL)
        refuse(out, "tensor-parallel", split);
    else
        refuse_by_sm(out, a, ask, gpu->sm);
    out->half = !ask->bfloat16 && gpu->sm != 0 && gpu->sm < SM_BFLOAT16 && is_bfloat16(ask->facts);
}

static int64_t difference(uint64_t x, uint64_t y)
{
    return (int64_t)x - (int64_t)y;
}

/* All that follows from one share of the total. */
static void with_share(struct fit *out, const struct fit_ask *ask, const struct fit_gpu *gpu,
                       uint32_t share)
{
    const struct memory_need *need = &out->need;
    uint64_t context = need->part[MEMORY_CONTEXT];

    out->utilization = share;
    out->budget = fit_budget(gpu->total, share);
    out->avail = difference(out->budget, need->fixed);
    out->slack = difference(out->budget, need->inside);
    out->taken = out->budget + context;
    out->kv_tokens = out->avail > 0 ? memory_tokens(need, &ask->settings, (uint64_t)out->avail) : 0;
    if (out->slack < 0)
        out->verdict = FIT_NO;
    else if (difference(gpu->free, context) < (int64_t)out->budget)
        out->verdict = FIT_NOSTART;
    else
        out->verdict = out->slack < (int64_t)FIT_BAND ? FIT_TIGHT : FIT_FIT;
}

/* With nothing said: what is needed beside others; alone vLLM's default, or more or less of it. */
static void best_share(struct fit *out, const struct fit_ask *ask, const struct fit_gpu *gpu)
{
    struct fit most;

    if (ask->shared) {
        uint32_t share = fit_shared_utilization(&out->need, gpu->total);

        with_share(out, ask, gpu, share < WHOLE ? share : WHOLE);
        if (fit_runs(out->verdict) || out->utilization_max < out->utilization_min)
            return;
        with_share(out, ask, gpu, out->utilization_max);
        return;
    }
    with_share(out, ask, gpu, FIT_UTILIZATION);
    if (out->verdict == FIT_FIT || out->utilization_max == 0)
        return;
    most = *out;
    with_share(&most, ask, gpu, out->utilization_max);
    if (most.verdict < out->verdict)
        *out = most;
}

static void judge_vllm(struct fit *out, const struct fit_ask *ask, const struct fit_gpu *gpu)
{
    enum fit_verdict refused = out->verdict;

    out->utilization_min = share_up(out->need.inside, gpu->total, 1);
    out->utilization_max = share_most(&out->need, gpu);
    if (ask->utilization != 0)
        with_share(out, ask, gpu, ask->utilization);
    else
        best_share(out, ask, gpu);
    if (refused == FIT_REFUSED)
        out->verdict = refused;
}

/* Ollama, and small servers, take what is free. */
static void judge_free(struct fit *out, const struct fit_ask *ask, const struct fit_gpu *gpu)
{
    const struct memory_need *need = &out->need;

    out->budget = gpu->free;
    out->avail = difference(gpu->free, need->whole - need->part[MEMORY_KV]);
    out->slack = difference(gpu->free, need->whole);
    out->taken = need->whole;
    out->verdict = out->slack >= 0 ? FIT_FIT : FIT_NO;
    if (ask->settings.engine != MEMORY_OLLAMA)
        return;
    out->layers = ask->facts->shape.layers;
    out->layers_on_gpu = memory_layers(need, ask->facts, gpu->free);
    if (out->slack >= 0) {
        out->kv_tokens = need->kv_token == 0 ? 0 : need->part[MEMORY_KV] / need->kv_token;
    } else if (out->layers_on_gpu > 0) {
        out->verdict = FIT_PARTIAL;
        out->taken = gpu->free;
    }
}

void fit_judge(struct fit *out, struct arena *a, const struct fit_ask *ask,
               const struct fit_gpu *gpu)
{
    *out = (struct fit){.verdict = FIT_NO};
    memory_reckon(&out->need, ask->facts, &ask->settings);
    if (ask->settings.engine == MEMORY_VLLM) {
        refuse_vllm(out, a, ask, gpu);
        judge_vllm(out, ask, gpu);
    } else {
        judge_free(out, ask, gpu);
    }
}

static bool holds(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (; *text != '\0'; text++) {
        if (strncasecmp(text, word, len) == 0)
            return true;
    }
    return false;
}

void fit_vllm_defaults(struct memory_settings *settings, const char *gpu_name, uint64_t total,
                       bool mig)
{
    bool large = total >= LARGE_CARD && !holds(gpu_name, "a100");

    settings->batch_tokens = large ? 8192 : 2048;
    settings->seqs = mig ? 64 : large ? 1024 : 256;
}

int fit_rank(enum fit_verdict verdict)
{
    static const int ranks[FIT_VERDICTS] = {
        [FIT_REFUSED] = 0, [FIT_NO] = 1,    [FIT_NOSTART] = 2, [FIT_PARTIAL] = 3,
        [FIT_CPU] = 4,     [FIT_TIGHT] = 5, [FIT_FIT] = 6,
    };

    assert(verdict < FIT_VERDICTS);
    return ranks[verdict];
}

bool fit_runs(enum fit_verdict verdict)
{
    return fit_rank(verdict) >= fit_rank(FIT_PARTIAL);
}

const char *fit_verdict_name(enum fit_verdict verdict)
{
    static const char *const names[FIT_VERDICTS] = {
        [FIT_FIT] = "fit", [FIT_TIGHT] = "tight",     [FIT_PARTIAL] = "partial", [FIT_CPU] = "cpu",
        [FIT_NO] = "no",   [FIT_NOSTART] = "nostart", [FIT_REFUSED] = "refused",
    };

    assert(verdict < FIT_VERDICTS);
    return names[verdict];
}
