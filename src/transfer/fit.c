#include "transfer/fit.h"

#define LOOK_MS 100

/* An eighth of the time is more than the odd moment in which hash and disk are merely late. */
#define MUCH 8

void fit_init(struct fit *f, uint64_t least, uint64_t most, uint64_t now_ms)
{
    *f = (struct fit){.least = least, .most = most, .bytes = most, .began_ms = now_ms};
}

void fit_waited(struct fit *f, uint64_t ms)
{
    f->full_ms += ms;
}

void fit_tick(struct fit *f, uint64_t now_ms)
{
    uint64_t passed = now_ms - f->began_ms;

    if (passed < LOOK_MS)
        return;
    if (f->full_ms >= passed / MUCH)
        f->bytes = f->bytes / 4 > f->least ? f->bytes / 4 : f->least;
    else if (f->full_ms == 0)
        f->bytes = f->bytes < f->most / 2 ? f->bytes * 2 : f->most;
    f->began_ms = now_ms;
    f->full_ms = 0;
}
