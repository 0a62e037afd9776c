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

/* "2026-11-23T08:31:02.114Z" with a 0 where a digit stands. */
static const char time_shape[] = "0000-00-00T00:00:00.000Z";

static int number_at(struct str text, size_t at, size_t len)
{
    int n = 0;

    for (size_t i = at; i < at + len; i++)
        n = n * 10 + (text.ptr[i] - '0');
    return n;
}

bool clock_parse_unix_ms(uint64_t *ret_unix_ms, struct str text)
{
    struct tm tm = {0};
    time_t seconds;

    if (text.len != sizeof(time_shape) - 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';

        if (time_shape[i] == '0' ? !digit : text.ptr[i] != time_shape[i])
            return false;
    }
    tm.tm_year = number_at(text, 0, 4) - 1900;
    tm.tm_mon = number_at(text, 5, 2) - 1;
    tm.tm_mday = number_at(text, 8, 2);
    tm.tm_hour = number_at(text, 11, 2);
    tm.tm_min = number_at(text, 14, 2);
    tm.tm_sec = number_at(text, 17, 2);
    seconds = timegm(&tm);
    if (seconds < 0 || number_at(text, 5, 2) != tm.tm_mon + 1 ||
        number_at(text, 8, 2) != tm.tm_mday)
        return false;
    *ret_unix_ms = (uint64_t)seconds * 1000 + (uint64_t)number_at(text, 20, 3);
    return true;
}
