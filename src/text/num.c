#include "text/num.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* No more of a bad text than this is quoted in an error. */
#define QUOTE_MAX ((size_t)40)

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"k", 1000ULL},
    {"M", 1000ULL * 1000},
    {"G", 1000ULL * 1000 * 1000},
    {"T", 1000ULL * 1000 * 1000 * 1000},
    {"Ki", 1ULL << 10},
    {"Mi", 1ULL << 20},
    {"Gi", 1ULL << 30},
    {"Ti", 1ULL << 40},
};

static const struct unit duration_units[] = {
    {"", 1000},
    {"ms", 1},
    {"s", 1000},
    {"m", 60ULL * 1000},
    {"h", 3600ULL * 1000},
    {"d", 24ULL * 3600 * 1000},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int bad(struct err *err, struct str s, const char *takes)
{
    ARENA_SCOPED scratch = {0};

    if (s.len == 0)
        return err_set(err, ERR_USAGE, "empty: %s", takes);
    return err_set(err, ERR_USAGE, "\"%s\": %s", str_printable(&scratch, s, QUOTE_MAX), takes);
}

/* Takes the leading digits off *s. False if there is none or they exceed 64 bits. */
static bool take_digits(uint64_t *out, struct str *s)
{
    uint64_t n = 0;
    size_t i = 0;

    for (; i < s->len && is_digit(s->ptr[i]); i++) {
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(s->ptr[i] - '0'), &n))
            return false;
    }
    if (i == 0)
        return false;
    s->ptr += i;
    s->len -= i;
    *out = n;
    return true;
}

/*
 * Takes ".digits" off *s as a share of factor, rounded down: whole numbers all the way, so
 * that 1.1T is 1100000000000 and not a double's idea of it.
 */
static bool take_fraction(uint64_t *out, struct str *s, uint64_t factor)
{
    uint64_t digits = 0;
    uint64_t place = 1;
    size_t i = 1;

    if (s->len < 2 || !is_digit(s->ptr[1]))
        return false;
    for (; i < s->len && is_digit(s->ptr[i]); i++) {
        /* What follows the 18th digit is below one part of any unit, and would not fit. */
        if (i <= 18) {
            digits = digits * 10 + (uint64_t)(s->ptr[i] - '0');
            place *= 10;
        }
    }
    s->ptr += i;
    s->len -= i;
    *out = (uint64_t)(__extension__((unsigned __int128)factor) * digits / place);
    return true;
}

int num_parse_u64(uint64_t *out, struct str s, uint64_t max, struct err *err)
{
    struct str rest = s;
    uint64_t n;

    if (!take_digits(&n, &rest) || rest.len > 0 || n > max) {
        char takes[64];

        (void)snprintf(takes, sizeof(takes), "not a whole number from 0 to %" PRIu64, max);
        return bad(err, s, takes);
    }
    *out = n;
    return 0;
}

/* The length of the number at the start of s: digits, and a point with what follows it. */
static size_t number_len(struct str s)
{
    size_t i = 0;

    while (i < s.len && (is_digit(s.ptr[i]) || s.ptr[i] == '.'))
        i++;
    return i;
}

/* number times unit; false if the number is malformed or the product exceeds 64 bits. */
static bool scale(uint64_t *out, struct str number, uint64_t factor)
{
    uint64_t whole;
    uint64_t part = 0;

    if (!take_digits(&whole, &number))
        return false;
    /* A fraction of a byte or of a millisecond is a missing unit. */
    if (number.len > 0 && (factor == 1 || !take_fraction(&part, &number, factor)))
        return false;
    return number.len == 0 && !__builtin_mul_overflow(whole, factor, &whole) &&
           !__builtin_add_overflow(whole, part, out);
}

int num_parse_size(uint64_t *ret_bytes, struct str s, struct err *err)
{
    size_t digits = number_len(s);
    struct str number = {s.ptr, digits};
    struct str unit = {s.ptr + digits, s.len - digits};
    uint64_t bytes;

    if (unit.len > 1 && unit.ptr[0] == ' ')
        unit = (struct str){unit.ptr + 1, unit.len - 1};
    if (unit.len > 0 && (unit.ptr[unit.len - 1] == 'B' || unit.ptr[unit.len - 1] == 'b'))
        unit.len--;
    for (size_t i = 0; i < sizeof(size_units) / sizeof(size_units[0]); i++) {
        if (!str_eq_nocase(unit, str_from(size_units[i].name)))
            continue;
        if (!scale(&bytes, number, size_units[i].factor))
            break;
        *ret_bytes = bytes;
        return 0;
    }
    return bad(err, s, "not a size, which is like 5M, 1.5 GiB or 250kB");
}

int num_parse_duration(uint64_t *ret_ms, struct str s, struct err *err)
{
    size_t digits = number_len(s);
    struct str number = {s.ptr, digits};
    struct str unit = {s.ptr + digits, s.len - digits};
    uint64_t ms;

    for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
        if (!str_eqz(unit, duration_units[i].name))
            continue;
        if (!scale(&ms, number, duration_units[i].factor))
            break;
        *ret_ms = ms;
        return 0;
    }
    return bad(err, s, "not a duration, which is like 500ms, 30s, 1.5m, 2h or 1d");
}

int num_parse_bool(bool *out, struct str s, struct err *err)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (str_eq_nocase(s, str_from(yes[i]))) {
            *out = true;
            return 0;
        }
        if (str_eq_nocase(s, str_from(no[i]))) {
            *out = false;
            return 0;
        }
    }
    return bad(err, s, "not one of true, false, yes, no, on, off, 1, 0");
}

int num_parse_share(uint32_t *ret_thousandths, struct str s, struct err *err)
{
    struct str rest = s;
    uint64_t whole = 0, part = 0;
    struct str head;
    struct err ignored;

    (void)str_cut(&rest, '.', &head);
    if ((head.len > 0 && num_parse_u64(&whole, head, 1, &ignored) < 0) || rest.len > 3 ||
        (rest.len > 0 && num_parse_u64(&part, rest, 999, &ignored) < 0))
        whole = 2;
    for (size_t i = rest.len; i < 3; i++)
        part *= 10;
    part += whole * 1000;
    if (part == 0 || part > 1000)
        return bad(err, s, "not a share between 0.001 and 1, as 0.92");
    *ret_thousandths = (uint32_t)part;
    return 0;
}

/* n / divisor to the nearest, halves up; nothing overflows for divisors below 2^63. */
static uint64_t divide(uint64_t n, uint64_t divisor)
{
    return n / divisor + (n % divisor * 2 >= divisor ? 1 : 0);
}

const char *num_format_size(char out[static NUM_TEXT], uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t factor = 1;
    uint64_t tenths;
    size_t i = 0;

    /* 64 bits end before 1000 EB, so the loop ends inside the table. */
    while (divide(bytes, factor) >= 1000) {
        factor *= 1000;
        i++;
    }
    tenths = i == 0 ? 0 : divide(bytes, factor / 10);
    if (tenths == 0 || tenths >= 1000)
        (void)snprintf(out, NUM_TEXT, "%" PRIu64 " %s", divide(bytes, factor), units[i]);
    else
        (void)snprintf(out, NUM_TEXT, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
                       units[i]);
    return out;
}

const char *num_format_duration(char out[static NUM_TEXT], uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (s < 60)
        (void)snprintf(out, NUM_TEXT, "%" PRIu64 "s", s);
    else if (s < 3600)
        (void)snprintf(out, NUM_TEXT, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(out, NUM_TEXT, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
    else
        (void)snprintf(out, NUM_TEXT, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
    return out;
}
