#include "sys/dl.h"

#include <dlfcn.h>
#include <string.h>

static void *open_first(const char *const *sonames)
{
    void *library = NULL;

    for (size_t i = 0; library == NULL && sonames[i] != NULL; i++)
        library = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

/*
 * The dynamic linker tells why in words alone. A library that is there and has no room in memory
 * is not mended by installing it.
 */
static int hint_of(const char *reason, const char *package, struct err *err)
{
    if (strstr(reason, "failed to map") != NULL || strstr(reason, "annot allocate") != NULL ||
        strstr(reason, "cannot map") != NULL || strstr(reason, "cannot create") != NULL)
        return err_hint(err, "there is too little memory for it: raise the limit (ulimit -v), or "
                             "give the container more");
    if (strstr(reason, "Too many open files") != NULL)
        return err_hint(err, "raise the limit of open files (ulimit -n)");
    return err_hint(err, "install the package %s", package);
}

int dl_load(void *table, const struct dl_symbol *symbols, size_t count, const char *const *sonames,
            const char *package, struct err *err)
{
    void *library = open_first(sonames);
    const char *reason;

    if (library == NULL) {
        reason = dlerror();
        if (reason == NULL)
            reason = "unknown reason";
        (void)err_set(err, ERR_USAGE, "cannot load %s: %s", sonames[0], reason);
        return hint_of(reason, package, err);
    }
    /* All or nothing: a table is filled only when the library has every name that is needed. */
    for (size_t i = 0; i < count; i++) {
        if (symbols[i].optional || dlsym(library, symbols[i].name) != NULL)
            continue;
        (void)err_set(err, ERR_USAGE, "%s has no %s: it is another version than we know",
                      sonames[0], symbols[i].name);
        (void)dlclose(library);
        return err_hint(err, "install the package %s of this distribution's release", package);
    }
    for (size_t i = 0; i < count; i++) {
        void *function = dlsym(library, symbols[i].name);

        /* Copied as bytes: ISO C has no cast from an object's pointer to a function's. */
        memcpy((char *)table + symbols[i].offset, &function, sizeof(function));
    }
    return 0;
}
