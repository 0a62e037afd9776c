/* inspect: what a model is, from its headers alone. */
#include <string.h>

#include "cmd/cmd.h"
#include "gpu/memory.h"
#include "json/json.h"
#include "plan/lookup.h"
#include "report/escape.h"
#include "text/buf.h"
#include "text/num.h"

#define TEXT_MAX ((size_t)1 << 20)
#define WORD_MAX ((size_t)4096)

/* What is shown of one model. */
struct inspected {
    struct arena *arena;
    const struct plan_model *model;
    const char *engine;
    uint64_t kv_token; /* bytes; 0: it has no cache */
};

static const char *shown(const struct inspected *i, const char *text)
{
    struct buf b = buf_new(i->arena, WORD_MAX);

    escape_text(&b, str_from(text));
    return b.len > 0 ? b.ptr : "not known";
}

static const char *count(const struct inspected *i, uint64_t n)
{
    return n == 0 ? "not known" : str_format(i->arena, "%llu", (unsigned long long)n);
}

static const char *size(const struct inspected *i, uint64_t bytes)
{
    return num_format_size(arena_array(i->arena, char, NUM_TEXT), bytes);
}

static const char *quantisation(const struct inspected *i)
{
    const struct model_quant *q = &i->model->facts->quant;

    if (q->method[0] == '\0')
        return "none";
    if (q->bits == 0)
        return shown(i, q->method);
    return str_format(
        i->arena, "%s, %llu bits%s%s", shown(i, q->method), (unsigned long long)q->bits,
        q->group != 0 ? str_format(i->arena, ", groups of %llu", (unsigned long long)q->group) : "",
        q->desc_act ? ", desc_act" : "");
}

static void put_types(struct buf *out, const struct inspected *i)
{
    const struct model_facts *f = i->model->facts;

    for (size_t k = 0; k < f->dtype_count; k++)
        buf_addf(out, "%-12s  %s in %llu tensors of %s\n", k == 0 ? "weights in" : "",
                 size(i, f->dtypes[k].bytes), (unsigned long long)f->dtypes[k].tensors,
                 shown(i, f->dtypes[k].name));
}

static void put_text(struct buf *out, const struct inspected *i)
{
    const struct model_facts *f = i->model->facts;
    const struct model_shape *s = &f->shape;

    buf_addf(out, "%-12s  %s\n", "model", shown(i, i->model->ref));
    buf_addf(out, "%-12s  %s\n", "from", shown(i, i->model->from));
    buf_addf(out, "%-12s  %s, %s layers, width %s, %s heads, %s key and value heads\n",
             "architecture", shown(i, s->architecture), count(i, s->layers), count(i, s->hidden),
             count(i, s->heads), count(i, s->kv_heads));
    buf_addf(out, "%-12s  %s\n", "parameters", count(i, f->params));
    buf_addf(out, "%-12s  %s bytes (%s)\n", "tensors", count(i, f->tensor_bytes),
             size(i, f->tensor_bytes));
    put_types(out, i);
    if (f->projector_bytes != 0)
        buf_addf(out, "%-12s  %s bytes\n", "projector", count(i, f->projector_bytes));
    buf_addf(out, "%-12s  %s\n", "quantised", quantisation(i));
    buf_addf(out, "%-12s  %s tokens\n", "context", count(i, s->context));
    if (i->kv_token == 0)
        buf_addf(out, "%-12s  none: it keeps no keys and values\n", "cache");
    else
        buf_addf(out, "%-12s  %llu bytes a token\n", "cache", (unsigned long long)i->kv_token);
    if (s->image_tokens != 0)
        buf_addf(out, "%-12s  up to %llu tokens each\n", "images",
                 (unsigned long long)s->image_tokens);
    buf_addf(out, "%-12s  %s\n", "licence", shown(i, f->licence));
    for (size_t k = 0; k < f->odd_count && k < FACTS_ODD_MAX; k++)
        buf_addf(out, "%-12s  %s\n", k == 0 ? "not sure" : "", shown(i, f->odd[k]));
}

static void put_word(struct buf *out, const char *key, const char *word)
{
    json_put_key(out, key);
    if (word[0] == '\0')
        buf_addz(out, "null");
    else
        json_put_str(out, str_from(word));
}

static void put_shape(struct buf *out, const struct inspected *i)
{
    const struct model_shape *s = &i->model->facts->shape;

    put_word(out, "architecture", s->architecture);
    json_put_member_u64(out, "layers", s->layers);
    json_put_member_u64(out, "hidden_size", s->hidden);
    json_put_member_u64(out, "intermediate_size", s->intermediate);
    json_put_member_u64(out, "heads", s->heads);
    json_put_member_u64(out, "kv_heads", s->kv_heads);
    json_put_member_u64(out, "vocab_size", s->vocab);
    json_put_member_u64(out, "context", s->context);
    json_put_member_u64(out, "experts", s->experts);
    json_put_member_u64(out, "image_tokens", s->image_tokens);
    json_put_member_u64(out, "kv_bytes_per_token", i->kv_token);
}

static void put_json(struct buf *out, const struct inspected *i)
{
    const struct model_facts *f = i->model->facts;

    buf_addc(out, '{');
    json_put_member(out, "model", str_from(i->model->ref));
    json_put_member(out, "from", str_from(i->model->from));
    json_put_member(out, "engine", str_from(i->engine));
    put_shape(out, i);
    json_put_member_u64(out, "parameters", f->params);
    json_put_member_u64(out, "tensor_bytes", f->tensor_bytes);
    json_put_member_u64(out, "load_bytes", f->load_bytes);
    json_put_member_u64(out, "projector_bytes", f->projector_bytes);
    put_word(out, "dtype", f->dtype);
    put_word(out, "quantisation", f->quant.method);
    json_put_member_u64(out, "quantisation_bits", f->quant.bits);
    json_put_member_u64(out, "quantisation_group", f->quant.group);
    put_word(out, "licence", f->licence);
    json_put_key(out, "tensors");
    buf_addc(out, '[');
    for (size_t k = 0; k < f->dtype_count; k++) {
        buf_addz(out, k > 0 ? ",{" : "{");
        json_put_member(out, "dtype", str_from(f->dtypes[k].name));
        json_put_member_u64(out, "count", f->dtypes[k].tensors);
        json_put_member_u64(out, "elements", f->dtypes[k].elements);
        json_put_member_u64(out, "bytes", f->dtypes[k].bytes);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
    json_put_member_list(out, "not_sure", f->odd,
                         f->odd_count < FACTS_ODD_MAX ? f->odd_count : FACTS_ODD_MAX);
    buf_addz(out, "}\n");
}

static int find(struct plan_model *out, const char **ret_engine, const struct cmd_context *ctx,
                struct err *err)
{
    const char *const words[] = {ctx->args.at[0], NULL};
    const struct catalog_ask ask = {.words = words};
    struct catalog_choice choice;
    struct catalog_want *want;
    struct lookup lookup;

    if (catalog_resolve(&choice, ctx->arena, &ctx->config->catalog, &ask, err) < 0)
        return -1;
    if (choice.count != 1)
        return err_set(err, ERR_USAGE, "inspect takes one model, and %s are %zu", words[0],
                       choice.count);
    want = &choice.wants[0];
    if (ctx->config->options.revision != NULL &&
        ref_at(&want->ref, ctx->arena, &want->ref, str_from(ctx->config->options.revision), err) <
            0)
        return -1;
    if (want->note != NULL)
        report_note(ctx->report, REPORT_WARN, "inspect", NULL, "%s", want->note);
    *out = (struct plan_model){.name = want->name, .ref = want->ref.text};
    *ret_engine = strcmp(want->ref.source, "ollama") == 0 ? "ollama" : "vllm";
    lookup_begin(&lookup, ctx->arena, ctx->config, ctx->report);
    return lookup_facts(&lookup, out, &want->ref, err);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    struct buf out = buf_new(ctx->arena, TEXT_MAX);
    struct inspected i = {.arena = ctx->arena};
    struct memory_settings settings = {.context = 16, .seqs = 1, .batch_tokens = 16};
    struct plan_model model;
    struct memory_need need;

    if (ctx->args.len != 1)
        return err_set(err, ERR_USAGE, "inspect takes one model, and %zu are named", ctx->args.len);
    if (find(&model, &i.engine, ctx, err) < 0)
        return -1;
    settings.engine = strcmp(i.engine, "ollama") == 0 ? MEMORY_OLLAMA : MEMORY_VLLM;
    memory_reckon(&need, model.facts, &settings);
    i.model = &model;
    i.kv_token = need.kv_token;
    if (ctx->config->options.json)
        put_json(&out, &i);
    else
        put_text(&out, &i);
    if (out.cut)
        return err_set(err, ERR_LIMIT, "more than %zu bytes are to be told of it", TEXT_MAX);
    return cmd_print(buf_str(&out), err);
}

const struct cmd cmd_inspect = {
    .name = "inspect",
    .args = "MODEL",
    .summary = "what a model is: architecture, size, memory it needs, licence",
    .details =
        "Told from the headers of its files: on the volume if it is there, of the catalog's own\n"
        "models without any look, else from its origin, where only the headers are read (a few\n"
        "MB). What was not understood is said. Nothing of a repository is ever run.\n",
    .run = run,
};
