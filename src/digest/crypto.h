/* The table of libcrypto's functions, opened at first use. */
#ifndef DIGEST_CRYPTO_H
#define DIGEST_CRYPTO_H

#include <openssl/evp.h>

#include "err/err.h"

struct crypto_api {
#define CRYPTO(result, name, arguments) result(*name) arguments;
#include "digest/crypto.def"
#undef CRYPTO
    /* Fetched once: each fetch walks the providers under a lock. NULL where one is forbidden. */
    EVP_MD *sha256;
    EVP_MD *sha1;
};

/* NULL if libcrypto cannot be had. Any thread; lives as long as the process. */
const struct crypto_api *crypto_api(struct err *err) MUST_CHECK;

#endif
