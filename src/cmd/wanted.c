#include "cmd/wanted.h"

#include <string.h>

static void tell_left_out(const struct cmd_context *ctx, const char *const *left_out)
{
    for (; left_out != NULL && *left_out != NULL; left_out++)
        report_note(ctx->report, REPORT_INFO, "left_out", *left_out,
                    "optional, left out; --optional takes it too");
}

static void tell_notes(const struct cmd_context *ctx, const struct catalog_want *wants,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (wants[i].note != NULL)
            report_note(ctx->report, REPORT_WARN, "taken_for", wants[i].ref.text, "%s",
                        wants[i].note);
    }
}

/* Patterns choose files of Hugging Face alone; models of Ollama are of no use in part. */
static void tell_unfiltered(const struct cmd_context *ctx, const struct catalog_want *wants,
                            size_t count)
{
    const struct config_options *o = &ctx->config->options;
    const char *named = o->include.len > 0 ? "--include" : "--exclude";

    if (o->include.len == 0 && o->exclude.len == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(wants[i].ref.source, "ollama") == 0)
            report_note(ctx->report, REPORT_WARN, "unfiltered", wants[i].ref.text,
                        "%s chooses nothing here: a model of Ollama is fetched whole", named);
    }
}

void wanted_tell(const struct cmd_context *ctx, const struct catalog_choice *choice)
{
    tell_left_out(ctx, choice->left_out);
    tell_notes(ctx, choice->wants, choice->count);
    tell_unfiltered(ctx, choice->wants, choice->count);
}
