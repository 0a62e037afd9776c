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

int dl_load(void *table, const struct dl_symbol *symbols, size_t count, const char *const *sonames,
            const char *package, struct err *err)
{
    void *library = open_first(sonames);
    const char *reason;

    if (library == NULL) {
        reason = dlerror();
        (void)err_set(err, ERR_USAGE, "cannot load %s: %s", sonames[0],
                      reason == NULL ? "unknown reason" : reason);
        return err_hint(err, "install the package %s", package);
    }
    /* All or nothing: a table is filled only when the library has every name. */
    for (size_t i = 0; i < count; i++) {
        if (dlsym(library, symbols[i].name) != NULL)
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
