#include <stddef.h>

#include "store/lease.h"

#define TO(phase) (1U << (phase))

/* From each phase, where a contender may go. */
static const unsigned moves[LEASE_PHASES] = {
    [LEASE_LOOKING] = TO(LEASE_WATCHING) | TO(LEASE_CLAIMING) | TO(LEASE_OUTRUN) | TO(LEASE_HELD),
    [LEASE_WATCHING] = TO(LEASE_WATCHING) | TO(LEASE_CLAIMING) | TO(LEASE_OUTRUN) | TO(LEASE_HELD),
    [LEASE_OUTRUN] = TO(LEASE_OUTRUN) | TO(LEASE_WATCHING) | TO(LEASE_CLAIMING) | TO(LEASE_HELD),
    [LEASE_CLAIMING] = TO(LEASE_HELD) | TO(LEASE_WATCHING),
    [LEASE_HELD] = TO(LEASE_HELD) | TO(LEASE_LOST) | TO(LEASE_RELEASED),
    [LEASE_LOST] = TO(LEASE_RELEASED),
    [LEASE_RELEASED] = 0,
};

bool lease_may_move(enum lease_phase from, enum lease_phase to)
{
    return from < LEASE_PHASES && to < LEASE_PHASES && (moves[from] & TO(to)) != 0;
}
