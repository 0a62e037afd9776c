/*
 * How large a request may be, given the memory. A request that is larger than memory fills it with
 * bytes that the hash does not want yet; then all connections wait for the few buffers that pass
 * through what is left. So while they wait much, requests shrink, and they grow again once nobody
 * waits: a far origin needs them as large as may be. Pure; time is passed in.
 */
#ifndef TRANSFER_FIT_H
#define TRANSFER_FIT_H

#include <stdint.h>

struct fit {
    uint64_t least;
    uint64_t most;
    uint64_t bytes; /* what a request may ask for; most at first */
    uint64_t began_ms;
    uint64_t full_ms;
};

void fit_init(struct fit *f, uint64_t least, uint64_t most, uint64_t now_ms);

/* So long did all connections wait for memory. */
void fit_waited(struct fit *f, uint64_t ms);

/* To be called often: judges a stretch of time once it is long enough. */
void fit_tick(struct fit *f, uint64_t now_ms);

#endif
