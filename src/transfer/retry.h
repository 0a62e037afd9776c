/*
 * What to do when a request for bytes did not bring them: pure policy, one table.
 *
 * The caller says what happened and how often in a row without progress; the answer says where to
 * ask next and how long to wait first. Waits grow from a quarter second to 30 s with jitter; a wait
 * that the server names (Retry-After, or a RateLimit header with nothing left; facts of the Hub's
 * rate limits) is taken instead and does not count against the caller's patience. Who has no
 * progress for too long gives up by the clock, which is the caller's; final here is only what no
 * patience mends.
 */
#ifndef TRANSFER_RETRY_H
#define TRANSFER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "text/str.h"

enum retry_what {
    RETRY_DNS,         /* the name does not resolve */
    RETRY_CONNECT,     /* refused, unreachable, or no connection in time */
    RETRY_CERTIFICATE, /* it does not verify */
    RETRY_TLS,         /* any other failure of TLS */
    RETRY_CUT,         /* reset, or closed before the end */
    RETRY_STALL,       /* too few bytes for too long */
    RETRY_FIRST_BYTE,  /* no first byte in time */
    RETRY_STATUS,      /* a status that brings no bytes */
    RETRY_TOKEN,       /* the authorization has had its day, another is being got */
    RETRY_PORTAL,      /* a page in place of the file */
    RETRY_ENCODED,     /* compressed, which was not asked for */
    RETRY_RANGE,       /* a Content-Range that is missing, malformed, or starts elsewhere */
    RETRY_TOTAL,       /* another total size than the listing's */
    RETRY_WHOLE,       /* the whole file in answer to a range of it */
    RETRY_REDIRECT,    /* a loop, too many, to where we must not go, or without a Location */
    RETRY_PROXY_AUTH,  /* the proxy wants credentials */
};

struct retry_case {
    enum retry_what what;
    int status;             /* with RETRY_STATUS */
    bool canonical;         /* it was the canonical URL's origin that answered, not a signed link */
    bool fresh;             /* that link has never given a byte */
    unsigned ranged;        /* other connections that fetch ranges of this file */
    unsigned attempt;       /* failures of this file in a row without progress, this one too */
    unsigned same;          /* the same failure in a row without progress, this one too */
    struct str retry_after; /* header values; ptr NULL if absent */
    struct str rate_limit;
    uint64_t unix_ms; /* now, for a Retry-After that is a date */
    uint64_t longest_wait_ms;
    uint32_t random; /* jitter: from retry_random() */
};

enum retry_next {
    RETRY_AGAIN,   /* ask the same place */
    RETRY_RESOLVE, /* ask the canonical URL, the link has had its day */
    RETRY_SINGLE,  /* one plain stream, asked of the canonical URL */
    RETRY_FINAL,
};

struct retry_plan {
    enum retry_next next;
    uint64_t wait_ms;
    bool named;      /* the server named that wait */
    bool whole_host; /* the wait is for all requests to that host */
};

struct retry_plan retry_plan(const struct retry_case *c);

/* The wait that the headers name; false if none. Malformed ones name none. */
bool retry_named_wait(uint64_t *ret_ms, const struct retry_case *c);

/* The growing wait before try number attempt (from 1), between 3/4 and 5/4 of its middle. */
uint64_t retry_backoff_ms(unsigned attempt, uint32_t random);

/* The next number of a generator for jitter (xorshift); *state is never 0. */
uint32_t retry_random(uint32_t *state);

#endif
