/* ls: the models on the volume, one line for each revision. */
#include "cmd/stock.h"
#include "json/json.h"
#include "sys/clock.h"
#include "text/num.h"

#define GIT_SHORT 7
#define ID_SHORT  12

struct row {
    const char *model;
    const char *revision;
    const char *size;
    const char *state;
    const char *used;
};

static const char *state_word(enum listed_state state)
{
    static const char *const words[] = {
        [LISTED_VERIFIED] = "verified", [LISTED_COMPLETE] = "complete",
        [LISTED_PARTIAL] = "partial",   [LISTED_DOWNLOADING] = "downloading",
        [LISTED_DAMAGED] = "damaged",   [LISTED_UNREADABLE] = "unreadable",
    };

    return words[state];
}

static const char *state_text(struct arena *a, const struct listed_revision *r)
{
    const struct listed_arrival *arriving = &r->arriving;
    struct buf b = buf_new(a, 8 * WALK_PATH_MAX);
    char bytes[NUM_TEXT];
    char total[NUM_TEXT];

    buf_addz(&b, state_word(r->state));
    if (arriving->host != NULL)
        buf_addf(&b, " on %s", stock_escaped(a, arriving->host));
    if (arriving->total > 0)
        buf_addf(&b, ", %s of %s", num_format_size(bytes, arriving->bytes),
                 num_format_size(total, arriving->total));
    else if (r->why != NULL)
        buf_addf(&b, ", %s", stock_escaped(a, r->why));
    return b.ptr;
}

/* "main, v1 63a8b08"; for Ollama its ID alone, as `ollama list` shows it. */
static const char *revision_text(struct arena *a, const struct listed_revision *r)
{
    struct buf b = buf_new(a, (size_t)64 << 10);

    for (size_t i = 0; i < r->name_count; i++)
        buf_addf(&b, "%s%s", i > 0 ? ", " : "", stock_escaped(a, r->names[i]));
    if (r->revision != NULL)
        buf_addf(&b, "%s%.*s", b.len > 0 ? " " : "",
                 strlen(r->revision) == DIGEST_HEX ? ID_SHORT : GIT_SHORT,
                 stock_escaped(a, r->revision));
    return b.len > 0 ? b.ptr : "-";
}

static const char *ago_text(struct arena *a, int64_t used, int64_t now)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}};
    int64_t age = now > used ? now - used : 0;

    if (used == 0)
        return "-";
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        int64_t count = age / units[i].seconds;

        if (count > 0)
            return str_format(a, "%jd %s%s ago", (intmax_t)count, units[i].name,
                              count > 1 ? "s" : "");
    }
    return "now";
}

/* "3 days ago", "in use by gpu-3 and 2 more". */
static const char *used_text(const struct stock *s, const struct listed_model *model,
                             const struct listed_revision *r, int64_t now)
{
    struct arena *a = s->ctx->arena;
    size_t at = 0;
    const char *first = stock_user(s, &at, model, r);
    size_t more = 0;

    if (first == NULL)
        return ago_text(a, r->used, now);
    while (stock_user(s, &at, model, r) != NULL)
        more++;
    if (more == 0)
        return str_format(a, "in use by %s", stock_escaped(a, first));
    return str_format(a, "in use by %s and %zu more", stock_escaped(a, first), more);
}

static struct row row_of(const struct stock *s, const struct listed_model *model,
                         const struct listed_revision *r, int64_t now)
{
    struct arena *a = s->ctx->arena;
    char *size = arena_array(a, char, NUM_TEXT);

    return (struct row){
        .model = stock_escaped(a, model->name),
        .revision = revision_text(a, r),
        .size = r->state == LISTED_UNREADABLE ? "-" : num_format_size(size, r->bytes),
        .state = state_text(a, r),
        .used = used_text(s, model, r, now),
    };
}

static void put_rows(struct buf *out, const struct row *rows, size_t count)
{
    int model = 0;
    int revision = 0;
    int state = 0;

    for (size_t i = 0; i < count; i++) {
        model = stock_widen(model, rows[i].model);
        revision = stock_widen(revision, rows[i].revision);
        state = stock_widen(state, rows[i].state);
    }
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%-*s  %-*s  %9s  %-*s  %s\n", model, rows[i].model, revision,
                 rows[i].revision, rows[i].size, state, rows[i].state, rows[i].used);
}

static void put_table(struct buf *out, const struct stock *s)
{
    struct arena *a = s->ctx->arena;
    int64_t now = (int64_t)(clock_unix_ms(clock_real()) / 1000);
    VEC(struct row) rows = {0};
    char size[NUM_TEXT];
    size_t models = 0;

    vec_push(a, &rows, ((struct row){"MODEL", "REVISION", "SIZE", "STATE", "LAST USED"}));
    for (size_t i = 0; i < s->list.models.len; i++) {
        const struct listed_model *model = &s->list.models.at[i];
        size_t before = rows.len;

        for (size_t k = 0; k < model->revision_count; k++) {
            if (stock_asked(s, model, &model->revisions[k]))
                vec_push(a, &rows, row_of(s, model, &model->revisions[k], now));
        }
        models += rows.len > before;
    }
    put_rows(out, rows.at, rows.len);
    if (s->asked.count == 0)
        buf_addf(out, "\n%zu model%s, %s\n", models, models == 1 ? "" : "s",
                 num_format_size(size, s->list.bytes));
}

static void put_names(struct buf *out, const struct stock *s)
{
    for (size_t i = 0; i < s->list.models.len; i++) {
        const struct listed_model *model = &s->list.models.at[i];
        bool asked = false;

        for (size_t k = 0; k < model->revision_count; k++)
            asked = stock_asked(s, model, &model->revisions[k]) || asked;
        if (asked)
            buf_addf(out, "%s\n", stock_escaped(s->ctx->arena, model->name));
    }
}

static void put_text_or_null(struct buf *out, const char *key, const char *text)
{
    json_put_key(out, key);
    if (text == NULL)
        buf_addz(out, "null");
    else
        json_put_str(out, str_from(text));
}

static void put_arriving(struct buf *out, const struct listed_arrival *a)
{
    json_put_key(out, "arriving");
    if (!list_arrives(a)) {
        buf_addz(out, "null");
        return;
    }
    buf_addc(out, '{');
    put_text_or_null(out, "host", a->host);
    json_put_member_u64(out, "bytes", a->bytes);
    json_put_member_u64(out, "total", a->total);
    json_put_member_u64(out, "bps", a->bps);
    buf_addc(out, '}');
}

static void put_users(struct buf *out, const struct stock *s, const struct listed_model *model,
                      const struct listed_revision *r)
{
    size_t at = 0;
    bool first = true;

    json_put_key(out, "in_use");
    buf_addc(out, '[');
    for (const char *host; (host = stock_user(s, &at, model, r)) != NULL; first = false) {
        buf_addz(out, first ? "" : ",");
        json_put_str(out, str_from(host));
    }
    buf_addc(out, ']');
}

static void put_revision(struct buf *out, const struct stock *s, const struct listed_model *model,
                         const struct listed_revision *r)
{
    char time[CLOCK_TEXT];

    buf_addc(out, '{');
    json_put_member(out, "model", str_from(model->name));
    json_put_member(out, "store", str_from(s->list.stores.at[model->store].layout->name));
    put_text_or_null(out, "revision", r->revision);
    json_put_member_list(out, "names", r->names, r->name_count);
    json_put_member_u64(out, "files", r->files);
    json_put_member_u64(out, "bytes", r->bytes);
    json_put_member(out, "state", str_from(state_word(r->state)));
    put_text_or_null(out, "why", r->why);
    put_text_or_null(out, "last_used",
                     r->used > 0 ? clock_format_unix_ms(time, (uint64_t)r->used * 1000) : NULL);
    put_users(out, s, model, r);
    put_arriving(out, &r->arriving);
    buf_addc(out, '}');
}

static void put_json(struct buf *out, const struct stock *s)
{
    bool first = true;

    buf_addc(out, '{');
    json_put_member(out, "volume", str_from(s->volume.path));
    json_put_member_u64(out, "bytes", s->list.bytes);
    json_put_key(out, "models");
    buf_addc(out, '[');
    for (size_t i = 0; i < s->list.models.len; i++) {
        const struct listed_model *model = &s->list.models.at[i];

        for (size_t k = 0; k < model->revision_count; k++) {
            if (!stock_asked(s, model, &model->revisions[k]))
                continue;
            buf_addz(out, first ? "" : ",");
            put_revision(out, s, model, &model->revisions[k]);
            first = false;
        }
    }
    buf_addc(out, ']');
    stock_put_problems(out, s);
    buf_addz(out, "}\n");
}

static void put(struct buf *out, const struct stock *s)
{
    if (s->ctx->config->options.json)
        put_json(out, s);
    else if (s->ctx->config->options.quiet)
        put_names(out, s);
    else
        put_table(out, s);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    return stock_show(ctx, false, put, err);
}

const struct cmd cmd_ls = {
    .name = "ls",
    .args = "[TYPE or MODEL]...",
    .summary = "the models on the volume: size, state, last use",
    .details =
        "Lists what both stores hold, whoever wrote it; reads names, sizes and times, never a\n"
        "model's bytes. A state is one of\n\n"
        "  verified     all there, and unchanged since hostler checked every byte\n"
        "  complete     all there, as far as can be told without reading it\n"
        "  partial      files are missing, or a download has stopped on the way\n"
        "  downloading  the same, and a host has the lease\n"
        "  damaged      something is not what it should be\n"
        "  unreadable   a folder may not be read\n\n"
        "-q prints the names alone.\n",
    .run = run,
};
