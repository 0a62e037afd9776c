/*
 * What an answer that refuses says of itself, whoever gave it: the words of Hubs, of registries and
 * of the proxies between. Pure; used by every source.
 */
#ifndef SOURCE_REFUSAL_H
#define SOURCE_REFUSAL_H

#include <stdbool.h>

#include "mem/arena.h"
#include "text/str.h"

/* Printable and short; "" where nothing is said. */
struct refusal {
    const char *code;  /* {"errors":[{"code"}]}: "MANIFEST_UNKNOWN" */
    const char *words; /* for people */
};

/* The words are header's, else {"error":...} or {"errors":[{"message"}]}, else a plain text. */
struct refusal refusal_read(struct arena *a, struct str header, struct str body);

/* A page for people where an answer for programs was asked: a proxy or a portal answered. */
bool refusal_is_page(struct str body);

#endif
