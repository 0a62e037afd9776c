#include "transfer/curl.h"

#include <pthread.h>
#include <stddef.h>

#include "sys/dl.h"

static struct curl_api api;
static struct err load_err;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    static const struct dl_symbol symbols[] = {
#define CURL_FN(name, result, arguments) {"curl_" #name, offsetof(struct curl_api, name)},
#include "transfer/curl.def"
#undef CURL_FN
    };
    static const char *const sonames[] = {"libcurl.so.4", NULL};

    if (dl_load(&api, symbols, sizeof(symbols) / sizeof(symbols[0]), sonames, "libcurl4",
                &load_err) < 0)
        return;
    if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        (void)err_set(&load_err, ERR_BUG, "libcurl does not start");
}

const struct curl_api *curl_api(struct err *err)
{
    (void)pthread_once(&once, load);
    if (load_err.code != ERR_NONE) {
        *err = load_err;
        return NULL;
    }
    return &api;
}
