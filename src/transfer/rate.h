/* A token bucket: so many bytes a second over all connections. Pure; time is passed in. */
#ifndef TRANSFER_RATE_H
#define TRANSFER_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    uint64_t bps; /* 0: no limit */
    int64_t tokens;
    uint64_t filled_ms;
};

void rate_init(struct rate *r, uint64_t bps, uint64_t now_ms);

/* May bytes be taken now? What one take overdraws, the next ones wait for. */
bool rate_open(struct rate *r, uint64_t now_ms);

void rate_take(struct rate *r, uint64_t bytes);

/* How long until rate_open() again; 0 when it is. */
uint64_t rate_wait_ms(struct rate *r, uint64_t now_ms);

#endif
