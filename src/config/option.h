/* The table of options.def, and how a text becomes an option's value. */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

enum option_type {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_LIST,   /* one element; in the environment and the file several with commas */
    OPTION_WORDS,  /* several with commas everywhere */
    OPTION_ONE_OF, /* one of the words of its argument, "a|b" */
    OPTION_SHARE,  /* of 1: 0.92; in thousandths */
    OPTION_PROGRESS,
    OPTION_VIA,
    OPTION_READ_AHEAD, /* auto: UINT64_MAX, off: 0, else a size */
    OPTION_RESTART,    /* no, on-failure, on-failure:N */
    OPTION_COUNT,
    OPTION_SIZE,
    OPTION_DURATION,
};

struct option_info {
    const char *flag; /* "dry-run" */
    enum option_type type;
    char letter;          /* 0: none */
    const char *commands; /* with blanks between; "": all */
    const char *argument; /* what help calls the value; NULL for a FLAG */
    const char *preset;   /* what help says the default is; NULL: nothing worth a word */
    uint64_t most;
    bool file;
    const char *help;
    size_t offset; /* in struct config_options */
};

/* Where a value stands: decides how lists are cut, and is what an error begins with. */
struct option_place {
    const char *name; /* "--limit-rate", "HOSTLER_LIMIT_RATE", "/etc/...yaml:3:5: limit_rate" */
    bool command_line;
    bool append; /* to a list that was begun there */
};

const struct option_info *option_all(size_t *ret_count);
bool option_is_for(const struct option_info *info, const char *command);
const struct option_info *option_by_key(struct str key); /* of the file */

#define OPTION_NAME ((size_t)64)
/* "HOSTLER_DRY_RUN" and "dry_run". Both return out. */
const char *option_variable(char out[static OPTION_NAME], const struct option_info *info);
const char *option_key(char out[static OPTION_NAME], const struct option_info *info);

/* ERR_USAGE that begins with the place and says what is taken; nothing is set then. */
int option_set(struct config_options *options, struct arena *a, const struct option_info *info,
               struct str value, const struct option_place *place, struct err *err) MUST_CHECK;

#endif
