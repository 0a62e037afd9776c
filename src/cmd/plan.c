/* plan: which GPU takes what, with which settings. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/fleet_gpus.h"
#include "cmd/host_gpus.h"
#include "cmd/plan_check.h"
#include "gpu/cards.h"
#include "plan/lookup.h"
#include "plan/write_args.h"

static int inventory_of(struct gpu_inventory *out, const struct cmd_context *ctx, struct err *err)
{
    const struct config *config = ctx->config;

    if (config->options.gpu.len > 0 && config->options.gpus_from != NULL)
        return err_set(err, ERR_USAGE,
                       "--gpu and --gpus-from both say which GPUs there are: name one");
    if (config->options.gpu.len > 0)
        return cards_inventory(out, ctx->arena, config->options.gpu.at, config->options.gpu.len,
                               err);
    return inventory_of_host(out, ctx->arena, config, err);
}

static int gpus_of_fleet(struct plan_ask *ask, running_list *running, struct cmd_context *ctx,
                         struct err *err)
{
    struct fleet_gpus fleet;

    if (fleet_gpus(&fleet, ctx, err) < 0)
        return -1;
    ask->gpus = fleet.at;
    ask->gpu_count = fleet.count;
    *running = fleet.running;
    return 0;
}

/* Whose GPUs: the fleet's, those that are named, or this host's. */
static int gpus_of(struct plan_ask *ask, running_list *running, struct cmd_context *ctx,
                   struct err *err)
{

    const struct config_options *o = &ctx->config->options;
    struct gpu_inventory inventory;

    if (o->fleet && (o->gpu.len > 0 || o->gpus_from != NULL))
        return err_set(err, ERR_USAGE, "--fleet plans over the fleet's GPUs: name no others");
    if (o->fleet)
        return gpus_of_fleet(ask, running, ctx, err);
    if (inventory_of(&inventory, ctx, err) < 0)
        return -1;
    ask->gpus = arena_array(ctx->arena, struct plan_gpu, inventory.count + 1);
    ask->gpu_count = inventory.count;
    for (size_t i = 0; i < inventory.count; i++)
        ask->gpus[i].gpu = &inventory.gpus[i];
    running_on_volume(running, ctx->arena, ctx->config);
    if (inventory.count == 0 && inventory.reason[0] != '\0')
        report_note(ctx->report, REPORT_WARN, "gpu", NULL, "%s", inventory.reason);
    return 0;
}

static enum plan_dtype dtype_of(const char *word)
{
    if (word == NULL || strcmp(word, "auto") == 0)
        return PLAN_DTYPE_AUTO;
    if (strcmp(word, "fp8") == 0)
        return PLAN_DTYPE_FP8;
    return strcmp(word, "bfloat16") == 0 ? PLAN_DTYPE_BFLOAT16 : PLAN_DTYPE_HALF;
}

static bool is_word(const char *value, const char *word)
{
    return value != NULL && strcmp(value, word) == 0;
}

static struct plan_wish wish_of(const struct config_options *o)
{
    return (struct plan_wish){
        .context = o->context,
        .seqs = o->max_num_seqs,
        .batch_tokens = o->max_num_batched_tokens,
        .utilization = o->utilization,
        .tp = (uint32_t)o->tp,
        .eager = o->eager,
        .kv_fp8 = is_word(o->kv_cache_dtype, "fp8"),
        .dtype = dtype_of(o->dtype),
    };
}

static int gather(struct gather *out, const struct cmd_context *ctx, struct err *err)
{
    const struct config_options *o = &ctx->config->options;
    struct lookup lookup;
    const struct gather_ask ask = {
        .catalog = &ctx->config->catalog,
        .words = ctx->args.at,
        .worker_type = ctx->config->worker_type,
        .optional = o->optional,
        .no_variants = o->no_variants,
        .engine_named = o->engine != NULL,
        .engine = is_word(o->engine, "ollama") ? MEMORY_OLLAMA : MEMORY_VLLM,
        .pins = o->pin.at,
        .facts = lookup_facts,
        .facts_ctx = &lookup,
    };
    int r;

    lookup_begin(&lookup, ctx->arena, ctx->config, ctx->report);
    r = gather_items(out, ctx->arena, &ask, err);
    for (size_t i = 0; r == 0 && out->notes[i] != NULL; i++)
        report_note(ctx->report, REPORT_WARN, "plan", NULL, "%s", out->notes[i]);
    return r;
}

static size_t terminal_width(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* The forms name what a container finds at its mount: a store that lies elsewhere is not there. */
static void warn_of_places(const struct cmd_context *ctx)
{
    const struct layout_config *layout = &ctx->config->layout;
    const struct {
        const char *name;
        const char *path;
        const char *below;
    } stores[] = {{"HF_HUB_CACHE", layout->hf_hub, "huggingface/hub"},
                  {"VLLM_CACHE", layout->vllm_cache, "vllm"},
                  {"OLLAMA_MODELS", layout->ollama_models, "ollama"}};

    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        const char *expected =
            str_format(ctx->arena, "%s/%s", ctx->config->volume_path, stores[i].below);

        if (stores[i].path != NULL && strcmp(stores[i].path, expected) != 0)
            report_note(ctx->report, REPORT_WARN, "plan", NULL,
                        "%s is %s, and the form names " WRITE_MOUNT
                        "/%s: mount it there, or put its own "
                        "path into the form",
                        stores[i].name, stores[i].path, stores[i].below);
    }
}

static int print(const struct cmd_context *ctx, const struct plan *plan, struct err *err)
{
    const struct config_options *o = &ctx->config->options;
    const char *name = o->format != NULL ? o->format : o->json ? "json" : "table";
    const struct plan_format *format = plan_format(str_from(name));
    const struct write_ask ask = {.plan = plan,
                                  .arena = ctx->arena,
                                  .volume = ctx->config->volume_path,
                                  .width = terminal_width(),
                                  .explain = o->explain};
    struct buf out = buf_new(ctx->arena, PLAN_TEXT_MAX);

    if (format == NULL)
        return err_set(err, ERR_BUG, "--format %s has no writer", name);
    if (format->places)
        warn_of_places(ctx);
    format->write(&out, &ask);
    if (out.cut)
        return err_set(err, ERR_LIMIT, "the plan is longer than %zu bytes", PLAN_TEXT_MAX);
    return cmd_print(buf_str(&out), err);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    const struct config_options *o = &ctx->config->options;
    struct gather items;
    running_list running = {0};
    struct plan_ask ask = {.wish = wish_of(o), .spread = o->spread, .reserve = o->reserve};
    struct plan plan;

    /* A file is checked where the engines need not be: GPUs count that are named. */
    if ((o->check == NULL || o->gpu.len > 0 || o->gpus_from != NULL || o->fleet) &&
        gpus_of(&ask, &running, ctx, err) < 0)
        return -1;
    if (o->check != NULL)
        return plan_check(ctx, o->check, &ask, err);
    if (gather(&items, ctx, err) < 0)
        return -1;
    ask.items = items.items;
    ask.item_count = items.count;
    running_keep(&ask, items.items, ctx->arena, &running);
    if (plan_make(&plan, ctx->arena, &ask, err) < 0 || print(ctx, &plan, err) < 0)
        return -1;
    return plan.works ? 0 : plan_failure(&plan, err);
}

const struct cmd cmd_plan = {
    .name = "plan",
    .args = "[TYPE or MODEL]...",
    .summary = "which GPU takes what, with which settings, before anything is downloaded",
    .details =
        "Worker types and models that are named are planned together, those that are named first\n"
        "before the others; without any, the type of WORKER_TYPE. A verdict is one of\n\n"
        "  fit      runs, with room to spare\n"
        "  tight    runs by the sum, with less to spare than the sum may be wrong\n"
        "  partial  Ollama: some of the layers go to the GPU, the others to the CPU\n"
        "  cpu      runs without a GPU\n"
        "  no       is too large\n"
        "  nostart  would fit, but so much is not free now\n"
        "  refused  does not run on this GPU however much memory it has\n\n"
        "A model that is named is judged as it stands; of a worker type's model a smaller form of\n"
        "the catalog may be taken, which is said. The exit status is 0 if all that needs a GPU "
        "has\n"
        "one, else 11.\n",
    .run = run,
};
