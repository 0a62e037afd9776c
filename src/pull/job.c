#include "pull/job.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "pull/fetch.h"
#include "pull/listing.h"
#include "pull/tell.h"
#include "pull/through_ollama.h"
#include "sys/stop.h"

/* How often those who may not fetch look whether somebody else has. */
#define LOOK_AGAIN_MS 1000

static const char *const names[JOB_STATES] = {
    [JOB_CHECKING] = "checking",     [JOB_WAITING] = "waiting", [JOB_DOWNLOADING] = "downloading",
    [JOB_PUBLISHING] = "publishing", [JOB_DONE] = "done",       [JOB_FAILED] = "failed",
};

#define TO(state) (1U << (state))

static const unsigned moves[JOB_STATES] = {
    [JOB_CHECKING] = TO(JOB_DONE) | TO(JOB_WAITING) | TO(JOB_DOWNLOADING) | TO(JOB_FAILED),
    [JOB_WAITING] = TO(JOB_CHECKING) | TO(JOB_FAILED),
    [JOB_DOWNLOADING] = TO(JOB_PUBLISHING) | TO(JOB_WAITING) | TO(JOB_FAILED),
    [JOB_PUBLISHING] = TO(JOB_DONE) | TO(JOB_WAITING) | TO(JOB_FAILED),
    [JOB_DONE] = 0,
    [JOB_FAILED] = 0,
};

const char *job_state_name(enum job_state state)
{
    assert(state < JOB_STATES);
    return names[state];
}

bool job_may_move(enum job_state from, enum job_state to)
{
    return from < JOB_STATES && to < JOB_STATES && (moves[from] & TO(to)) != 0;
}

void job_move(struct job *job, enum job_state to)
{
    assert(job_may_move(job->state, to));
    if (to == JOB_WAITING || to == JOB_DONE || to == JOB_FAILED)
        lease_release(&job->lease);
    assert(job->lease == NULL || to == JOB_CHECKING || to == JOB_DOWNLOADING ||
           to == JOB_PUBLISHING);
    tell_move(job, to);
    job->state = to;
}

void job_init(struct job *job, struct pull *pull, const struct catalog_want *want)
{
    *job = (struct job){.pull = pull, .want = want, .state = JOB_CHECKING};
}

static void close_place(struct job *job)
{
    if (job->place_open)
        layout_close(&job->place);
    job->place_open = false;
}

void job_done(struct job *job)
{
    lease_release(&job->lease);
    if (job->session_open)
        source_close(&job->session);
    job->session_open = false;
    close_place(job);
    arena_free(&job->arena);
}

bool job_is_offline(const struct job *job)
{
    const struct config *c = job->pull->config;

    return c->offline_all || (c->offline_hf && strcmp(job->want->ref.source, "hf") == 0);
}

int job_open_place(struct job *job, bool writable, struct err *err)
{
    const struct layout_config *config = writable ? &job->pull->change : &job->pull->look;

    if (job->place_open && job->place_writable == writable)
        return 0;
    close_place(job);
    if (layout_open(&job->place, &job->arena, config, &job->want->ref, err) < 0)
        return -1;
    job->place_open = true;
    job->place_writable = writable;
    return 0;
}

int job_open_session(struct job *job, struct err *err)
{
    if (job->session_open)
        return 0;
    if (source_open(&job->session, &job->arena, job->want->ref.source, &job->pull->source, err) < 0)
        return -1;
    job->session_open = true;
    return 0;
}

int job_check(struct job *job, struct err *err)
{
    struct err absent = {0};
    bool complete;

    if (through_ollama_always(job)) {
        job_move(job, JOB_WAITING);
        return 0;
    }
    if (job_open_place(job, false, &absent) < 0) {
        if (absent.code != ERR_NOT_FOUND) {
            *err = absent;
            return -1;
        }
        job_move(job, JOB_WAITING);
        return 0;
    }
    if (listing_is_complete(job, &complete, err) < 0)
        return -1;
    if (complete) {
        tell_present(job);
        job_move(job, JOB_DONE);
    } else {
        job_move(job, JOB_WAITING);
    }
    return 0;
}

/* Offline and not whole: says exactly what is missing. */
static int refuse_read_only(const struct job *job, const char *why, struct err *err)
{
    const struct volume *v = &job->pull->volume;

    errno = v->refusal;
    (void)err_sys(err, ERR_VOLUME, "%s: %s: cannot be written, and %s", job_name(job), v->path,
                  why);
    if (v->refusal == EROFS)
        return err_hint(err, "mount the volume writable for one pull");
    return volume_explain(err, v->path, v->path);
}

/* What is there of it is hashed; something missing is an error. */
static int look_read_only(struct job *job, struct err *err)
{
    struct survey survey = {0};
    char why[64];
    bool lost;
    int r;

    if (survey_make(&survey, job, err) < 0)
        return -1;
    if (survey.absent_count > 0) {
        (void)snprintf(why, sizeof(why), "%zu of its files are missing there", survey.absent_count);
        r = refuse_read_only(job, why, err);
    } else {
        r = fetch_run(job, &survey, &lost, err);
    }
    survey_close(&survey, job);
    return r;
}

/* A volume that cannot be written serves what is complete on it. */
static int try_read_only(struct job *job, struct err *err)
{
    job_move(job, JOB_CHECKING);
    if (job->pull->config->options.force)
        return refuse_read_only(job, "--force replaces what is there", err);
    if (!job->place_open && job_is_offline(job))
        return listing_make(job, err);
    if (!job->place_open)
        return refuse_read_only(job, "nothing of it is there", err);
    if (listing_make(job, err) < 0 || look_read_only(job, err) < 0)
        return -1;
    tell_present(job);
    job_move(job, JOB_DONE);
    return 0;
}

/* How long the default waits for a holder whose bytes do not move: its own patience and a little.
 */
static uint64_t patience_ms(const struct job *job)
{
    const struct net_config *net = &job->pull->net;

    return net->give_up_ms + net->longest_wait_ms;
}

int job_wait_on(struct job *job, const struct lease_state *by, struct err *err)
{
    uint64_t now_ms = clock_now_ms(job->pull->clock);
    uint64_t limit_ms = job->pull->config->options.wait_ms;
    const char *holder = by->host[0] != '\0' ? by->host : "another";

    if (job->waiting_since_ms == 0) {
        job->waiting_since_ms = now_ms;
        job->moved_ms = now_ms;
    }
    if (job->holder_bytes != by->done_bytes)
        job->moved_ms = now_ms;
    job->holder_bytes = by->done_bytes;
    tell_waiting(job, by, now_ms);
    if (limit_ms != UINT64_MAX && now_ms - job->waiting_since_ms > limit_ms)
        return err_set(err, ERR_WAIT, "%s: waited %llu s for %s, which is not done yet",
                       job_name(job), (unsigned long long)(limit_ms / 1000), holder);
    if (limit_ms == UINT64_MAX && !job->pull->config->options.wait_for_others &&
        now_ms - job->moved_ms > patience_ms(job))
        return err_set(err, ERR_WAIT, "%s: %s holds the lease and has made no progress for %llu s",
                       job_name(job), holder,
                       (unsigned long long)((now_ms - job->moved_ms) / 1000));
    return 0;
}

static int ensure_keeper(struct pull *pull, struct err *err)
{
    const struct lease_keeper_options options = {.clock = pull->clock,
                                                 .host = pull->config->host,
                                                 .takeover_ms = pull->config->options.takeover_ms};

    if (pull->keeper == NULL)
        pull->keeper = lease_keeper_new(&options, err);
    return pull->keeper == NULL ? -1 : 0;
}

static int try_lease(struct job *job, struct err *err)
{
    struct lease_name name = {.file = LAYOUT_LEASE, .what = job_name(job)};

    if (ensure_keeper(job->pull, err) < 0)
        return -1;
    for (int tries = 1;; tries++) {
        if (job_open_place(job, true, err) < 0)
            return -1;
        name.dirfd = job->place.staging_fd;
        if (lease_try(&job->lease, &job->watch, job->pull->keeper, &name, err) == 0)
            return 0;
        if (!lease_place_gone(err) || tries == LEASE_TRIES)
            return -1;
        close_place(job);
    }
}

/* --wait-for-others: looks again whether somebody has made it complete. */
static int try_looking(struct job *job, uint64_t *ret_again_ms, struct err *err)
{
    const struct lease_state nobody = {0};

    job_move(job, JOB_CHECKING);
    close_place(job);
    if (job_check(job, err) < 0)
        return -1;
    *ret_again_ms = LOOK_AGAIN_MS;
    return job->state == JOB_DONE ? 0 : job_wait_on(job, &nobody, err);
}

/*
 * The store cannot be written here, for the reason in err, which stays there if a running Ollama is
 * no way either.
 */
static int try_other_way(struct job *job, uint64_t *ret_again_ms, struct err *err)
{
    bool unasked = err->code == ERR_NET && !job->pull->volume.writable;
    struct err failed = {0};
    bool taken = false;

    if (!through_ollama_may(job) || (err->code != ERR_VOLUME && !unasked))
        return -1;
    if (through_ollama_try(job, true, &taken, ret_again_ms, &failed) < 0) {
        *err = failed;
        return -1;
    }
    return taken ? 0 : -1;
}

/* What is whole on the volume is used; only what is not waits for a running Ollama to be ready. */
static int try_unwritable(struct job *job, uint64_t *ret_again_ms, struct err *err)
{
    bool patient = job->through != NULL;
    bool taken = false;

    if (through_ollama_may(job) && through_ollama_try(job, patient, &taken, ret_again_ms, err) < 0)
        return -1;
    if (taken || try_read_only(job, err) == 0)
        return 0;
    return try_other_way(job, ret_again_ms, err);
}

int job_try(struct job *job, uint64_t *ret_again_ms, struct err *err)
{
    bool complete;
    bool taken;

    if (through_ollama_always(job))
        return through_ollama_try(job, true, &taken, ret_again_ms, err);
    if (job->pull->config->options.wait_for_others)
        return try_looking(job, ret_again_ms, err);
    if (!job->pull->volume.writable)
        return try_unwritable(job, ret_again_ms, err);
    if (try_lease(job, err) < 0)
        return try_other_way(job, ret_again_ms, err);
    if (job->lease == NULL) {
        *ret_again_ms = job->watch.again_ms;
        return job_wait_on(job, &job->watch.holder, err);
    }
    job_move(job, JOB_CHECKING);
    /* The last holder may have completed it: its records are newer than those we have read. */
    close_place(job);
    if (job_open_place(job, true, err) < 0 || listing_is_complete(job, &complete, err) < 0)
        return -1;
    if (complete) {
        tell_present(job);
        job_move(job, JOB_DONE);
        return 0;
    }
    return job_fill(job, err);
}
