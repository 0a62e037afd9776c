/*
 * The registry: what workers may do to the view, and the drivers that keep it beyond this process.
 *
 * A worker registers, beats, reports and leaves. What changes its state goes to the driver first,
 * and only what the driver has taken is seen by anyone; beats stay in memory. A worker whose beats
 * stop for the time to live is `lost` until it beats again; lost and ended ones are forgotten after
 * keep_ms. Time is the monotonic one of the clock that is passed in, so steps of the wall clock
 * move nothing. When this process itself stood still (stopped, or its host was), no worker can be
 * blamed for that: nobody is lost before a whole time to live has passed again.
 *
 * Of two living instances of one id the one that registered later has it. The other is told at its
 * next beat, and can not register again.
 *
 * A driver is one file and a line in registry.c: see struct registry_driver. One thread.
 */
#ifndef COORD_REGISTRY_H
#define COORD_REGISTRY_H

#include "coord/view.h"
#include "err/err.h"
#include "fleet/record.h"
#include "mem/arena.h"

struct registry_options {
    const struct clock *clock;
    const char *data_dir;
    const char *driver; /* "sqlite", or "etcd:URL,..." */
    uint64_t ttl_ms;
    uint64_t keep_ms;
    struct view_limits limits;
    /* What is worth a line of the log; never NULL. */
    void (*note)(void *ctx, bool warning, const char *text);
    void *ctx;
};

/*
 * What a driver does. Its functions are called with what open() gave; each may set ERR_WAIT (it
 * cannot answer now: the worker shall ask elsewhere or later) or ERR_VOLUME, and then nothing has
 * happened.
 */
struct registry_driver {
    const char *name;
    /* Takes what it has kept into the view. rest is what stood behind the colon. NULL on failure.
     */
    void *(*open)(struct arena *a, struct view *view, const char *rest,
                  const struct registry_options *options, struct err *err);
    /* Keeps what the worker would be: durable against a kill of this process once it returns. */
    int (*put)(void *driver, const struct worker *w, struct err *err);
    /* A beat of a worker of the view has come; NULL: it keeps no beats. */
    int (*beat)(void *driver, const struct worker *w, struct err *err);
    int (*remove)(void *driver, const struct worker *w, struct err *err);
    /* Whether it could take a change now; err says why not. */
    int (*ready)(void *driver, struct err *err);
    void (*close)(void *driver);
};

extern const struct registry_driver registry_sqlite;

enum registry_answer {
    REGISTRY_OK,
    REGISTRY_UNKNOWN,    /* no worker of that id is registered */
    REGISTRY_SUPERSEDED, /* a newer instance has that id */
    REGISTRY_FULL,       /* no more workers fit */
    REGISTRY_FAILED,     /* err is set */
};

struct registry;

/* ERR_USAGE for an unknown driver. NULL on failure. */
struct registry *registry_open(struct arena *a, const struct registry_options *options,
                               struct err *err) MUST_CHECK;
void registry_close(struct registry **registry);

struct view *registry_view(const struct registry *r);
uint64_t registry_ttl_ms(const struct registry *r);

/* record has passed fleet_record_check(). */
enum registry_answer registry_register(struct registry *r, const struct fleet_record *record,
                                       struct err *err);

/*
 * A message of a registered worker: said is its record with what the message named written over it.
 * A beat changes progress alone; a report all but id and instance; whoever leaves is in a final
 * state from then on.
 */
enum registry_answer registry_beat(struct registry *r, struct worker *w,
                                   const struct fleet_record *said, struct err *err);
enum registry_answer registry_report(struct registry *r, struct worker *w,
                                     const struct fleet_record *said, struct err *err);

/* REGISTRY_OK if this instance has the id. */
enum registry_answer registry_find(struct worker **out, const struct registry *r, struct str id,
                                   const char *instance);

/* What has become due: to be called four times a second or so. */
void registry_tick(struct registry *r);

int registry_ready(struct registry *r, struct err *err) MUST_CHECK;

/* A worker as drivers write it: FORMAT 1, JSON; and back into the view. */
void registry_put_worker(struct buf *out, const struct worker *w);
int registry_take_worker(struct view *view, struct str text, struct err *err) MUST_CHECK;

#endif
