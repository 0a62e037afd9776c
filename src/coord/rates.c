#include "coord/rates.h"

#include <string.h>

#include <netinet/in.h>

#define MILLI UINT64_C(1000)

void rates_init(struct rates *r, struct arena *a, uint64_t per_s, uint64_t burst)
{
    *r = (struct rates){.buckets = arena_array(a, struct rate_bucket, RATES_BUCKETS),
                        .per_s = per_s,
                        .burst = burst};
    for (size_t i = 0; i < RATES_BUCKETS; i++)
        r->buckets[i].tokens_milli = burst * MILLI;
}

struct rate_bucket *rates_bucket(const struct rates *r, const struct sockaddr *address)
{
    uint64_t key = 0;

    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        key = in.sin_addr.s_addr;
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof(in6));
        /* A client of IPv4 at a socket of both; else the network that a host has for itself. */
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
            memcpy(&key, in6.sin6_addr.s6_addr + 12, 4);
        else
            memcpy(&key, in6.sin6_addr.s6_addr, sizeof(key));
    }
    /* Fibonacci hashing: the upper bits of the product depend on all bits of the key. */
    return &r->buckets[(key * UINT64_C(11400714819323198485)) >> 54];
}

static void fill(const struct rates *r, struct rate_bucket *b, uint64_t now_ms)
{
    uint64_t most = r->burst * MILLI;
    uint64_t passed = now_ms - b->filled_ms;

    /* Tokens a second are thousandths a millisecond. */
    if (passed >= most / r->per_s + 1)
        b->tokens_milli = most;
    else
        b->tokens_milli += passed * r->per_s;
    if (b->tokens_milli > most)
        b->tokens_milli = most;
    b->filled_ms = now_ms;
}

bool rates_left(const struct rates *r, struct rate_bucket *bucket, uint64_t now_ms)
{
    fill(r, bucket, now_ms);
    return bucket->tokens_milli >= MILLI;
}

bool rates_take(const struct rates *r, struct rate_bucket *bucket, uint64_t now_ms)
{
    if (!rates_left(r, bucket, now_ms))
        return false;
    bucket->tokens_milli -= MILLI;
    return true;
}
