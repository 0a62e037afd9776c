/*
 * The stream of changes for one client (server-sent events, WHATWG HTML 9.2).
 *
 *     event: reset                            all that is known: at the beginning, after an id that
 *     id: 9f86d081884c7d65-17                 is unknown or too old
 *     data: {"workers":[{...},...]}
 *
 *     event: change                           who has changed since, and whose ids are gone: apply
 *     id: 9f86d081884c7d65-19                 the gone first
 *     data: {"gone":["id",...],"workers":[{...},...]}
 *
 * The id is the view's epoch and number, so a client that comes back with it as Last-Event-ID gets
 * what it has missed. There is no queue: a frame is whatever has changed since the last one, each
 * worker once, written piece by piece as the client takes it. So a slow client costs a number and
 * one worker's text, and gets fewer, larger frames; EVENTS_MS lie between two. A comment every
 * EVENTS_IDLE_MS shows that the line is alive.
 *
 * Knows nothing of connections. One thread.
 */
#ifndef COORD_EVENTS_H
#define COORD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coord/view.h"
#include "mem/arena.h"
#include "text/str.h"

#define EVENTS_MS      250
#define EVENTS_IDLE_MS 15000

struct events {
    const struct view *view;
    uint64_t seq;      /* all up to here was written */
    uint64_t target;   /* of the frame under way */
    bool reset;        /* the next frame is one */
    bool open;         /* a frame is under way */
    bool first;        /* and no worker stands in it yet */
    uint64_t wrote_ms; /* when the last frame or comment ended */
    struct arena arena;
    struct str rest; /* of what was made and not yet taken */
};

/* last_id: the Last-Event-ID header, ptr NULL without one. */
void events_init(struct events *e, const struct view *view, struct str last_id);
void events_done(struct events *e);

/* Whether there is something to write now. */
bool events_due(const struct events *e);

/* At most max bytes of it into out; 0: nothing now. */
size_t events_read(struct events *e, char *out, size_t max);

#endif
