#include "model/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void facts_odd(struct model_facts *facts, struct arena *a, const char *fmt, ...)
{
    char text[256];
    va_list args;
    size_t len;

    if (facts->odd_count++ >= FACTS_ODD_MAX)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    len = strlen(text);
    facts->odd[facts->odd_count - 1] = memcpy(arena_array(a, char, len + 1), text, len + 1);
}

/* What does not find a line of its own any more is counted in the last one. */
static struct model_dtype *line_of(struct model_facts *facts, const char *dtype)
{
    for (size_t i = 0; i < facts->dtype_count; i++) {
        if (strcmp(facts->dtypes[i].name, dtype) == 0)
            return &facts->dtypes[i];
    }
    if (facts->dtype_count < FACTS_DTYPES) {
        struct model_dtype *line = &facts->dtypes[facts->dtype_count++];

        *line = (struct model_dtype){0};
        (void)snprintf(line->name, sizeof(line->name), "%s",
                       facts->dtype_count < FACTS_DTYPES ? dtype : "others");
        return line;
    }
    return &facts->dtypes[FACTS_DTYPES - 1];
}

bool facts_add_tensor(struct model_facts *facts, const char *dtype, uint64_t elements,
                      uint64_t bytes)
{
    struct model_dtype *line = line_of(facts, dtype);

    if (__builtin_add_overflow(facts->tensor_bytes, bytes, &facts->tensor_bytes) ||
        __builtin_add_overflow(facts->elements, elements, &facts->elements))
        return false;
    line->tensors++;
    line->elements += elements;
    line->bytes += bytes;
    return true;
}

static int by_bytes(const void *x, const void *y)
{
    const struct model_dtype *a = x, *b = y;

    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return strcmp(a->name, b->name);
}

void facts_sort_dtypes(struct model_facts *facts)
{
    qsort(facts->dtypes, facts->dtype_count, sizeof(facts->dtypes[0]), by_bytes);
}
