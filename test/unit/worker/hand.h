/* A clock whose hand the test turns. */
#ifndef TEST_WORKER_HAND_H
#define TEST_WORKER_HAND_H

#include "sys/clock.h"

struct hand {
    struct clock clock;
    uint64_t now_ms;
};

static inline uint64_t hand_now(const struct clock *c)
{
    return ((const struct hand *)c->ctx)->now_ms;
}

static inline void hand_init(struct hand *h, uint64_t now_ms)
{
    *h = (struct hand){.clock = {hand_now, hand_now, h}, .now_ms = now_ms};
}

#endif
