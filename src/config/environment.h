/*
 * The environment, read once: every variable of environment.def, and HOSTLER_<OPTION>.
 *
 * Empty means unset; blanks around a value are dropped. A value with a blank and a `#` in it is an
 * env file's comment that nobody cut off: ERR_USAGE that says so. Values of secrets are in no
 * error.
 */
#ifndef CONFIG_ENVIRONMENT_H
#define CONFIG_ENVIRONMENT_H

#include <stdbool.h>

#include "config/config.h"
#include "err/err.h"
#include "mem/arena.h"

enum variable {
#define VARIABLE(name, kind, preset, meaning) VAR_##name,
#include "config/environment.def"
#undef VARIABLE
    VARIABLES,
};

struct environment {
    const char *at[VARIABLES]; /* NULL: unset */
};

struct variable_info {
    const char *name;
    const char *preset; /* NULL: nothing */
    const char *meaning;
};

const struct variable_info *variable_info(enum variable v);

/* The value of any variable, NULL if it is unset or empty. */
const char *environment_get(struct arena *a, char *const *environ, const char *name);

int environment_read(struct environment *out, struct arena *a, char *const *environ,
                     struct err *err) MUST_CHECK;

/* Puts the values of HOSTLER_<OPTION> into options, over what is there. */
int environment_apply(struct config_options *options, struct arena *a, char *const *environ,
                      struct err *err) MUST_CHECK;

/* As huggingface_hub reads a switch: 1, on, yes, true, any case; all else is no. */
bool environment_is_on(const char *value);

#endif
