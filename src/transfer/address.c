/* The addresses of a host: each bears its own number of connections. */
#include "transfer/engine.h"

struct address {
    struct address *next;
    struct pace pace;
};

void address_init(struct transfer *t, struct host *h)
{
    struct address *a = arena_new(&t->arena, struct address);

    pace_init(&a->pace, t->net.connections, t->net.connections_fixed, engine_now(t));
    h->addresses = a;
    h->pace = &a->pace;
}

void address_collapsed(struct transfer *t, struct host *h)
{
    (void)t, (void)h;
}

void address_poll(struct transfer *t, struct host *h)
{
    (void)t, (void)h;
}

void address_done(struct host *h)
{
    (void)h;
}
