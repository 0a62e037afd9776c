#include "coord/names.h"

const char *names_canonical(struct arena *a, const struct catalog *catalog, struct str name)
{
    struct err ignored = {0};
    const struct catalog_model *entry;
    struct model_ref ref;
    bool mended = false;

    entry = catalog_model(catalog, name, &mended);
    if (entry != NULL)
        return entry->name;
    if (ref_parse(&ref, a, name, &ignored) < 0)
        return str_dup(a, name);
    /* The entry's own reference is not among its aliases. */
    for (size_t i = 0; i < catalog->model_count; i++) {
        if (str_eq_nocase(str_from(catalog->models[i].ref), str_from(ref.text)))
            return catalog->models[i].name;
    }
    return ref.text;
}

bool names_same(const struct catalog *catalog, const char *canonical, struct str name)
{
    ARENA_SCOPED a = {0};

    return str_eqz(name, canonical) || strcmp(names_canonical(&a, catalog, name), canonical) == 0;
}
