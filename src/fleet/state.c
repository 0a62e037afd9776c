#include "fleet/state.h"

#include <assert.h>

#define TO(state) (1U << FLEET_##state)

/* Whatever is going on, it may be told to end, or fail. */
#define END (TO(DRAINING) | TO(STOPPED) | TO(FAILED))
/* The models take turns: each is looked for, waited for, fetched, published. */
#define FILL (TO(CHECKING) | TO(WAITING) | TO(DOWNLOADING) | TO(PUBLISHING))

static const struct {
    const char *name;
    unsigned to;
    struct fleet_invariant holds;
} states[FLEET_STATES] = {
    [FLEET_STARTING] = {"starting", TO(GATING) | END, {.progress = true}},
    [FLEET_GATING] = {"gating", TO(CHECKING) | TO(LAUNCHING) | END, {.progress = true}},
    [FLEET_CHECKING] = {"checking", FILL | TO(LAUNCHING) | END, {.progress = true}},
    [FLEET_WAITING] = {"waiting", FILL | TO(LAUNCHING) | END, {.progress = true}},
    [FLEET_DOWNLOADING] = {"downloading", FILL | TO(LAUNCHING) | END, {.progress = true}},
    [FLEET_PUBLISHING] = {"publishing", FILL | TO(LAUNCHING) | END, {.progress = true}},
    [FLEET_LAUNCHING] = {"launching",
                         TO(LAUNCHING) | TO(RUNNING) | END,
                         {.engine = true, .progress = true}},
    [FLEET_RUNNING] = {"running",
                       TO(LAUNCHING) | END,
                       {.engine = true, .ready = true, .progress = true}},
    [FLEET_DRAINING] = {"draining", TO(STOPPED) | TO(FAILED), {.progress = true}},
    [FLEET_STOPPED] = {"stopped", 0, {.final = true}},
    [FLEET_FAILED] = {"failed", 0, {.final = true}},
};

bool fleet_state_may_move(enum fleet_state from, enum fleet_state to)
{
    return from < FLEET_STATES && to < FLEET_STATES && (states[from].to & (1U << to)) != 0;
}

const struct fleet_invariant *fleet_state_invariant(enum fleet_state state)
{
    assert(state < FLEET_STATES);
    return &states[state].holds;
}

const char *fleet_state_name(enum fleet_state state)
{
    assert(state < FLEET_STATES);
    return states[state].name;
}

bool fleet_state_parse(enum fleet_state *out, struct str text)
{
    for (enum fleet_state i = 0; i < FLEET_STATES; i++) {
        if (str_eq(text, str_from(states[i].name))) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const char *yes(bool claim)
{
    return claim ? "yes" : "";
}

void fleet_state_table(struct buf *out)
{
    buf_addz(out, "| state | may go to | engine | ready | live |\n|---|---|---|---|---|\n");
    for (enum fleet_state from = 0; from < FLEET_STATES; from++) {
        const char *comma = "";

        buf_addf(out, "| %s | ", states[from].name);
        for (enum fleet_state to = 0; to < FLEET_STATES; to++) {
            if (!fleet_state_may_move(from, to))
                continue;
            buf_addf(out, "%s%s", comma, states[to].name);
            comma = ", ";
        }
        buf_addf(out, " | %s | %s | %s |\n", yes(states[from].holds.engine),
                 yes(states[from].holds.ready), yes(states[from].holds.progress));
    }
}
