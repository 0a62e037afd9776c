#include "cmd/cmd.h"
#include "text/buf.h"

#define SCRIPT_MAX ((size_t)64 << 10)

/* Names that `pull` and its kin take: the types and models that are built in. */
static void put_names(struct buf *b)
{
    const struct catalog *c = catalog_builtin();

    for (size_t i = 0; i < c->worker_count; i++)
        buf_addf(b, " %s", c->workers[i].name);
    for (size_t i = 0; i < c->model_count; i++)
        buf_addf(b, " %s", c->models[i].name);
}

static void put_commands(struct buf *b)
{
    for (const struct cmd *const *c = cmd_all(); *c != NULL; c++)
        buf_addf(b, "%s%s", c == cmd_all() ? "" : " ", (*c)->name);
}

static void put_case(struct buf *b, const struct cmd *cmd)
{
    buf_addf(b, "    %s) words=\"", cmd->name);
    if (cmd == &cmd_help) {
        put_commands(b);
        buf_addz(b, " environment");
    } else if (cmd == &cmd_completion) {
        buf_addz(b, "bash");
    } else {
        config_print_flags(b, cmd->name);
        put_names(b);
    }
    buf_addz(b, "\" ;;\n");
}

static int run(struct cmd_context *ctx, struct err *err)
{
    struct buf b = buf_new(ctx->arena, SCRIPT_MAX);

    if (ctx->args.len != 1 || strcmp(ctx->args.at[0], "bash") != 0) {
        (void)err_set(err, ERR_USAGE, "completion takes the name of a shell, which is bash");
        return err_hint(err, "source <(hostler completion bash)");
    }
    buf_addz(&b,
             "_hostler() {\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words\n"
             "    case $prev in\n"
             "    --volume) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n"
             "    --config) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
             "    --progress) words=\"auto bar plain none\" ;;\n"
             "    --ollama-via) words=\"auto store api\" ;;\n"
             "    *) case ${COMP_WORDS[1]} in\n");
    for (const struct cmd *const *c = cmd_all(); *c != NULL; c++)
        put_case(&b, *c);
    buf_addz(&b, "    esac ;;\n    esac\n    [ \"$COMP_CWORD\" = 1 ] && words=\"");
    put_commands(&b);
    buf_addz(&b, " --help --version\"\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                 "}\n"
                 "complete -o default -F _hostler hostler\n");
    return cmd_print(buf_str(&b), err);
}

const struct cmd cmd_completion = {
    .name = "completion",
    .args = "bash",
    .summary = "the words of all commands, for the shell to complete",
    .details = "Put this into ~/.bashrc:\n\n    source <(hostler completion bash)\n",
    .bare = true,
    .run = run,
};
