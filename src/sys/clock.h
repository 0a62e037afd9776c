/*
 * Time, passed in: whoever waits, measures or stamps gets a struct clock, so that tests turn its
 * hands themselves. The real one is clock_real().
 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/str.h"

struct clock {
    uint64_t (*now_ms)(const struct clock *c);  /* monotonic; only differences mean something */
    uint64_t (*unix_ms)(const struct clock *c); /* wall time, for people's eyes only */
    void *ctx;
};

const struct clock *clock_real(void);

static inline uint64_t clock_now_ms(const struct clock *c)
{
    return c->now_ms(c);
}

static inline uint64_t clock_unix_ms(const struct clock *c)
{
    return c->unix_ms(c);
}

#define CLOCK_TEXT ((size_t)32)
/* "2026-11-23T08:31:02.114Z" */
const char *clock_format_unix_ms(char out[static CLOCK_TEXT], uint64_t unix_ms);

/* The same read back, from 1970 to 9999; false for any other text. */
bool clock_parse_unix_ms(uint64_t *ret_unix_ms, struct str text);

#endif
