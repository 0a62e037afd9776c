/*
 * The bodies of a worker's messages to the coordinator, and the states that it has missed.
 *
 * Whole or in part, a message says how things are now. What was in between, while nobody listened,
 * is its member `missed`: the latest MESSAGE_MISSED_MAX states that the worker has left since the
 * last message that was taken, oldest first, with when they began. Coordinators that do not know it
 * pass over it.
 */
#ifndef WORKER_MESSAGE_H
#define WORKER_MESSAGE_H

#include "fleet/record.h"
#include "worker/beats.h"

#define MESSAGE_MISSED_MAX 16

struct message_move {
    enum fleet_state state;
    uint64_t unix_ms; /* when it began */
};

/* The moves that were not told yet; the last is the present state. */
struct message_moves {
    struct message_move at[MESSAGE_MISSED_MAX + 1];
    size_t count;
};

/* The oldest is dropped when there is no room. */
void message_moved(struct message_moves *moves, enum fleet_state state, uint64_t unix_ms);

/* What differs between what was taken and how it is now, as urgent as it is. */
enum beats_change message_change(const struct fleet_record *taken, const struct fleet_record *now);

/* taken is what the coordinator has; not read for BEATS_REGISTER. lean: without GPUs. */
struct str message_body(struct arena *a, enum beats_message kind, const struct fleet_record *taken,
                        const struct fleet_record *now, const struct message_moves *moves,
                        bool lean);

/* The last message: how it ended. */
struct str message_leave(struct arena *a, const struct fleet_record *now,
                         const struct message_moves *moves);

#endif
