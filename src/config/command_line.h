/*
 * A command's words, taken apart: flags with their values, in order, and all the rest.
 *
 * Flags may stand among the other words until `--`; those of `run` end where CMD begins. Which
 * flags there are is options.def's matter; an unknown one is ERR_USAGE with the nearest as the
 * hint. Values are not looked at yet.
 */
#ifndef CONFIG_COMMAND_LINE_H
#define CONFIG_COMMAND_LINE_H

#include "config/config.h"
#include "config/option.h"

struct flag_given {
    const struct option_info *info;
    struct str value;
    const char *name; /* "--connections", as errors call it */
};

struct command_line {
    const struct flag_given *flags;
    size_t flag_count;
    struct config_list args;
    bool help; /* --help or -h was there: nothing else matters */
};

int command_line_parse(struct command_line *out, struct arena *a, const struct config_input *input,
                       struct err *err) MUST_CHECK;

/* Puts the flags' values into options, over what is there. */
int command_line_apply(struct config_options *options, struct arena *a,
                       const struct command_line *line, struct err *err) MUST_CHECK;

/* The value of the last flag of that name; ptr NULL if it is not there. */
struct str command_line_value(const struct command_line *line, const char *flag);

#endif
