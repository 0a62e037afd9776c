#include "plan/reasons.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GIB      ((uint64_t)1 << 30)
#define TEXT_MAX 1024
#define PROMPT   ((uint64_t)256) /* tokens beside an image, at the least */

void reasons_add(struct arena *a, struct plan_placed *placed, const char *code, const char *fmt,
                 ...)
{
    char text[TEXT_MAX];
    va_list args;

    if (placed->reason_count >= PLAN_REASONS_MAX)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    placed->reasons[placed->reason_count++] =
        (struct plan_reason){.code = code, .text = str_dup(a, str_from(text))};
}

const char *reasons_size(struct arena *a, uint64_t bytes)
{
    uint64_t tenths = (bytes + GIB / 20) / (GIB / 10);

    if (bytes < GIB)
        return str_format(a, "%llu MiB", (unsigned long long)memory_mib(bytes));
    return str_format(a, "%llu.%llu GiB", (unsigned long long)(tenths / 10),
                      (unsigned long long)(tenths % 10));
}

static void of_context(struct arena *a, struct plan_placed *placed, const struct plan_ask *ask)
{
    const struct model_shape *shape = &placed->model->facts->shape;

    if (shape->context != 0 && ask->wish.context > shape->context)
        reasons_add(a, placed, "context-clamped",
                    "it was trained for %llu tokens: a context of %llu is taken as that",
                    (unsigned long long)shape->context, (unsigned long long)ask->wish.context);
    if (shape->image_tokens != 0 && placed->settings.context < shape->image_tokens + PROMPT)
        reasons_add(a, placed, "image-tokens",
                    "one image of full resolution takes up to %llu tokens, so that a context of "
                    "%llu cannot hold it",
                    (unsigned long long)shape->image_tokens,
                    (unsigned long long)placed->settings.context);
}

/* What the plan goes by that is not sure. */
static void of_facts(struct arena *a, struct plan_placed *placed)
{
    const struct model_facts *facts = placed->model->facts;

    const struct memory_learned *learned = &placed->settings.learned;

    if (learned->working != 0)
        reasons_add(a, placed, "learned",
                    "the working memory is what an earlier start with these settings took%s%s",
                    learned->version[0] != '\0' ? ", of version " : "", learned->version);
    for (size_t i = 0; i < facts->odd_count && i < FACTS_ODD_MAX; i++)
        reasons_add(a, placed, "not-sure", "%s", facts->odd[i]);
}

static void of_link(struct arena *a, struct plan_placed *placed, const struct plan_ask *ask)
{
    enum gpu_link_kind worst = GPU_LINK_NVLINK;

    for (size_t i = 0; i < placed->gpu_count; i++) {
        const struct plan_gpu *gpu = &ask->gpus[placed->gpus[i]];

        for (size_t k = i + 1; k < placed->gpu_count && gpu->gpu->link_count > 0; k++) {
            enum gpu_link_kind kind = plan_link(gpu, &ask->gpus[placed->gpus[k]]);

            worst = kind > worst ? kind : worst;
        }
    }
    if (worst >= GPU_LINK_NODE)
        reasons_add(a, placed, "slow-link",
                    "its GPUs are joined by nothing faster than %s: each token crosses that",
                    gpu_link_name(worst));
}

static void of_saving(struct arena *a, struct plan_placed *placed, const struct plan_way *way)
{
    const struct memory_settings *s = &placed->settings;

    if (way->model != &placed->item->models[0] && placed->item->engine != MEMORY_OLLAMA)
        reasons_add(a, placed, "variant", "planned as %s, since %s does not fit as it is",
                    way->model->ref, placed->item->models[0].name);
    if (way->context_less)
        reasons_add(a, placed, "context-reduced",
                    "planned with a context of %llu, since more does not fit",
                    (unsigned long long)s->context);
    if (way->tuned)
        reasons_add(a, placed, "tuned", "to save memory it takes %llu requests at once%s",
                    (unsigned long long)s->seqs, s->eager ? " and runs without CUDA graphs" : "");
}

/* Its worker runs already. */
static void of_move(struct arena *a, struct plan_placed *placed, const struct plan_ask *ask)
{
    const char *const *current = placed->item->current;

    for (size_t k = 0; current != NULL && k < placed->gpu_count; k++) {
        const struct plan_gpu *gpu = &ask->gpus[placed->gpus[k]];
        size_t i = 0;

        while (current[i] != NULL && strcmp(current[i], gpu->gpu->uuid) != 0)
            i++;
        if (current[i] != NULL)
            continue;
        reasons_add(a, placed, "moves", "its worker runs on other GPUs, so that it moves to %s",
                    plan_gpu_name(a, gpu));
        return;
    }
    if (current != NULL && placed->gpu_count > 0)
        reasons_add(a, placed, "stays",
                    "its worker runs there: what that holds counts as free for it");
}

void reasons_of_way(struct arena *a, struct plan_placed *placed, const struct plan_way *way,
                    const struct plan_ask *ask)
{
    const struct fit *fit = &placed->fit;

    if (fit->text != NULL)
        reasons_add(a, placed, fit->code, "%s", fit->text);
    of_saving(a, placed, way);
    if (placed->verdict == FIT_PARTIAL)
        reasons_add(
            a, placed, "partial",
            "%llu of %llu layers go to the GPU, the others to the CPU, which is much slower",
            (unsigned long long)fit->layers_on_gpu, (unsigned long long)fit->layers);
    if (placed->verdict == FIT_TIGHT)
        reasons_add(a, placed, "tight",
                    "%s to spare, and estimates may be wrong by 512 MiB: look at the first start",
                    reasons_size(a, (uint64_t)fit->slack));
    if (fit->half)
        reasons_add(
            a, placed, "half",
            "this GPU has no bfloat16 (compute capability below 8.0): run with --dtype half");
    of_move(a, placed, ask);
    of_context(a, placed, ask);
    of_link(a, placed, ask);
    of_facts(a, placed);
}

void reasons_of_cpu(struct arena *a, struct plan_placed *placed, const struct plan_ask *ask)
{
    if (placed->item->no_gpu)
        reasons_add(a, placed, "no-gpu-wanted", "its worker type wants no GPU");
    else if (ask->gpu_count == 0)
        reasons_add(a, placed, "no-gpu", "there is no GPU, and it can do without");
    else
        reasons_add(a, placed, "cpu", "it can do without a GPU, and others need what there is");
    of_context(a, placed, ask);
    of_facts(a, placed);
}

/* Several GPUs of a kind are wanted and not there. */
static bool of_too_few(struct arena *a, struct plan_placed *placed, const struct plan_frame *frame)
{
    uint32_t tp = frame->ask->wish.tp;
    uint32_t most = 0;

    for (size_t i = 0; i < frame->class_count; i++)
        most = frame->classes[i].count > most ? frame->classes[i].count : most;
    if (placed->item->engine != MEMORY_VLLM || tp <= most || most == 0)
        return false;
    placed->verdict = FIT_REFUSED;
    reasons_add(a, placed, "tensor-parallel",
                "--tp %u wants so many GPUs of the same model and size on one host, and there %s "
                "%u: each would need %s",
                tp, most == 1 ? "is" : "are", most, reasons_size(a, plan_need(placed)));
    return true;
}

static void of_no_room(struct arena *a, struct plan_placed *placed)
{
    const struct fit *fit = &placed->fit;
    bool vllm = placed->item->engine == MEMORY_VLLM;

    if (fit->slack >= 0) /* nostart: the budget would do */
        reasons_add(a, placed, "free",
                    "its share of %u.%02u is %s of the GPU's total, and with the CUDA context more "
                    "than is free: at most %u.%02u starts",
                    fit->utilization / 1000, fit->utilization % 1000 / 10,
                    reasons_size(a, fit->budget), fit->utilization_max / 1000,
                    fit->utilization_max % 1000 / 10);
    else if (vllm && fit->avail < 0)
        reasons_add(a, placed, "weights",
                    "the weights and the working memory alone are %s more than the budget of %s",
                    reasons_size(a, (uint64_t)-fit->avail), reasons_size(a, fit->budget));
    else
        reasons_add(a, placed, vllm ? "cache" : "memory",
                    vllm ? "the cache for one request of %llu tokens is %s more than what is left"
                         : "at a context of %llu tokens it needs %s more than is free",
                    (unsigned long long)placed->settings.context,
                    reasons_size(a, (uint64_t)-fit->slack));
}

void reasons_of_failure(struct arena *a, struct plan_placed *placed, const struct plan_frame *frame)
{
    const struct plan_item *item = placed->item;
    const struct fit *fit = &placed->fit;

    if (fit->text != NULL) {
        reasons_add(a, placed, fit->code, "%s", fit->text);
    } else if (frame->class_count == 0 && frame->ask->gpu_count > 0 && item->min_gpu_bytes > 0) {
        reasons_add(a, placed, "min-gpu-memory",
                    "no GPU that can be used has the %llu.%llu GB that its worker type asks for",
                    (unsigned long long)(item->min_gpu_bytes / 1000000000),
                    (unsigned long long)(item->min_gpu_bytes / 100000000 % 10));
    } else if (frame->class_count == 0) {
        reasons_add(a, placed, "no-gpu", "there is no GPU that can be used");
    } else if (of_too_few(a, placed, frame)) {
        /* said */
    } else if (fit_runs(placed->verdict)) {
        placed->verdict = FIT_NO;
        reasons_add(a, placed, "taken",
                    "it would run on %s, were it not for what the plan puts there",
                    plan_gpu_name(a, &frame->ask->gpus[placed->best_gpus[0]]));
    } else {
        of_no_room(a, placed);
    }
    of_context(a, placed, frame->ask);
    of_facts(a, placed);
}
