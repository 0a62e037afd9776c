#include "cmd/plan_check.h"

#include "json/json.h"
#include "plan/compose_check.h"
#include "plan/lookup.h"
#include "sys/file.h"
#include "text/buf.h"
#include "worker/words.h"

#define TEXT_MAX ((size_t)4 << 20)

static void put_json(struct buf *out, const struct compose_faults *faults)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < faults->count; i++) {
        const struct compose_fault *f = &faults->at[i];

        buf_addz(out, i > 0 ? ",{" : "{");
        json_put_member_u64(out, "line", f->line);
        json_put_member(out, "code", str_from(f->code));
        json_put_member(out, "text", str_from(f->text));
        json_put_member(out, "mend", str_from(f->mend));
        buf_addc(out, '}');
    }
    buf_addz(out, "]\n");
}

static void put_text(struct buf *out, const struct compose_faults *faults, const char *path)
{
    for (size_t i = 0; i < faults->count; i++)
        buf_addf(out, "%s:%zu: %s: %s\n  mend: %s\n", path, faults->at[i].line, faults->at[i].code,
                 faults->at[i].text, faults->at[i].mend);
}

/* What a model is planned with. */
struct planning {
    struct cmd_context *ctx;
    const struct plan_ask *gpus;
};

/* Fits compose_fit; ctx is a struct planning. What cannot be planned is no fault of the file. */
static const char *fit(void *ctx, const char **ret_mend, const struct compose_service *service,
                       const char *model)
{
    const struct planning *p = ctx;
    struct arena *a = p->ctx->arena;
    const char *const words[] = {model, NULL};
    struct lookup lookup;
    const struct gather_ask gather = {.catalog = &p->ctx->config->catalog,
                                      .words = words,
                                      .facts = lookup_facts,
                                      .facts_ctx = &lookup};
    struct plan_ask ask = *p->gpus;
    struct gather items;
    struct plan plan;
    struct err err = {0};

    lookup_begin(&lookup, a, p->ctx->config, p->ctx->report);
    if (gather_items(&items, a, &gather, &err) < 0)
        return NULL;
    ask.items = items.items;
    ask.item_count = items.count;
    ask.reserve = UINT64_MAX;
    ask.wish = (struct plan_wish){
        .context = words_number(service->words, "--max-model-len"),
        .seqs = words_number(service->words, "--max-num-seqs"),
        .batch_tokens = words_number(service->words, "--max-num-batched-tokens"),
        .utilization = compose_share(service),
        .tp = (uint32_t)words_number(service->words, "--tensor-parallel-size"),
    };
    if (plan_make(&plan, a, &ask, &err) < 0 || plan.works)
        return NULL;
    (void)plan_failure(&plan, &err);
    if (plan.placed[0].suggestion_count > 0)
        *ret_mend = str_format(a, "it would with %s", plan.placed[0].suggestions[0].change);
    return str_dup(a, str_from(err.msg));
}

int plan_check(struct cmd_context *ctx, const char *path, const struct plan_ask *gpus,
               struct err *err)
{
    struct planning planning = {.ctx = ctx, .gpus = gpus};
    const struct compose_check_ask ask = {.catalog = &ctx->config->catalog,
                                          .fit = gpus->gpu_count > 0 ? fit : NULL,
                                          .ctx = &planning};
    struct buf out = buf_new(ctx->arena, TEXT_MAX);
    struct compose_faults faults;
    struct compose compose;
    struct str text;

    if (ctx->args.len > 0)
        return err_set(err, ERR_USAGE, "--check looks at a file, and \"%.80s\" is named too",
                       ctx->args.at[0]);
    if (file_read_named(&text, ctx->arena, path, COMPOSE_MAX, err) < 0 ||
        compose_read(&compose, ctx->arena, text, path, err) < 0)
        return -1;
    if (compose.count == 0)
        return err_set(err, ERR_USAGE, "%s: it has no services: is it a compose file?", path);
    compose_check(&faults, ctx->arena, &compose, &ask);
    if (ctx->config->options.json)
        put_json(&out, &faults);
    else
        put_text(&out, &faults, path);
    if (cmd_print(buf_str(&out), err) < 0)
        return -1;
    if (faults.count == 0)
        return 0;
    (void)err_set(err, ERR_GPU, "%s: %zu fault%s found", path, faults.count,
                  faults.count == 1 ? " was" : "s were");
    return err_hint(err, "hostler plan --format compose writes a file without them");
}
