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
 * With a driver that several coordinators share, each hears some of the workers and sees all. Those
 * whose beats another one hears are elsewhere: that one says when they are lost, and a beat that
 * comes here makes them this one's.
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
    const struct etcd_options *etcd; /* for that driver alone */
    /* What is worth a line of the log; never NULL. */
    void (*note)(void *ctx, bool warning, const char *text);
    void *ctx;
};

/*
 * What a driver does. Its functions are called with what open() gave; each may set ERR_WAIT (it
 * cannot answer now: the worker shall ask elsewhere or later) or ERR_VOLUME, and then nothing has
 * happened. Where several coordinators share it, put(), beat() and remove() give 1 if another one
 * has changed the worker meanwhile: nothing was kept, and the view has that change now, so that the
 * worker may even be gone from it.
 */
struct registry_driver {
    const char *name;
    /* Takes what it has kept into the view. rest is what stood behind the colon. NULL on failure.
     */
    void *(*open)(struct arena *a, struct view *view, const char *rest,
                  const struct registry_options *options, struct err *err);
    /*
     * Keeps what the worker would be: durable against a kill of this process once it returns. What
     * the driver notes in the draft (elsewhere, revision, kept_ms) is the worker's afterwards.
     */
    int (*put)(void *driver, struct worker *draft, struct err *err);
    /* A beat has come, after which the worker would be so; NULL: it keeps no beats. */
    int (*beat)(void *driver, struct worker *draft, struct err *err);
    int (*remove)(void *driver, const struct worker *w, struct err *err);
    /*
     * Called some times a second; NULL: there is nothing to do. True: for a while it could not tell
     * who beats, so nobody is to be lost before a whole time to live has passed again.
     */
    bool (*tick)(void *driver);
    /* Whether it could take a change now; err says why not. */
    int (*ready)(void *driver, struct err *err);
    void (*close)(void *driver);
};

extern const struct registry_driver registry_sqlite;
extern const struct registry_driver registry_etcd;

enum registry_answer {
    REGISTRY_OK,
    REGISTRY_UNKNOWN,    /* no worker of that id is registered */
    REGISTRY_SUPERSEDED, /* a newer instance has that id */
    REGISTRY_FULL,       /* no more workers fit */
    REGISTRY_CHANGED,    /* by another coordinator, and the view has it now: begin anew */
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

/* For drivers, and for the registry itself: w is lost since then, and that is a change. */
void registry_lose(struct view *view, struct worker *w, uint64_t since_unix_ms);

#endif
