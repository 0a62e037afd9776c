#include "cmd/cmd.h"

#include <errno.h>
#include <unistd.h>

#include "config/nearest.h"
#include "text/buf.h"

#define HELP_MAX ((size_t)256 << 10)

static const struct cmd *const commands[] = {
    &cmd_pull,    &cmd_run,         &cmd_status,  &cmd_ls,   &cmd_du,         &cmd_gpus, &cmd_plan,
    &cmd_inspect, &cmd_coordinator, &cmd_workers, &cmd_help, &cmd_completion, NULL,
};

const struct cmd *const *cmd_all(void)
{
    return commands;
}

const struct cmd *cmd_find(struct str name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (str_eq(str_from(commands[i]->name), name))
            return commands[i];
    }
    return NULL;
}

int cmd_unknown(struct str name, struct err *err)
{
    struct nearest nearest = nearest_to(name);

    for (size_t i = 0; commands[i] != NULL; i++)
        nearest_offer(&nearest, commands[i]->name);
    (void)err_set(err, ERR_USAGE, "\"%.*s\" is no command of hostler",
                  name.len < 80 ? (int)name.len : 80, name.ptr);
    if (nearest.best != NULL)
        return err_hint(err, "did you mean hostler %s? See hostler help", nearest.best);
    return -1;
}

int cmd_print(struct str text, struct err *err)
{
    while (text.len > 0) {
        ssize_t done = write(STDOUT_FILENO, text.ptr, text.len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            (void)err_sys(err, ERR_USAGE, "writing to stdout");
            return err_hint(err, "send the output where it can be written");
        }
        text.ptr += done;
        text.len -= (size_t)done;
    }
    return 0;
}

int cmd_print_usage(struct arena *a, struct err *err)
{
    struct buf b = buf_new(a, HELP_MAX);

    buf_addz(&b,
             "Hostler fills a shared volume with AI models, verified and once for all workers.\n\n"
             "usage: hostler COMMAND [OPTION...] [ARG...]\n\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        buf_addf(&b, "  %-11s  %s\n", commands[i]->name, commands[i]->summary);
    buf_addz(&b, "\nhostler help COMMAND tells a command's options, hostler help environment the\n"
                 "variables that are read, hostler --version the version.\n");
    return cmd_print(buf_str(&b), err);
}

int cmd_print_help(struct arena *a, const struct cmd *cmd, struct err *err)
{
    struct buf b = buf_new(a, HELP_MAX);

    buf_addf(&b, "usage: hostler %s%s%s%s\n\n%s\n", cmd->name, cmd->bare ? "" : " [OPTION...]",
             cmd->args[0] != '\0' ? " " : "", cmd->args, cmd->summary);
    if (cmd->details != NULL)
        buf_addf(&b, "\n%s", cmd->details);
    if (!cmd->bare) {
        buf_addc(&b, '\n');
        config_print_help(&b, cmd->name);
    }
    return cmd_print(buf_str(&b), err);
}

int cmd_print_version(struct err *err)
{
    return cmd_print(STR("hostler " HOSTLER_VERSION "\n"), err);
}
