#include "worker/restart.h"

bool restart_next(struct restart *r, uint64_t ran_ms, uint64_t *ret_wait_ms)
{
    if (r->count >= r->limit)
        return false;
    if (r->count == 0 || ran_ms >= RESTART_CALM_MS)
        r->wait_ms = RESTART_FIRST_MS;
    else
        r->wait_ms = r->wait_ms >= RESTART_MOST_MS / 2 ? RESTART_MOST_MS : r->wait_ms * 2;
    r->count++;
    *ret_wait_ms = r->wait_ms;
    return true;
}
