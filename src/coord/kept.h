/*
 * A worker as drivers keep it: FORMAT 1, JSON, the same text for all of them.
 *
 * The record with two members more than a registration has, lost and since_ms, and the instances
 * that lost the id. What is read back is as hostile as anything from outside.
 */
#ifndef COORD_KEPT_H
#define COORD_KEPT_H

#include "coord/view.h"
#include "err/err.h"
#include "text/buf.h"

/* The members, without braces: a driver may have some of its own. */
void kept_put(struct buf *out, const struct worker *w);

/* Fills of a draft what kept_put() wrote; texts live in the arena. Untouched on failure. */
int kept_read(struct worker *draft, struct arena *a, struct str text, struct err *err) MUST_CHECK;

/*
 * Makes w what the draft says, or a new worker of it where w is NULL. The view must have room. Not
 * changed yet, unless it is new; whether its beats are expected is the caller's to say.
 */
struct worker *kept_take(struct view *view, struct worker *w, const struct worker *draft);

#endif
