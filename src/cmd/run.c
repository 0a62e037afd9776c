/* run: a worker image's entrypoint. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/gate.h"
#include "cmd/wanted.h"
#include "worker/worker.h"

#define SELF "/proc/self/exe"

static bool is_ourselves(const char *word)
{
    struct stat self;
    struct stat named;

    return strchr(word, '/') != NULL && stat(SELF, &self) == 0 && stat(word, &named) == 0 &&
           self.st_dev == named.st_dev && self.st_ino == named.st_ino;
}

/*
 * `docker run IMAGE download-models.sh all` works in an image whose entrypoint is `hostler run --`:
 * there is nothing to supervise. The script needs not even be there.
 */
static void early(int argc, char *const *argv)
{
    int first = 0;
    const char *name;

    while (first < argc && strcmp(argv[first], "--") != 0)
        first++;
    first = first < argc ? first + 1 : 0;
    if (first >= argc)
        return;
    name = strrchr(argv[first], '/');
    name = name == NULL ? argv[first] : name + 1;
    if (strcmp(name, "download-models.sh") == 0 || strcmp(name, "hostler") == 0 ||
        is_ourselves(argv[first]))
        (void)execv(SELF, argv + first);
}

static int type_of(const struct catalog_worker **out, const struct cmd_context *ctx,
                   struct err *err)
{
    const struct config *config = ctx->config;
    const char *name =
        config->options.worker != NULL ? config->options.worker : config->worker_type;

    if (name == NULL) {
        (void)err_set(err, ERR_USAGE, "no worker type is named: neither --worker nor WORKER_TYPE");
        return err_hint(err, "one of %s", catalog_worker_names(ctx->arena, &config->catalog));
    }
    *out = catalog_worker(&config->catalog, str_from(name));
    if (*out != NULL)
        return 0;
    (void)err_set(err, ERR_USAGE, "\"%.80s\" is no worker type", name);
    return err_hint(err, "one of %s", catalog_worker_names(ctx->arena, &config->catalog));
}

static char *const *words_of(const struct cmd_context *ctx)
{
    char **words = arena_array(ctx->arena, char *, ctx->args.len + 1);

    for (size_t i = 0; i < ctx->args.len; i++)
        words[i] = str_dup(ctx->arena, str_from(ctx->args.at[i]));
    return words;
}

static int run(struct cmd_context *ctx, struct err *err)
{
    const struct config *config = ctx->config;
    struct catalog_choice choice;
    struct planned planned = {0};
    struct gate asked = {.choice = &choice, .optional = config->options.optional};
    const struct worker_gate gate = {.check = gate_check, .look = gate_look, .ctx = &asked};
    struct worker_options options = {
        .config = config,
        .report = ctx->report,
        .clock = clock_real(),
        .gate = &gate,
        .variables = environ,
    };
    struct catalog_ask ask = {.optional = config->options.optional};

    if (type_of(&options.type, ctx, err) < 0)
        return -1;
    if (ctx->args.len == 0) {
        (void)err_set(err, ERR_USAGE, "no command is given");
        return err_hint(err, "hostler run --worker %s -- CMD [ARG...]", options.type->name);
    }
    ask.worker_type = options.type->name;
    if (catalog_resolve(&choice, ctx->arena, &config->catalog, &ask, err) < 0)
        return -1;
    wanted_tell(ctx, &choice);
    options.choice = &choice;
    if (config->options.plan != NULL && strcmp(config->options.plan, "auto") == 0)
        options.planned = asked.planned = &planned;
    options.command = asked.command = words_of(ctx);
    return worker_run(&ctx->status, ctx->arena, &options, err);
}

const struct cmd cmd_run = {
    .name = "run",
    .args = "[--worker TYPE] -- CMD [ARG]...",
    .summary = "a container's entrypoint: fill the volume, start CMD, watch over it",
    .details =
        "Pulls what the worker type needs, starts CMD, and ends with its exit status. "
        "{path:MODEL}\n"
        "and {name:MODEL} in the words of CMD become where a model lies and what its clients call\n"
        "it. With --plan auto the GPUs are planned first: {u:}, {ctx:}, {tp:}, {gpus:} and the "
        "word\n"
        "{vllm-args} become what the plan says. Signals are handed on; a second SIGTERM or "
        "--stop-timeout kills. A CMD that is\n"
        "download-models.sh or hostler itself takes the place of run at once.\n",
    .events = true,
    .no_data = true,
    .early = early,
    .run = run,
};
