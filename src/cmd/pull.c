/* pull: makes the volume hold what the worker types and models need. */
#include "pull/pull.h"

#include <string.h>

#include "cmd/cmd.h"
#include "cmd/host_gpus.h"
#include "cmd/planned.h"
#include "cmd/wanted.h"
#include "text/buf.h"

/* Most text of a --dry-run: a repository of 200,000 files fits. */
#define DRY_RUN_MAX ((size_t)64 << 20)

static int dry_run(const struct cmd_context *ctx, const struct catalog_choice *choice,
                   struct err *err)
{
    struct buf out = buf_new(ctx->arena, DRY_RUN_MAX);
    struct err failed = {0};
    int r = pull_dry_run(&out, ctx->arena, ctx->config, ctx->report, choice, &failed);

    report_pause(ctx->report);
    if (cmd_print(buf_str(&out), err) < 0)
        return -1;
    if (r < 0)
        *err = failed;
    return r;
}

/* --revision says at which revision to take the one model that is named. */
static int apply_revision(const struct cmd_context *ctx, struct catalog_want *wants, size_t count,
                          struct err *err)
{
    const char *revision = ctx->config->options.revision;
    const struct model_ref *ref = &wants[0].ref;

    if (revision == NULL)
        return 0;
    if (count != 1) {
        (void)err_set(err, ERR_USAGE, "--revision takes one model, and %zu are named", count);
        return err_hint(err, "write the revision into the name: org/name@%s", revision);
    }
    /* Two answers to one question: which of them was a slip is not ours to guess. */
    if (ref->revision_written && strcmp(ref->revision, revision) != 0) {
        (void)err_set(err, ERR_USAGE, "%s is at %s by its name, and --revision asks for %s",
                      ref->text, ref->revision, revision);
        return err_hint(err, "write one of the two");
    }
    return ref_at(&wants[0].ref, ctx->arena, ref, str_from(revision), err);
}

/* Which form of each model this host's GPUs take. */
static int plan(const struct cmd_context *ctx, struct catalog_choice *choice, struct err *err)
{
    const char *const type[] = {ctx->config->worker_type, NULL};
    struct gpu_inventory inventory;
    const struct planned_ask ask = {.config = ctx->config,
                                    .report = ctx->report,
                                    .inventory = &inventory,
                                    .words = ctx->args.len > 0 ? ctx->args.at : type,
                                    .optional = ctx->config->options.optional};

    if (inventory_of_host(&inventory, ctx->arena, ctx->config, err) < 0)
        return -1;
    return planned_apply(NULL, choice, ctx->arena, &ask, err);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    const struct config *config = ctx->config;
    struct catalog_ask ask = {.words = ctx->args.at,
                              .worker_type = config->worker_type,
                              .optional = config->options.optional};
    struct catalog_choice choice;

    if (catalog_resolve(&choice, ctx->arena, &config->catalog, &ask, err) < 0 ||
        apply_revision(ctx, choice.wants, choice.count, err) < 0)
        return -1;
    wanted_tell(ctx, &choice);
    if (config->options.plan != NULL && strcmp(config->options.plan, "auto") == 0 &&
        plan(ctx, &choice, err) < 0)
        return -1;
    if (config->options.dry_run)
        return dry_run(ctx, &choice, err);
    return pull_run(ctx->arena, config, ctx->report, &choice, err);
}

const struct cmd cmd_pull = {
    .name = "pull",
    .args = "[TYPE or MODEL]...",
    .summary = "make the volume hold the models, downloading only what is missing",
    .details =
        "What a worker type or a model needs is looked for on the volume first; what is complete\n"
        "there costs no request. Models are written as hf:org/name[@revision]; without any, the\n"
        "type of WORKER_TYPE is taken. A pull that was stopped goes on where it was.\n",
    .events = true,
    .run = run,
};
