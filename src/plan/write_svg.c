/* The plan as a picture: each GPU a bar of who takes what. No scripts, nothing from elsewhere. */
#include "plan/reasons.h"
#include "plan/write_args.h"

#define BAR_WIDTH ((uint64_t)600)
#define LEFT      180
#define ROW       34
#define LEGEND    22

static const char *const colours[] = {"#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948",
                                      "#76b7b2", "#ff9da7", "#9c755f", "#e15759", "#86bcb6"};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))

static void put_text(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<': buf_addz(out, "&lt;"); break;
        case '>': buf_addz(out, "&gt;"); break;
        case '&': buf_addz(out, "&amp;"); break;
        case '"': buf_addz(out, "&quot;"); break;
        default: buf_addc(out, (unsigned char)*text < 0x20 ? ' ' : *text);
        }
    }
}

static void put_part(struct buf *out, uint64_t x, uint64_t width, size_t y, const char *fill,
                     const char *title)
{
    buf_addf(out, "<rect x=\"%llu\" y=\"%zu\" width=\"%llu\" height=\"22\" fill=\"%s\"><title>",
             (unsigned long long)(LEFT + x), y, (unsigned long long)width, fill);
    put_text(out, title);
    buf_addz(out, "</title></rect>\n");
}

static uint64_t wide(uint64_t bytes, uint64_t total)
{
    return total == 0 ? 0 : bytes / MEMORY_MIB * BAR_WIDTH / (total / MEMORY_MIB);
}

static const char *said(const struct write_ask *ask, const char *who, uint64_t bytes)
{
    return str_format(ask->arena, "%s: %s", who, reasons_size(ask->arena, bytes));
}

static void put_bar(struct buf *out, const struct write_ask *ask, size_t gpu, size_t y)
{
    const struct plan *plan = ask->plan;
    const struct plan_gpu *at = &plan->ask->gpus[gpu];
    uint64_t total = at->gpu->cuda_total_mib * MEMORY_MIB;
    uint64_t room = at->gpu->free_mib * MEMORY_MIB + at->managed;
    uint64_t sum = total > room ? total - room : 0;
    uint64_t x = wide(sum, total);

    put_part(out, 0, BAR_WIDTH, y, "#8884", said(ask, "in all", total));
    if (x > 0)
        put_part(out, 0, x, y, "#888", said(ask, "held by others", sum));
    for (size_t i = 0; i < plan->ask->item_count; i++) {
        const struct plan_placed *placed = &plan->placed[i];

        for (size_t k = 0; k < placed->gpu_count; k++) {
            uint64_t end;

            if (placed->gpus[k] != gpu)
                continue;
            sum += placed->taken;
            end = wide(sum, total);
            end = end < BAR_WIDTH ? end : BAR_WIDTH;
            put_part(out, x, end - x, y, colours[i % COLOURS],
                     said(ask, placed->item->name, placed->taken));
            x = end;
        }
    }
}

static void put_label(struct buf *out, int x, size_t y, const char *text)
{
    buf_addf(out, "<text x=\"%d\" y=\"%zu\">", x, y);
    put_text(out, text);
    buf_addz(out, "</text>\n");
}

static void put_legend(struct buf *out, const struct write_ask *ask, size_t i, size_t y)
{
    const struct plan_placed *placed = &ask->plan->placed[i];

    buf_addf(out, "<rect x=\"10\" y=\"%zu\" width=\"12\" height=\"12\" fill=\"%s\"/>\n", y,
             placed->gpu_count > 0 ? colours[i % COLOURS] : "none");
    put_label(out, 30, y + 11,
              str_format(ask->arena, "%s: %s, %s", placed->item->name,
                         fit_verdict_name(placed->verdict),
                         reasons_size(ask->arena, plan_need(placed))));
}

void plan_write_svg(struct buf *out, const struct write_ask *ask)
{
    const struct plan_ask *of = ask->plan->ask;
    size_t height = of->gpu_count * ROW + of->item_count * LEGEND + 24;

    buf_addf(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %llu %zu\" role=\"img\" "
             "font-family=\"sans-serif\" font-size=\"13\">\n<title>which GPU takes what</title>\n"
             "<style>text{fill:#222}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>\n",
             (unsigned long long)(LEFT + BAR_WIDTH + 10), height);
    for (size_t i = 0; i < of->gpu_count; i++) {
        put_label(out, 10, i * ROW + 26, plan_gpu_name(ask->arena, &of->gpus[i]));
        put_bar(out, ask, i, i * ROW + 10);
    }
    for (size_t i = 0; i < of->item_count; i++)
        put_legend(out, ask, i, of->gpu_count * ROW + i * LEGEND + 14);
    buf_addz(out, "</svg>\n");
}
