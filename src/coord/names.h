/*
 * Whether two spellings name the same model: a catalog's short name, any alias of it, the reference
 * itself. What neither the catalog nor the grammar of references knows is compared as text.
 */
#ifndef COORD_NAMES_H
#define COORD_NAMES_H

#include "config/catalog.h"
#include "mem/arena.h"

/* The one spelling of a model, in the arena or the catalog. */
const char *names_canonical(struct arena *a, const struct catalog *catalog, struct str name);

/* Whether the worker's own spelling names the model of that canonical name. */
bool names_same(const struct catalog *catalog, const char *canonical, struct str name);

#endif
