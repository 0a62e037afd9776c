#include "transfer/pool.h"

#include <assert.h>

#define LEAST 4
#define PAGE  4096

void pool_init(struct pool *p, uint64_t bytes)
{
    *p = (struct pool){.most = (size_t)(bytes / POOL_CHUNK)};
    if (p->most < LEAST)
        p->most = LEAST;
}

void pool_done(struct pool *p)
{
    arena_free(&p->arena);
    *p = (struct pool){0};
}

struct chunk *pool_get(struct pool *p)
{
    struct chunk *c = p->free;
    char *data;

    if (c == NULL && p->made == p->most)
        return NULL;
    if (c == NULL) {
        c = arena_new(&p->arena, struct chunk);
        c->data = arena_alloc(&p->arena, 1, POOL_CHUNK, PAGE);
        p->made++;
    } else {
        p->free = c->next;
    }
    data = c->data;
    *c = (struct chunk){.data = data};
    p->used++;
    return c;
}

void pool_put(struct pool *p, struct chunk *c)
{
    assert(!c->for_writer && !c->for_hash);
    c->next = p->free;
    p->free = c;
    p->used--;
}
