#include "transfer/retry.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "text/num.h"

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS   30000

struct row {
    enum retry_what what;
    int status_first, status_last; /* 0, 0: any */
    enum retry_next canonical;     /* what next, when the canonical origin answered */
    enum retry_next link;          /* and when a link did */
    unsigned tries;                /* that many the same in a row are final; 0: the clock decides */
    bool whole_host;
};

/* The first row that fits counts. */
static const struct row table[] = {
    {RETRY_DNS, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 0, true},
    {RETRY_CONNECT, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 0, true},
    {RETRY_CERTIFICATE, 0, 0, RETRY_FINAL, RETRY_FINAL, 0, true},
    {RETRY_TLS, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 0, true},
    {RETRY_CUT, 0, 0, RETRY_AGAIN, RETRY_AGAIN, 0, false},
    {RETRY_STALL, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 0, false},
    {RETRY_FIRST_BYTE, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 0, false},
    {RETRY_STATUS, 429, 429, RETRY_AGAIN, RETRY_AGAIN, 0, true},
    {RETRY_STATUS, 503, 503, RETRY_AGAIN, RETRY_AGAIN, 0, true},
    {RETRY_STATUS, 500, 599, RETRY_AGAIN, RETRY_AGAIN, 0, false},
    {RETRY_STATUS, 408, 408, RETRY_AGAIN, RETRY_AGAIN, 0, false},
    {RETRY_STATUS, 425, 425, RETRY_AGAIN, RETRY_AGAIN, 0, false},
    {RETRY_STATUS, 407, 407, RETRY_FINAL, RETRY_FINAL, 0, true},
    {RETRY_STATUS, 416, 416, RETRY_AGAIN, RETRY_RESOLVE, 2, false},
    {RETRY_STATUS, 400, 499, RETRY_FINAL, RETRY_RESOLVE, 0, false},
    {RETRY_STATUS, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 4, false},
    {RETRY_TOKEN, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 0, false},
    {RETRY_PORTAL, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 0, false},
    {RETRY_ENCODED, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 3, false},
    {RETRY_RANGE, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 4, false},
    {RETRY_TOTAL, 0, 0, RETRY_AGAIN, RETRY_RESOLVE, 2, false},
    {RETRY_WHOLE, 0, 0, RETRY_SINGLE, RETRY_SINGLE, 0, false},
    {RETRY_REDIRECT, 0, 0, RETRY_FINAL, RETRY_FINAL, 0, false},
    {RETRY_PROXY_AUTH, 0, 0, RETRY_FINAL, RETRY_FINAL, 0, true},
};

uint64_t retry_backoff_ms(unsigned attempt, uint32_t random)
{
    uint64_t middle = BACKOFF_FIRST_MS;

    for (unsigned i = 1; i < attempt && middle < BACKOFF_MAX_MS; i++)
        middle *= 2;
    if (middle > BACKOFF_MAX_MS)
        middle = BACKOFF_MAX_MS;
    return middle * 3 / 4 + (middle / 2) * random / UINT32_MAX;
}

static bool two_digits(int *out, const char *p)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that RFC 9110 lets a server send. */
static bool parse_date(uint64_t *ret_unix_ms, struct str s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = {0};
    const char *month;
    int century, year;
    char name[4] = {0};

    if (s.len != 29 || memcmp(s.ptr + 3, ", ", 2) != 0 || memcmp(s.ptr + 25, " GMT", 4) != 0)
        return false;
    memcpy(name, s.ptr + 8, 3);
    month = strstr(months, name);
    if (month == NULL || (month - months) % 3 != 0 || !two_digits(&tm.tm_mday, s.ptr + 5) ||
        !two_digits(&century, s.ptr + 12) || !two_digits(&year, s.ptr + 14) ||
        !two_digits(&tm.tm_hour, s.ptr + 17) || !two_digits(&tm.tm_min, s.ptr + 20) ||
        !two_digits(&tm.tm_sec, s.ptr + 23) || century < 20)
        return false;
    tm.tm_mon = (int)((month - months) / 3);
    tm.tm_year = century * 100 + year - 1900;
    *ret_unix_ms = (uint64_t)timegm(&tm) * 1000;
    return true;
}

static bool seconds(uint64_t *ret_ms, struct str s)
{
    struct err err;
    uint64_t n;

    if (num_parse_u64(&n, str_trim(s), UINT32_MAX, &err) < 0)
        return false;
    *ret_ms = n * 1000;
    return true;
}

/* "resolvers";r=0;t=172 explains a refusal only when nothing remains (r=0); one second is added. */
static bool rate_limit_wait(uint64_t *ret_ms, struct str header)
{
    bool none_left = false, has_wait = false;
    struct str part;
    bool more;

    do {
        more = str_cut(&header, ';', &part);
        part = str_trim(part);
        if (str_eqz(part, "r=0"))
            none_left = true;
        else if (str_starts(part, STR("t=")))
            has_wait = seconds(ret_ms, (struct str){part.ptr + 2, part.len - 2});
    } while (more);
    if (!none_left || !has_wait)
        return false;
    *ret_ms += 1000;
    return true;
}

bool retry_named_wait(uint64_t *ret_ms, const struct retry_case *c)
{
    struct str after = str_trim(c->retry_after);
    uint64_t until;
    uint64_t ms = 0;

    if (c->rate_limit.ptr != NULL && rate_limit_wait(&ms, c->rate_limit)) {
        *ret_ms = ms;
        return true;
    }
    if (c->retry_after.ptr == NULL)
        return false;
    if (seconds(ret_ms, after))
        return true;
    if (!parse_date(&until, after))
        return false;
    *ret_ms = until > c->unix_ms ? until - c->unix_ms : 0;
    return true;
}

static const struct row *find(const struct retry_case *c)
{
    size_t i = 0;

    while (table[i].what != c->what ||
           (c->what == RETRY_STATUS && table[i].status_first != 0 &&
            (c->status < table[i].status_first || c->status > table[i].status_last)))
        i++;
    return &table[i];
}

struct retry_plan retry_plan(const struct retry_case *c)
{
    const struct row *row = find(c);
    struct retry_plan plan = {.next = c->canonical ? row->canonical : row->link,
                              .whole_host = row->whole_host};

    if (row->tries != 0 && c->same >= row->tries)
        plan.next = RETRY_FINAL;
    /* A link that works refuses when it has expired: ask for another at once. A fresh one that
     * refuses while other ranges of the file come may belong to a CDN that allows one stream. */
    if (c->what == RETRY_STATUS && !c->canonical && plan.next == RETRY_RESOLVE) {
        if (!c->fresh && c->attempt <= 1)
            return plan;
        if (c->fresh && c->status == 403 && c->ranged > 0)
            plan.next = RETRY_SINGLE;
    }
    if (plan.next == RETRY_FINAL || c->what == RETRY_WHOLE)
        return plan;
    plan.wait_ms = retry_backoff_ms(c->attempt, c->random);
    if (c->what == RETRY_STATUS && (c->status == 429 || c->status >= 500 || c->status == 408) &&
        retry_named_wait(&plan.wait_ms, c)) {
        plan.named = true;
        if (plan.wait_ms > c->longest_wait_ms)
            plan.next = RETRY_FINAL;
        /* Everyone who was told the same second comes back in it, so come a little later. */
        plan.wait_ms += (uint64_t)500 * c->random / UINT32_MAX;
    }
    return plan;
}

uint32_t retry_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}
