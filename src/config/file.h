/*
 * hostler.yaml: models and worker types beside the built-in ones or in their place, and defaults of
 * options.
 *
 * Unknown keys, duplicate keys, wrong types and names that lead nowhere are ERR_USAGE with file,
 * line and column. An entry with the name of a built-in one changes what it says of it.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>

#include "config/catalog.h"
#include "config/config.h"
#include "err/err.h"
#include "mem/arena.h"

struct file_settings {
    struct catalog catalog; /* the built-in one with the file's changes */
    enum report_level log_level;
    bool log_json;
    const char *log_file; /* NULL: not said */
    const char *path;     /* of the file; NULL: there is none */
};

/* What holds where there is no file. */
struct file_settings file_none(void);

/*
 * Reads the file into out and options. A file that is not there is an error if it was named (then
 * by is what named it: "--config"), else as file_none().
 */
int file_load(struct file_settings *out, struct config_options *options, struct arena *a,
              const char *path, const char *by, struct err *err) MUST_CHECK;

/* The same from its text. */
int file_parse(struct file_settings *out, struct config_options *options, struct arena *a,
               struct str text, const char *name, struct err *err) MUST_CHECK;

#endif
