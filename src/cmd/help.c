#include <string.h>

#include "cmd/cmd.h"
#include "fleet/state.h"
#include "text/buf.h"
#include "worker/beats.h"

static int print_environment(struct arena *a, struct err *err)
{
    struct buf b = buf_new(a, (size_t)64 << 10);

    buf_addz(&b,
             "Variables that are read, beside HOSTLER_<OPTION> for every option. Flags win over\n"
             "them, they win over the configuration file. Empty means unset.\n\n");
    config_print_environment(&b);
    return cmd_print(buf_str(&b), err);
}

/* The program's own tables, as its documentation has them. */
static const struct {
    const char *name;
    void (*put)(struct buf *out);
} tables[] = {
    {"states", fleet_state_table},
    {"registration", beats_table},
};

static int print_table(struct arena *a, void (*put)(struct buf *out), struct err *err)
{
    struct buf b = buf_new(a, (size_t)64 << 10);

    put(&b);
    return cmd_print(buf_str(&b), err);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    const struct cmd *cmd;

    if (ctx->args.len == 0)
        return cmd_print_usage(ctx->arena, err);
    if (ctx->args.len > 1)
        return err_set(err, ERR_USAGE, "help takes one command");
    if (strcmp(ctx->args.at[0], "environment") == 0)
        return print_environment(ctx->arena, err);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(ctx->args.at[0], tables[i].name) == 0)
            return print_table(ctx->arena, tables[i].put, err);
    }
    cmd = cmd_find(str_from(ctx->args.at[0]));
    if (cmd == NULL)
        return cmd_unknown(str_from(ctx->args.at[0]), err);
    return cmd_print_help(ctx->arena, cmd, err);
}

const struct cmd cmd_help = {
    .name = "help",
    .args = "[COMMAND|environment|states|registration]",
    .summary = "what a command does and which options it takes",
    .bare = true,
    .run = run,
};
