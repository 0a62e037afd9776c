/*
 * How often one address may ask: token buckets in a table of fixed size. Addresses that fall
 * together share a bucket, so the table never grows and nobody is let through for it.
 */
#ifndef COORD_RATES_H
#define COORD_RATES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "mem/arena.h"

#define RATES_BUCKETS 1024

struct rate_bucket {
    uint64_t filled_ms;
    uint64_t tokens_milli; /* thousandths of a request */
};

struct rates {
    struct rate_bucket *buckets;
    uint64_t per_s;
    uint64_t burst;
};

void rates_init(struct rates *r, struct arena *a, uint64_t per_s, uint64_t burst);

/* A port is no part of an address, and of IPv6 only the first 64 bits are. */
struct rate_bucket *rates_bucket(const struct rates *r, const struct sockaddr *address);

/* Takes one token; false: there is none. */
bool rates_take(const struct rates *r, struct rate_bucket *bucket, uint64_t now_ms);
/* Whether there is one, without taking it. */
bool rates_left(const struct rates *r, struct rate_bucket *bucket, uint64_t now_ms);

#endif
