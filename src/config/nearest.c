#include "config/nearest.h"

#include <stdint.h>

#define NAME_LONGEST ((size_t)64)

struct nearest nearest_to(struct str written)
{
    return (struct nearest){.written = written, .distance = SIZE_MAX};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits from a to b, a swap of neighbours being one (optimal string alignment). */
static size_t edits(struct str a, struct str b)
{
    size_t row[3][NAME_LONGEST + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = row[i % 3];
        const size_t *last = row[(i + 2) % 3];
        const size_t *older = row[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            now[j] =
                least(least(last[j], now[j - 1]) + 1, last[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]));
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                now[j] = least(now[j], older[j - 2] + 1);
        }
    }
    return row[a.len % 3][b.len];
}

void nearest_offer(struct nearest *n, const char *name)
{
    struct str s = str_from(name);
    size_t distance;

    if (s.len > NAME_LONGEST || n->written.len > NAME_LONGEST || n->written.len < 2)
        return;
    distance = edits(n->written, s);
    /* The start of a name is a guess at it too. */
    if (distance > 1 && str_starts(s, n->written))
        distance = 1;
    if (distance > s.len / 3 + 1 || distance >= n->distance || distance >= s.len)
        return;
    n->best = name;
    n->distance = distance;
}
