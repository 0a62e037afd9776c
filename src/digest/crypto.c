#include "digest/crypto.h"

#include <pthread.h>
#include <stddef.h>

#include "sys/dl.h"

/* Filled once and only read from then on. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct crypto_api api;
static struct err failure;

static void load(void)
{
    static const char *const sonames[] = {"libcrypto.so.3", NULL};
    static const struct dl_symbol symbols[] = {
#define CRYPTO(result, name, arguments) {#name, offsetof(struct crypto_api, name)},
#include "digest/crypto.def"
#undef CRYPTO
    };

    if (dl_load(&api, symbols, sizeof(symbols) / sizeof(symbols[0]), sonames, "libssl3", &failure) <
        0)
        return;
    api.sha256 = api.EVP_MD_fetch(NULL, "SHA256", NULL);
    api.sha1 = api.EVP_MD_fetch(NULL, "SHA1", NULL);
}

const struct crypto_api *crypto_api(struct err *err)
{
    (void)pthread_once(&once, load);
    if (failure.code == ERR_NONE)
        return &api;
    *err = failure;
    return NULL;
}
