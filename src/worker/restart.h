/*
 * When a command that failed is started again: after 1 s, then twice as long each time, a minute at
 * most; after 1 s again once it has run for five minutes. Plain values; the caller has the clock.
 */
#ifndef WORKER_RESTART_H
#define WORKER_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define RESTART_FIRST_MS UINT64_C(1000)
#define RESTART_MOST_MS  UINT64_C(60000)
#define RESTART_CALM_MS  UINT64_C(300000)

struct restart {
    uint64_t limit; /* how often at most, UINT64_MAX: no limit */
    uint64_t count; /* how often it was */
    uint64_t wait_ms;
};

/* It failed after ran_ms. False: it is not started again. */
bool restart_next(struct restart *r, uint64_t ran_ms, uint64_t *ret_wait_ms);

#endif
