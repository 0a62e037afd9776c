#include "text/seen.h"

#include <assert.h>

#define LEAST ((size_t)16)

struct seen seen_new(struct arena *a, size_t names)
{
    struct seen seen = {.slots = LEAST, .left = names};

    while (seen.slots / 2 < names)
        seen.slots *= 2;
    seen.hashes = arena_array(a, uint64_t, seen.slots);
    return seen;
}

bool seen_add(struct seen *seen, struct str name)
{
    uint64_t hash = str_hash(name);
    size_t slot;

    hash ^= hash >> 29; /* its low bits choose the slot */
    hash += hash == 0;
    for (slot = hash & (seen->slots - 1); seen->hashes[slot] != 0;
         slot = (slot + 1) & (seen->slots - 1)) {
        if (seen->hashes[slot] == hash)
            return false;
    }
    assert(seen->left > 0);
    seen->left--;
    seen->hashes[slot] = hash;
    return true;
}
