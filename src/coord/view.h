/*
 * What one coordinator knows: all workers by id, who changed in which order, whose beats are late.
 *
 * The view is the memory that all registry drivers share. It decides nothing and stores nothing:
 * coord/registry.h moves workers, and tells a driver first. Its numbers grow with each change, and
 * a worker stands in the order of its last one; so what has changed since a number is the end of a
 * list, whoever asks and however often, and no queue is kept for anybody. What left the view is
 * remembered in a ring of VIEW_GONE_MAX; who asks for older numbers must read everything anew.
 *
 * One thread. Bounded by workers and by the bytes of their records.
 */
#ifndef COORD_VIEW_H
#define COORD_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/record.h"
#include "mem/arena.h"
#include "sys/clock.h"

#define VIEW_GONE_MAX       ((size_t)4096)
#define VIEW_SUPERSEDED_MAX 4
#define VIEW_EPOCH          16

struct worker {
    struct fleet_record record; /* in an arena of its own, but for progress and state */
    bool lost;
    uint64_t since_unix_ms; /* in its state */
    uint64_t since_ms;      /* the same by the monotonic clock */
    uint64_t beat_ms;       /* of the last beat */
    uint64_t seq;           /* of its last change */
    uint64_t told_ms;       /* when that was */
    bool untold;            /* its progress is newer than that */
    bool elsewhere;         /* another coordinator hears its beats */
    uint64_t revision;      /* the driver's: of what it has kept; 0: nothing */
    uint64_t kept_ms;       /* the driver's: when it last kept something */
    uint64_t seen;          /* the driver's */
    /* Instances that lost this id to newer ones, the latest first. */
    char superseded[VIEW_SUPERSEDED_MAX][FLEET_INSTANCE_MAX + 1];
    /* The view's own. */
    struct arena arena;
    size_t bytes;
    struct worker *same_hash;
    struct worker *older, *newer;  /* by seq */
    struct worker *before, *after; /* by beat_ms; not those that are lost or have ended */
    bool expected;                 /* stands in that list */
};

struct view_limits {
    size_t workers;
    size_t bytes; /* of all records */
};

struct view;

/* clock lives as long as the view. */
struct view *view_new(struct arena *a, const struct clock *clock, const struct view_limits *limits);
void view_free(struct view **view);

struct worker *view_find(const struct view *v, struct str id);
size_t view_count(const struct view *v);
const struct clock *view_clock(const struct view *v);

/* False: that record would pass a limit. old is what it replaces, or NULL. */
bool view_has_room(const struct view *v, const struct worker *old,
                   const struct fleet_record *record);

/* All of them in the order of their ids. */
const struct worker **view_sorted(const struct view *v, struct arena *a, size_t *ret_count);

/* A new worker of that id, which must not be there; the record is copied. Counts as a change. */
struct worker *view_add(struct view *v, const struct fleet_record *record);
/* Its record is now a copy of this one, with the same id. Not changed yet. */
void view_set(struct view *v, struct worker *w, const struct fleet_record *record);
/* It gets the next number; all that is known of it is told by that. */
void view_changed(struct view *v, struct worker *w);
/* Its progress has changed, and that gets no number yet. */
void view_defer(struct view *v, struct worker *w);
/* How many there are of whom that is so. */
size_t view_deferred(const struct view *v);
/* It leaves, and that has a number too. w is gone afterwards. */
void view_remove(struct view *v, struct worker *w);

/* A beat has come just now; its worker's next one is expected. */
void view_beat(struct view *v, struct worker *w);
/* No beat is expected any more: it is lost, or has ended. */
void view_end_beats(struct view *v, struct worker *w);
/* Of those whose beat is expected the one that was heard longest ago; NULL: none. */
struct worker *view_latest(const struct view *v);

/* ------------------------------------------------------------------ what has changed since */

/* The number of the last change; the epoch is another for each view: VIEW_EPOCH hex digits. */
uint64_t view_seq(const struct view *v);
const char *view_epoch(const struct view *v);

/* Whether all that has left since that number is still known. */
bool view_knows_since(const struct view *v, uint64_t seq);

/* In the order of their changes: the first one after seq, NULL if there is none. Walks from the
 * newest, so it costs what has changed. */
struct worker *view_after(const struct view *v, uint64_t seq);
static inline struct worker *view_next(const struct worker *w)
{
    return w->newer;
}

/* The id of the first that left after *seq, whose number goes to *seq; NULL: none. */
const char *view_gone_after(const struct view *v, uint64_t *seq);

/* What is told of a worker now. */
struct fleet_listed view_listed(const struct view *v, const struct worker *w);

#endif
