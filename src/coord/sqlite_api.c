#include <pthread.h>
#include <stddef.h>

#include "coord/sqlite.h"
#include "sys/dl.h"

/* Filled once and only read from then on. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sqlite_api api;
static struct err failure;

static void load(void)
{
    static const char *const sonames[] = {"libsqlite3.so.0", NULL};
    static const struct dl_symbol symbols[] = {
#define SQLITE(result, name, arguments) {#name, offsetof(struct sqlite_api, name)},
#include "coord/sqlite.def"
#undef SQLITE
    };

    /* The caller of sqlite_api() sees the failure. */
    (void)!dl_load(&api, symbols, sizeof(symbols) / sizeof(symbols[0]), sonames, "libsqlite3-0",
                   &failure);
}

const struct sqlite_api *sqlite_api(struct err *err)
{
    (void)pthread_once(&once, load);
    if (failure.code == ERR_NONE)
        return &api;
    *err = failure;
    return NULL;
}
