/* What pull and run tell of the choice of models before they begin. */
#ifndef CMD_WANTED_H
#define CMD_WANTED_H

#include "cmd/cmd.h"

/* What was left out, what was taken for what, which patterns choose nothing. */
void wanted_tell(const struct cmd_context *ctx, const struct catalog_choice *choice);

#endif
