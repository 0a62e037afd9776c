/* The plan for people: who takes what of each GPU, then what each item needs and what would help.
 */
#include <string.h>

#include "plan/reasons.h"
#include "plan/room.h"
#include "plan/write.h"
#include "report/escape.h"

#define WIDTH       ((size_t)80)
#define BAR_LEAST   ((size_t)20)
#define BAR_MOST    ((size_t)60)
#define LETTERS     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define LETTERS_MAX (sizeof(LETTERS) - 1)

static const char *shown(const struct write_ask *ask, const char *text)
{
    struct buf b = buf_new(ask->arena, 4096);

    escape_text(&b, str_from(text));
    return b.len > 0 ? b.ptr : "-";
}

static const char *size(const struct write_ask *ask, uint64_t bytes)
{
    return reasons_size(ask->arena, bytes);
}

/* One letter for each cell of the bar: items by letter, '#' what others hold, '.' what is free. */
static void put_bar(struct buf *out, const struct write_ask *ask, size_t gpu, size_t cells)
{
    const struct plan *plan = ask->plan;
    const struct plan_gpu *at = &plan->ask->gpus[gpu];
    uint64_t total = at->gpu->cuda_total_mib * MEMORY_MIB;
    uint64_t held = room_held(at);
    uint64_t done = 0;
    size_t put = 0;

    for (size_t i = 0; i <= plan->ask->item_count; i++) {
        char letter = i == 0 ? '#' : LETTERS[(i - 1) % LETTERS_MAX];
        uint64_t bytes = i == 0 ? held : 0;

        for (size_t k = 0; i > 0 && k < plan->placed[i - 1].gpu_count; k++)
            bytes += plan->placed[i - 1].gpus[k] == gpu ? plan->placed[i - 1].taken : 0;
        if (bytes == 0)
            continue;
        done += bytes;
        /* A cell at least, however little it is. */
        for (size_t first = put; put < cells && (put == first || (put + 1) * total <= done * cells);
             put++)
            buf_addc(out, letter);
    }
    while (put++ < cells)
        buf_addc(out, '.');
}

static void put_gpus(struct buf *out, const struct write_ask *ask)
{
    const struct plan *plan = ask->plan;
    size_t width = ask->width != 0 ? ask->width : WIDTH;
    size_t cells = width > 40 ? width - 40 : 0;
    int widest = 0;

    cells = cells < BAR_LEAST ? BAR_LEAST : cells > BAR_MOST ? BAR_MOST : cells;
    for (size_t i = 0; i < plan->ask->gpu_count; i++) {
        int len = (int)strlen(shown(ask, plan_gpu_name(ask->arena, &plan->ask->gpus[i])));

        widest = len > widest ? len : widest;
    }
    for (size_t i = 0; i < plan->ask->gpu_count; i++) {
        const struct plan_gpu *gpu = &plan->ask->gpus[i];

        buf_addf(out, "%-*s  ", widest, shown(ask, plan_gpu_name(ask->arena, gpu)));
        if (gpu->gpu->state != GPU_OK) {
            buf_addf(out, "is %s\n", gpu_state_name(gpu->gpu->state));
            continue;
        }
        buf_addc(out, '[');
        put_bar(out, ask, i, cells);
        buf_addf(out, "] %s of %s\n", size(ask, gpu->given),
                 size(ask, gpu->gpu->cuda_total_mib * MEMORY_MIB));
    }
    if (plan->ask->gpu_count == 0)
        buf_addz(out, "no GPU\n");
    buf_addc(out, '\n');
}

static void put_where(struct buf *out, const struct write_ask *ask,
                      const struct plan_placed *placed)
{
    if (placed->verdict == FIT_CPU)
        buf_addz(out, "on the CPU");
    else if (placed->gpu_count == 0)
        buf_addz(out, "nowhere");
    for (size_t i = 0; i < placed->gpu_count; i++)
        buf_addf(out, "%s%s", i == 0 ? "on " : " and ",
                 shown(ask, plan_gpu_name(ask->arena, &ask->plan->ask->gpus[placed->gpus[i]])));
}

static void put_settings(struct buf *out, const struct write_ask *ask,
                         const struct plan_placed *placed)
{
    const struct memory_settings *s = &placed->settings;

    (void)ask;
    buf_addf(out, "     context %llu", (unsigned long long)s->context);
    if (s->engine == MEMORY_VLLM && placed->best_count > 0) {
        buf_addz(out, ", utilization ");
        plan_put_share(out, placed->fit.utilization);
        buf_addf(out, ", %llu requests, batch %llu%s%s%s", (unsigned long long)s->seqs,
                 (unsigned long long)s->batch_tokens, s->eager ? ", eager" : "",
                 s->kv_fp8 ? ", fp8 cache" : "", s->weights_fp8 ? ", fp8 weights" : "");
        if (s->tp > 1)
            buf_addf(out, ", tensor parallel %u", s->tp);
        if (placed->fit.kv_tokens > 0)
            buf_addf(out, ", cache of %llu tokens", (unsigned long long)placed->fit.kv_tokens);
    }
    if (s->engine == MEMORY_OLLAMA && placed->fit.layers > 0)
        buf_addf(out, ", %llu of %llu layers on the GPU",
                 (unsigned long long)placed->fit.layers_on_gpu,
                 (unsigned long long)placed->fit.layers);
    buf_addc(out, '\n');
}

void plan_write_explained(struct buf *out, const struct write_ask *ask,
                          const struct plan_placed *placed)
{
    const struct memory_need *need = &placed->fit.need;

    (void)ask;
    for (int part = 0; part < MEMORY_PARTS; part++) {
        if (need->part[part] == 0)
            continue;
        buf_addf(
            out, "     %8llu MiB  %-12s  %s%s\n", (unsigned long long)memory_mib(need->part[part]),
            memory_part_name((enum memory_part)part), memory_source_name(need->source[part]),
            part == MEMORY_CONTEXT && placed->item->engine == MEMORY_VLLM ? ", beside the budget"
                                                                          : "");
    }
    buf_addf(out, "     %8llu MiB  need\n", (unsigned long long)memory_mib(plan_need(placed)));
    if (placed->best_count == 0)
        return;
    buf_addf(out, "     %8llu MiB  %s\n", (unsigned long long)memory_mib(placed->fit.budget),
             placed->item->engine == MEMORY_VLLM ? "budget: utilization x total" : "free");
    buf_addf(out, "     %8lld MiB  slack\n", (long long)memory_mib_signed(placed->fit.slack));
}

static void put_item(struct buf *out, const struct write_ask *ask, size_t i)
{
    const struct plan_placed *placed = &ask->plan->placed[i];

    buf_addf(out, "%c  %s: %s (%s) needs %s, %s ", LETTERS[i % LETTERS_MAX],
             fit_verdict_name(placed->verdict), shown(ask, placed->item->name),
             memory_engine_name(placed->item->engine), size(ask, plan_need(placed)),
             placed->gpu_count > 1 ? "each" : "");
    while (out->len > 0 && out->ptr[out->len - 1] == ' ')
        buf_truncate(out, out->len - 1);
    buf_addc(out, ' ');
    put_where(out, ask, placed);
    buf_addc(out, '\n');
    put_settings(out, ask, placed);
    if (ask->explain)
        plan_write_explained(out, ask, placed);
    for (size_t k = 0; k < placed->reason_count; k++)
        buf_addf(out, "     %s\n", shown(ask, placed->reasons[k].text));
    for (size_t k = 0; k < placed->suggestion_count; k++) {
        const struct plan_suggestion *s = &placed->suggestions[k];

        buf_addf(out, "     %s with %s: needs %s", k == 0 ? "would" : "     ",
                 shown(ask, s->change), size(ask, s->need));
        buf_addf(out, " (%s)\n", fit_verdict_name(s->verdict));
    }
}

void plan_write_table(struct buf *out, const struct write_ask *ask)
{
    put_gpus(out, ask);
    for (size_t i = 0; i < ask->plan->ask->item_count; i++)
        put_item(out, ask, i);
    if (!ask->plan->optimal)
        buf_addz(out,
                 "\nThe search was ended at its limit: this plan is not proven to be the best.\n");
}
