#include "json/jansson_api.h"

#include <pthread.h>
#include <stddef.h>

#include "sys/dl.h"

/* Filled once and only read from then on. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct jansson_api api;
static struct err failure;

static void load(void)
{
    static const char *const sonames[] = {"libjansson.so.4", NULL};
    static const struct dl_symbol symbols[] = {
#define JANSSON(result, name, arguments) {#name, offsetof(struct jansson_api, name)},
#include "json/jansson.def"
#undef JANSSON
    };

    /* The caller of jansson_api() sees the failure. */
    (void)!dl_load(&api, symbols, sizeof(symbols) / sizeof(symbols[0]), sonames, "libjansson4",
                   &failure);
}

const struct jansson_api *jansson_api(struct err *err)
{
    (void)pthread_once(&once, load);
    if (failure.code == ERR_NONE)
        return &api;
    *err = failure;
    return NULL;
}

const struct jansson_api *jansson_loaded(void)
{
    return &api;
}
