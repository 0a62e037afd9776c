/*
 * The states of a worker's spin-up, from the start of `hostler run` to its end, as a table of the
 * moves that are allowed and of what holds in each state. The worker keeps to it, the coordinator
 * stores it, people read it. doc/spin-up.md has the table, and a test compares it with this one.
 */
#ifndef FLEET_STATE_H
#define FLEET_STATE_H

#include <stdbool.h>

#include "text/buf.h"
#include "text/str.h"

enum fleet_state {
    FLEET_STARTING,    /* what is wanted is being read */
    FLEET_GATING,      /* can this host carry the worker */
    FLEET_CHECKING,    /* what is on the volume */
    FLEET_WAITING,     /* another one is downloading what we need */
    FLEET_DOWNLOADING, /* bytes of ours arrive */
    FLEET_PUBLISHING,  /* a model gets its name */
    FLEET_LAUNCHING,   /* the engine was started and is not ready */
    FLEET_RUNNING,     /* the engine is ready */
    FLEET_DRAINING,    /* it is told to end, or what it left behind is */
    FLEET_STOPPED,     /* it has ended as it should */
    FLEET_FAILED,      /* it has ended, and there is a reason */
    FLEET_STATES,
};

/* What must hold in a state; the worker checks it after each move. */
struct fleet_invariant {
    bool engine;   /* an engine of ours exists */
    bool ready;    /* it serves */
    bool final;    /* nothing follows */
    bool progress; /* counts as live for a probe: something goes on */
};

bool fleet_state_may_move(enum fleet_state from, enum fleet_state to);

/* state is below FLEET_STATES. */
const struct fleet_invariant *fleet_state_invariant(enum fleet_state state);

/* The word for it in the API and in messages. */
const char *fleet_state_name(enum fleet_state state);

/* false if text is the name of no state. */
bool fleet_state_parse(enum fleet_state *out, struct str text);

/* The table of moves as doc/spin-up.md has it, in Markdown. */
void fleet_state_table(struct buf *out);

#endif
