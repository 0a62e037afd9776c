/* du: what the models take on the disk, store by store. */
#include "cmd/stock.h"
#include "json/json.h"
#include "text/num.h"

#define NO_MODEL "(no model)"

static bool is_shown(const struct stock *s, const struct listed_model *model)
{
    bool asked = false;

    for (size_t i = 0; i < model->revision_count; i++)
        asked = stock_asked(s, model, &model->revisions[i]) || asked;
    return asked || s->asked.count == 0;
}

static void put_line(struct buf *out, int column, const char *name, const struct listed_sums *sums)
{
    char bytes[NUM_TEXT];
    char shared[NUM_TEXT];
    char partial[NUM_TEXT];
    char unused[NUM_TEXT];

    buf_addf(out, "  %-*s  %9s  %9s  %9s  %9s\n", column, name, num_format_size(bytes, sums->bytes),
             num_format_size(shared, sums->shared), num_format_size(partial, sums->partial),
             num_format_size(unused, sums->unused));
}

static int column_of(const struct stock *s, size_t store)
{
    int column = stock_widen(0, NO_MODEL);

    for (size_t i = 0; i < s->list.models.len; i++) {
        const struct listed_model *model = &s->list.models.at[i];

        if (model->store == store && is_shown(s, model))
            column = stock_widen(column, stock_escaped(s->ctx->arena, model->name));
    }
    return column;
}

static void put_store(struct buf *out, const struct stock *s, size_t store)
{
    const struct listed_store *at = &s->list.stores.at[store];
    int column = column_of(s, store);
    char bytes[NUM_TEXT];
    char room[NUM_TEXT];

    buf_addf(out, "%s: %s, %s free\n", at->path, num_format_size(bytes, at->sums.bytes),
             num_format_size(room, at->space.free_bytes));
    buf_addf(out, "  %-*s  %9s  %9s  %9s  %9s\n", column, "MODEL", "ON DISK", "SHARED", "PARTIAL",
             "UNUSED");
    for (size_t i = 0; i < s->list.models.len; i++) {
        const struct listed_model *model = &s->list.models.at[i];

        if (model->store == store && is_shown(s, model))
            put_line(out, column, stock_escaped(s->ctx->arena, model->name), &model->sums);
    }
    if (s->asked.count == 0 && at->other.bytes > 0)
        put_line(out, column, NO_MODEL, &at->other);
}

static void put_table(struct buf *out, const struct stock *s)
{
    char bytes[NUM_TEXT];

    for (size_t i = 0; i < s->list.stores.len; i++)
        put_store(out, s, i);
    buf_addf(out, "total: %s\n", num_format_size(bytes, s->list.disk_bytes));
}

static void put_sums(struct buf *out, const struct listed_sums *sums)
{
    json_put_member_u64(out, "disk_bytes", sums->bytes);
    json_put_member_u64(out, "shared_bytes", sums->shared);
    json_put_member_u64(out, "partial_bytes", sums->partial);
    json_put_member_u64(out, "unused_bytes", sums->unused);
}

static void put_json_store(struct buf *out, const struct stock *s, size_t store)
{
    const struct listed_store *at = &s->list.stores.at[store];
    bool first = true;

    buf_addc(out, '{');
    json_put_member(out, "store", str_from(at->layout->name));
    json_put_member(out, "path", str_from(at->path));
    put_sums(out, &at->sums);
    json_put_member_u64(out, "free_bytes", at->space.free_bytes);
    json_put_key(out, "models");
    buf_addc(out, '[');
    for (size_t i = 0; i < s->list.models.len; i++) {
        const struct listed_model *model = &s->list.models.at[i];

        if (model->store != store || !is_shown(s, model))
            continue;
        buf_addz(out, first ? "{" : ",{");
        json_put_member(out, "model", str_from(model->name));
        put_sums(out, &model->sums);
        buf_addc(out, '}');
        first = false;
    }
    buf_addc(out, ']');
    json_put_key(out, "no_model");
    buf_addc(out, '{');
    put_sums(out, &at->other);
    buf_addz(out, "}}");
}

static void put_json(struct buf *out, const struct stock *s)
{
    buf_addc(out, '{');
    json_put_member(out, "volume", str_from(s->volume.path));
    json_put_member_u64(out, "disk_bytes", s->list.disk_bytes);
    json_put_key(out, "stores");
    buf_addc(out, '[');
    for (size_t i = 0; i < s->list.stores.len; i++) {
        buf_addz(out, i > 0 ? "," : "");
        put_json_store(out, s, i);
    }
    buf_addc(out, ']');
    stock_put_problems(out, s);
    buf_addz(out, "}\n");
}

static void put(struct buf *out, const struct stock *s)
{
    if (s->ctx->config->options.json)
        put_json(out, s);
    else
        put_table(out, s);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    return stock_show(ctx, true, put, err);
}

const struct cmd cmd_du = {
    .name = "du",
    .args = "[TYPE or MODEL]...",
    .summary = "what the models take on the disk, store by store",
    .details =
        "ON DISK counts blocks, of each file once. Of it, SHARED is what other models have too,\n"
        "PARTIAL what has not arrived whole, UNUSED blobs that no revision has any more. A\n"
        "store's sum, and the total, count once what models share.\n",
    .run = run,
};
