/*
 * Both sides of the status file: the observer that keeps it, and who reads and judges it.
 *
 * A reader in the same namespace of processes sees at once whether the writer lives: its process is
 * there and began when it says. Another one goes by the age: the file is written every two seconds,
 * and the monotonic clock is one for the whole kernel (the boot id says whether it is the same).
 */
#ifndef WORKER_STATUS_H
#define WORKER_STATUS_H

#include "worker/news.h"
#include "worker/runtime.h"
#include "worker/status_file.h"

#define STATUS_EVERY_MS UINT64_C(2000)
#define STATUS_STALE_MS UINT64_C(15000)

struct status_keeper {
    struct runtime runtime;
    const char *name;
    const struct clock *clock;
    struct status status; /* what does not change of it */
    uint64_t written_ms;
    bool broken; /* the last writing failed: told once */
    struct err why;
};

/*
 * Opens the runtime folder. A status that cannot be kept is no reason not to run: the caller warns
 * with err and goes on without.
 */
int status_keep(struct status_keeper *k, struct arena *a, const struct config *config,
                const struct clock *clock, struct err *err) MUST_CHECK;
void status_keep_done(struct status_keeper *k);

/* Fits news_add(); ctx is a struct status_keeper. */
void status_observe(void *ctx, enum news_kind kind, const struct worker_news *now);

enum status_life {
    STATUS_ALIVE,
    STATUS_GONE,  /* its process is not there any more, or the host was started anew */
    STATUS_STALE, /* nothing was heard of it for too long */
};

struct status_seen {
    struct status status;
    enum status_life life;
    uint64_t age_ms; /* since it was written; 0 where that cannot be told */
};

/* ERR_NOT_FOUND: no worker has run here. */
int status_read(struct status_seen *out, struct arena *a, const struct config *config,
                const struct clock *clock, struct err *err) MUST_CHECK;

bool status_is_live(const struct status_seen *seen);
bool status_is_ready(const struct status_seen *seen);

/* When a process began, in ticks since boot; 0: there is no such process. */
uint64_t status_start_of(uint64_t pid);

#endif
