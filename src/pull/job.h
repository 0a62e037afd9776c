/*
 * One model of a pull, on its way through the states of a spin-up that concern the volume:
 *
 *     checking -> done                   receipts and stat() say it is complete
 *     checking -> waiting                it is not; somebody else has the lease, or nobody yet
 *     waiting -> checking                the lease is ours: did the last holder complete it?
 *     checking -> downloading -> publishing -> done
 *     downloading, publishing -> waiting the lease was lost: somebody took over
 *     any -> failed
 *
 * Invariant: the lease is held in downloading and publishing, never in waiting, done or failed. A
 * model that a running Ollama pulls has none (pull/through_ollama.h).
 */
#ifndef PULL_JOB_H
#define PULL_JOB_H

#include "config/config.h"
#include "layout/layout.h"
#include "pull/notices.h"
#include "report/report.h"
#include "source/source.h"
#include "store/lease.h"
#include "transfer/transfer.h"

enum job_state {
    JOB_CHECKING,
    JOB_WAITING,
    JOB_DOWNLOADING,
    JOB_PUBLISHING,
    JOB_DONE,
    JOB_FAILED,
    JOB_STATES,
};

/* What all models of one pull share. */
struct pull {
    struct arena *arena;
    const struct config *config;
    const struct catalog_choice *choice;
    struct report *report;
    const struct clock *clock;
    struct volume volume;
    struct net_config net;
    struct source_config source;
    struct layout_config look;    /* reads, makes nothing */
    struct layout_config change;  /* the same, may write */
    struct transfer *transfer;    /* made when the first byte is needed */
    struct lease_keeper *keeper;  /* made when the first lease is needed */
    struct ollama_server *ollama; /* made when a running Ollama is first asked */
    struct notices notices;
    uint64_t fetched_bytes;
};

struct job {
    struct pull *pull;
    const struct catalog_want *want;
    enum job_state state;
    struct arena arena; /* all that belongs to this model */
    struct err err;
    struct layout_place place;
    bool place_open;
    bool place_writable;
    struct source_session session;
    bool session_open;
    struct manifest manifest;
    bool listed; /* manifest is set */
    bool asked;  /* by its origin, in this run */
    bool whole;  /* every file of the listing is wanted */
    struct lease *lease;
    struct lease_watch watch;
    uint64_t waiting_since_ms;
    uint64_t moved_ms; /* when the holder's bytes last moved */
    uint64_t holder_bytes;
    uint64_t told_ms;
    struct through *through; /* NULL: no running Ollama was asked */
    bool elsewhere;          /* what failed is a running Ollama, not the volume */
    bool published;          /* into a store of ours, in this run */
};

const char *job_state_name(enum job_state state);

/* True if the table of moves has it. */
bool job_may_move(enum job_state from, enum job_state to);

/* Moves, and asserts the table and the invariant. */
void job_move(struct job *job, enum job_state to);

void job_init(struct job *job, struct pull *pull, const struct catalog_want *want);
void job_done(struct job *job);

/*
 * By receipts and stat() alone (--update: and one request): moves to done or to waiting. An error
 * is final for this model.
 */
int job_check(struct job *job, struct err *err) MUST_CHECK;

/*
 * Tries to take the lease; when it is ours, does all the rest and moves to done. Moves nowhere when
 * it is held by another (*ret_again_ms: look again then), or back to waiting when it was lost.
 */
int job_try(struct job *job, uint64_t *ret_again_ms, struct err *err) MUST_CHECK;

/*
 * All that follows once the lease is ours: moves to done, or back to waiting when it was lost on
 * the way.
 */
int job_fill(struct job *job, struct err *err) MUST_CHECK;

/*
 * Another is at it, or must be (then by is all zero): tells of them now and then. ERR_WAIT when
 * that was too long (--wait), or they make no progress.
 */
int job_wait_on(struct job *job, const struct lease_state *by, struct err *err) MUST_CHECK;

int job_open_place(struct job *job, bool writable, struct err *err) MUST_CHECK;
int job_open_session(struct job *job, struct err *err) MUST_CHECK;

bool job_is_offline(const struct job *job);

/* "hf:org/name" for events and messages. */
static inline const char *job_name(const struct job *job)
{
    return job->want->ref.text;
}

#endif
