/*
 * Shared libraries at first use.
 *
 * A program linked with libcurl, OpenSSL and their kin pays 8 ms and 8 MiB at every start, used or
 * not. So each library has one table (an X-macro list of function names, e.g. digest/crypto.def):
 * struct of pointers, filled at first use by dl_load(). Safe to call from several threads through
 * the library's own once-only accessor (crypto_api(), curl_api(), ...).
 */
#ifndef SYS_DL_H
#define SYS_DL_H

#include <stdbool.h>
#include <stddef.h>

#include "err/err.h"

struct dl_symbol {
    const char *name;
    size_t offset; /* of the function pointer in the table */
    bool optional; /* the table gets NULL where the library has no such function */
};

/*
 * Opens the first of the NULL-terminated sonames that is there (RTLD_NOW | RTLD_LOCAL) and fills
 * table. Failure, which a missing function is too unless it is optional, is ERR_USAGE with the
 * Debian package that brings the library as the hint, or the limit that keeps one out which is
 * there.
 */
int dl_load(void *table, const struct dl_symbol *symbols, size_t count, const char *const *sonames,
            const char *package, struct err *err) MUST_CHECK;

#endif
