#include "plan/compose_check.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct compose_faults faults;
    struct compose compose;
    struct err err = {0};

    if (compose_read(&compose, &a, (struct str){(const char *)data, size}, "f", &err) < 0) {
        if (err.code != ERR_USAGE && err.code != ERR_LIMIT)
            abort();
        return 0;
    }
    compose_check(&faults, &a, &compose, &(struct compose_check_ask){.catalog = catalog_builtin()});
    for (size_t i = 0; i < faults.count; i++) {
        if (faults.at[i].line == 0 || (i > 0 && faults.at[i - 1].line > faults.at[i].line))
            abort();
    }
    return 0;
}
