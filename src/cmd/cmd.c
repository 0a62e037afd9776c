#include "cmd/cmd.h"

static const struct cmd *const commands[] = {
    NULL,
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
