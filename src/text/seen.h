/*
 * Has this name been there before? A table of hashes alone: 16 bytes a name, in an arena. Two names
 * with one hash count as one, so it serves where a name that is refused by mistake, which nobody
 * meets by chance, is better than a copy of a million names.
 */
#ifndef TEXT_SEEN_H
#define TEXT_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/arena.h"
#include "text/str.h"

struct seen {
    uint64_t *hashes; /* 0: free */
    size_t slots;     /* a power of two, at least twice the names */
    size_t left;
};

/* For at most so many names. */
struct seen seen_new(struct arena *a, size_t names);

/* False if it was there already. More names than it was made for are our own bug. */
bool seen_add(struct seen *seen, struct str name);

#endif
