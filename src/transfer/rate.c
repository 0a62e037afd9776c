#include "transfer/rate.h"

/* Unused rate is kept for a tenth of a second, so that the wire sees no bursts beyond that. */
#define BURST_MS 100

void rate_init(struct rate *r, uint64_t bps, uint64_t now_ms)
{
    *r = (struct rate){.bps = bps, .filled_ms = now_ms};
}

static void fill(struct rate *r, uint64_t now_ms)
{
    uint64_t passed = now_ms - r->filled_ms;
    int64_t most = (int64_t)(r->bps * BURST_MS / 1000) + 1;

    if (passed > 1000)
        passed = 1000;
    if (r->bps * passed < 1000)
        return; /* less than a byte yet: let the time add up */
    r->tokens += (int64_t)(r->bps * passed / 1000);
    r->filled_ms = now_ms;
    if (r->tokens > most)
        r->tokens = most;
}

bool rate_open(struct rate *r, uint64_t now_ms)
{
    if (r->bps == 0)
        return true;
    fill(r, now_ms);
    return r->tokens > 0;
}

void rate_take(struct rate *r, uint64_t bytes)
{
    if (r->bps != 0)
        r->tokens -= (int64_t)bytes;
}

uint64_t rate_wait_ms(struct rate *r, uint64_t now_ms)
{
    if (rate_open(r, now_ms))
        return 0;
    return (uint64_t)(1 - r->tokens) * 1000 / r->bps + 1;
}
