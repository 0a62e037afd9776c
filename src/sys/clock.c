#include "sys/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_ms(clockid_t id)
{
    struct timespec t = {0};

    (void)clock_gettime(id, &t); /* cannot fail for the two clocks that every Linux has */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t real_now_ms(const struct clock *c)
{
    (void)c;
    return read_ms(CLOCK_MONOTONIC);
}

static uint64_t real_unix_ms(const struct clock *c)
{
    (void)c;
    return read_ms(CLOCK_REALTIME);
}

const struct clock *clock_real(void)
{
    static const struct clock real = {.now_ms = real_now_ms, .unix_ms = real_unix_ms};

    return &real;
}

const char *clock_format_unix_ms(char out[static CLOCK_TEXT], uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm = {0};
    size_t len;

    (void)gmtime_r(&seconds, &tm);
    len = strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + len, CLOCK_TEXT - len, ".%03uZ", (unsigned)(unix_ms % 1000));
    return out;
}
