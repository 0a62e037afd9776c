/* The plan as a picture: each GPU a bar of who takes what. No scripts, nothing from elsewhere. */
#include "plan/reasons.h"
#include "plan/room.h"
#include "plan/write_args.h"
#include "report/escape.h"
#include "text/utf8.h"

#define BAR_WIDTH ((uint64_t)600)
#define LEFT      180
#define ROW       34
#define ROW_NOW   14 /* more of it for what is now */
#define NOW       8  /* the height of that bar */
#define LEGEND    22

/* Characters that have room beside a bar, and below it; more stands in the title alone. */
#define NAME_CELLS   ((size_t)21)
#define LEGEND_CELLS ((size_t)90)

static const char *const colours[] = {"#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948",
                                      "#76b7b2", "#ff9da7", "#9c755f", "#e15759", "#86bcb6"};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))

/* Two characters are valid UTF-8 and no XML. */
static bool is_xml(uint32_t c)
{
    return c != 0xfffe && c != 0xffff;
}

/* At most so many characters of it; true if that was all. */
static bool put_text(struct buf *out, const struct write_ask *ask, const char *text, size_t most)
{
    struct buf shown = buf_new(ask->arena, 4096);
    struct str s;

    escape_text(&shown, str_from(text));
    for (s = buf_str(&shown); s.len > 0 && most > 0; most--) {
        uint32_t c = 0;
        size_t len = utf8_next(&c, s);

        if (len == 0) /* the limit of the text cut a character */
            break;
        switch (c) {
        case '<': buf_addz(out, "&lt;"); break;
        case '>': buf_addz(out, "&gt;"); break;
        case '&': buf_addz(out, "&amp;"); break;
        case '"': buf_addz(out, "&quot;"); break;
        default: buf_add(out, is_xml(c) ? (struct str){s.ptr, len} : STR("?"));
        }
        s.ptr += len;
        s.len -= len;
    }
    return s.len == 0;
}

/* One rectangle of a bar: x from the bar's left edge. */
struct part {
    uint64_t x;
    uint64_t width;
    size_t y;
    size_t height;
    const char *colour;
    const char *opacity;
};

static void put_part(struct buf *out, const struct write_ask *ask, struct part part,
                     const char *title)
{
    buf_addf(out,
             "<rect x=\"%llu\" y=\"%zu\" width=\"%llu\" height=\"%zu\" fill=\"%s\" "
             "fill-opacity=\"%s\"><title>",
             (unsigned long long)(LEFT + part.x), part.y, (unsigned long long)part.width,
             part.height, part.colour, part.opacity);
    (void)put_text(out, ask, title, SIZE_MAX);
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

static void put_label(struct buf *out, const struct write_ask *ask, int x, size_t y,
                      const char *text, size_t cells)
{
    buf_addf(out, "<text x=\"%d\" y=\"%zu\">", x, y);
    if (!put_text(out, ask, text, cells)) {
        buf_addz(out, "…<title>");
        (void)put_text(out, ask, text, SIZE_MAX);
        buf_addz(out, "</title>");
    }
    buf_addz(out, "</text>\n");
}

/* What each item takes, from *x on; *sum are the bytes up to there. */
static void put_items(struct buf *out, const struct write_ask *ask, size_t gpu, size_t y,
                      uint64_t *x, uint64_t *sum)
{
    const struct plan *plan = ask->plan;
    uint64_t total = plan->ask->gpus[gpu].gpu->cuda_total_mib * MEMORY_MIB;

    for (size_t i = 0; i < plan->ask->item_count; i++) {
        const struct plan_placed *placed = &plan->placed[i];

        for (size_t k = 0; k < placed->gpu_count; k++) {
            uint64_t end;

            if (placed->gpus[k] != gpu)
                continue;
            *sum += placed->taken;
            end = wide(*sum, total);
            end = end < BAR_WIDTH ? end : BAR_WIDTH;
            put_part(out, ask, (struct part){*x, end - *x, y, 22, colours[i % COLOURS], "1"},
                     said(ask, placed->item->name, placed->taken));
            *x = end;
        }
    }
}

static void put_bar(struct buf *out, const struct write_ask *ask, size_t gpu, size_t y)
{
    const struct plan_gpu *at = &ask->plan->ask->gpus[gpu];
    uint64_t total = at->gpu->cuda_total_mib * MEMORY_MIB;
    uint64_t sum = room_held(at);
    uint64_t x = wide(sum, total);

    put_part(out, ask, (struct part){0, BAR_WIDTH, y, 22, "#888", "0.25"},
             said(ask, "in all", total));
    if (at->gpu->state != GPU_OK) {
        put_label(out, ask, LEFT + 8, y + 16,
                  str_format(ask->arena, "is %s", gpu_state_name(at->gpu->state)), LEGEND_CELLS);
        return;
    }
    if (x > 0)
        put_part(out, ask, (struct part){0, x, y, 22, "#888", "1"},
                 said(ask, "held by others", sum));
    put_items(out, ask, gpu, y, &x, &sum);
    if (x < BAR_WIDTH)
        put_part(out, ask, (struct part){x, BAR_WIDTH - x, y, 22, "#888", "0"},
                 said(ask, "free", total > sum ? total - sum : 0));
}

static void put_now_part(struct buf *out, const struct write_ask *ask, struct part at,
                         const char *who, uint64_t bytes)
{
    if (at.width > 0)
        put_part(out, ask, at, str_format(ask->arena, "now %s", said(ask, who, bytes)));
}

/*
 * Reality beside the plan: what is known to run has the colour of what is planned in its place. All
 * else that is in use comes first, as in the bar above.
 */
static void put_now(struct buf *out, const struct write_ask *ask, size_t gpu, size_t y)
{
    const struct plan_gpu *at = &ask->plan->ask->gpus[gpu];
    uint64_t total = at->gpu->cuda_total_mib * MEMORY_MIB;
    uint64_t used = total - at->gpu->free_mib * MEMORY_MIB;
    uint64_t held = 0;
    uint64_t sum, x;

    for (size_t i = 0; i < at->held_count; i++)
        held += at->held[i].bytes;
    sum = used > held ? used - held : 0;
    x = wide(sum, total);
    put_part(out, ask, (struct part){0, BAR_WIDTH, y, NOW, "#888", "0.25"},
             said(ask, "now in use", used));
    put_now_part(out, ask, (struct part){0, x, y, NOW, "#888", "1"}, "held by others", sum);
    for (size_t i = 0; i < at->held_count; i++) {
        const struct plan_held *one = &at->held[i];
        uint64_t end;

        sum += one->bytes < used - sum ? one->bytes : used - sum;
        end = wide(sum, total);
        put_now_part(out, ask,
                     (struct part){x, end - x, y, NOW,
                                   one->item == SIZE_MAX ? "#888" : colours[one->item % COLOURS],
                                   "1"},
                     one->who, one->bytes);
        x = end;
    }
}

/* Whether anything is known of what runs. */
static bool has_now(const struct plan_ask *ask)
{
    for (size_t i = 0; i < ask->gpu_count; i++) {
        if (ask->gpus[i].held_count > 0)
            return true;
    }
    return false;
}

/* Without a GPU the square is empty. */
static void put_legend(struct buf *out, const struct write_ask *ask, size_t i, size_t y)
{
    const struct plan_placed *placed = &ask->plan->placed[i];

    buf_addf(out,
             "<rect x=\"10\" y=\"%zu\" width=\"12\" height=\"12\" fill=\"%s\" stroke=\"#888\"/>\n",
             y, placed->gpu_count > 0 ? colours[i % COLOURS] : "none");
    put_label(out, ask, 30, y + 11,
              str_format(ask->arena, "%s, %s: %s", fit_verdict_name(placed->verdict),
                         reasons_size(ask->arena, plan_need(placed)), placed->item->name),
              LEGEND_CELLS);
}

void plan_write_svg(struct buf *out, const struct write_ask *ask)
{
    const struct plan_ask *of = ask->plan->ask;
    size_t row = has_now(of) ? ROW + ROW_NOW : ROW;
    size_t height = of->gpu_count * row + of->item_count * LEGEND + 24;

    buf_addf(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %llu %zu\" role=\"img\" "
             "font-family=\"sans-serif\" font-size=\"13\">\n<title>which GPU takes what</title>\n"
             "<style>text{fill:#222}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>\n",
             (unsigned long long)(LEFT + BAR_WIDTH + 10), height);
    for (size_t i = 0; i < of->gpu_count; i++) {
        put_label(out, ask, 10, i * row + 26, plan_gpu_name(ask->arena, &of->gpus[i]), NAME_CELLS);
        put_bar(out, ask, i, i * row + 10);
        if (row > ROW && of->gpus[i].gpu->state == GPU_OK)
            put_now(out, ask, i, i * row + 36);
    }
    for (size_t i = 0; i < of->item_count; i++)
        put_legend(out, ask, i, of->gpu_count * row + i * LEGEND + 14);
    buf_addz(out, "</svg>\n");
}
