/* What the tests of the coordinator's parts share: hands of a clock, a worker, a view. */
#ifndef TEST_COORD_SCENE_H
#define TEST_COORD_SCENE_H

#include "coord/view.h"

struct hands {
    struct clock clock;
    uint64_t now_ms;
    uint64_t unix_ms;
};

static inline uint64_t hands_now_ms(const struct clock *c)
{
    return ((const struct hands *)c->ctx)->now_ms;
}

static inline uint64_t hands_unix_ms(const struct clock *c)
{
    return ((const struct hands *)c->ctx)->unix_ms;
}

/* hands stays where it is. */
static inline void hands_init(struct hands *hands)
{
    hands->clock = (struct clock){.now_ms = hands_now_ms, .unix_ms = hands_unix_ms, .ctx = hands};
    hands->now_ms = 1000000;
    hands->unix_ms = UINT64_C(1790000000000);
}

/* Both hands. */
static inline void hands_turn(struct hands *hands, uint64_t ms)
{
    hands->now_ms += ms;
    hands->unix_ms += ms;
}

static inline struct fleet_record a_record(const char *id, const char *instance)
{
    struct fleet_record r = fleet_record_new();

    r.id = id;
    r.instance = instance;
    r.host = "host";
    return r;
}

#endif
