#include <stdlib.h>

#include "config/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file that is taken gives a catalog whose every worker type can be resolved. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct file_settings s = {0};
    struct config_options options = {0};
    struct catalog_choice choice;

    if (file_parse(&s, &options, &a, (struct str){(const char *)data, size}, "f", &err) < 0) {
        if (err.code != ERR_USAGE)
            abort();
        return 0;
    }
    for (size_t i = 0; i < s.catalog.worker_count; i++) {
        struct catalog_ask ask = {.worker_type = s.catalog.workers[i].name, .optional = true};

        if (catalog_resolve(&choice, &a, &s.catalog, &ask, &err) < 0)
            abort();
    }
    return 0;
}
