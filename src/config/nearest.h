/* "Did you mean": which of the names is the nearest to what was written. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

#include "text/str.h"

struct nearest {
    struct str written;
    const char *best; /* NULL: nothing is near enough */
    size_t distance;
};

struct nearest nearest_to(struct str written);

/* Looks at one more name: the fewer letters changed, added, dropped or swapped, the nearer. */
void nearest_offer(struct nearest *n, const char *name);

#endif
