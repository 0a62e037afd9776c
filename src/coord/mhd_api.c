#include <pthread.h>
#include <stddef.h>

#include "coord/mhd.h"
#include "sys/dl.h"

/* Filled once and only read from then on. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct mhd_api api;
static struct err failure;

static void load(void)
{
    static const char *const sonames[] = {"libmicrohttpd.so.12", NULL};
    static const struct dl_symbol symbols[] = {
#define MHD(result, name, arguments) {"MHD_" #name, offsetof(struct mhd_api, name)},
#include "coord/mhd.def"
#undef MHD
    };

    /* The caller of mhd_api() sees the failure. */
    (void)!dl_load(&api, symbols, sizeof(symbols) / sizeof(symbols[0]), sonames, "libmicrohttpd12",
                   &failure);
}

const struct mhd_api *mhd_api(struct err *err)
{
    (void)pthread_once(&once, load);
    if (failure.code == ERR_NONE)
        return &api;
    *err = failure;
    return NULL;
}
