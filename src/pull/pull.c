#include "pull/pull.h"

#include <errno.h>
#include <string.h>

#include "pull/job.h"
#include "pull/ollama_sees.h"
#include "pull/setup.h"
#include "pull/tell.h"
#include "sys/stop.h"

/* Between two looks at leases that others hold, if nothing names another time. */
#define AGAIN_MS 500

/* Takes "name: " from the front of the message, where somebody has put it already. */
static void drop_name(struct err *err, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(err->msg, name, len) == 0 && strncmp(err->msg + len, ": ", 2) == 0)
        memmove(err->msg, err->msg + len + 2, strlen(err->msg + len + 2) + 1);
}

/*
 * What was moved or unmounted while we filled it is filled all the same, but who starts now and
 * looks for it by its name finds something else.
 */
static int check_volume_is_there(const struct volume *v, struct err *err)
{
    if (volume_is_there(v))
        return 0;
    (void)err_set(err, ERR_VOLUME,
                  "%s is not the directory any more that was filled: it was moved, removed or "
                  "unmounted meanwhile",
                  v->path);
    return err_hint(err, "mount the volume there again, and pull again");
}

/* A name that is missing on the volume was there a moment ago, for we made it. */
static void name_the_way_out(struct job *job)
{
    struct err *err = &job->err;
    struct err gone;

    if (err_hint_of(err) != NULL || (err->code != ERR_VOLUME && err->code != ERR_NOT_FOUND))
        return;
    if ((err->code == ERR_VOLUME && err->sys == ENOENT) ||
        check_volume_is_there(&job->pull->volume, &gone) < 0)
        (void)err_hint(err, "it was moved, removed or unmounted meanwhile: mount the volume there "
                            "again, and pull again");
}

/* What the disk refused is told deep below by the name of a file: the place and the model go first.
 */
static void name_place(struct job *job)
{
    const char *volume = job->pull->volume.path;
    const char *shown = job->place_open ? job->place.shown : volume;

    if (job->elsewhere)
        return;
    if ((job->err.code == ERR_VOLUME || job->err.code == ERR_NO_SPACE) &&
        strstr(job->err.msg, volume) == NULL && strstr(job->err.msg, shown) == NULL) {
        drop_name(&job->err, job_name(job));
        (void)err_wrap(&job->err, "%s: %s", job_name(job), shown);
    }
    if (job->err.code == ERR_VOLUME && strstr(job->err.msg, "owned by") == NULL)
        (void)volume_explain(&job->err, shown, volume);
    name_the_way_out(job);
}

static void fail_job(struct job *job, const struct err *err)
{
    job->err = *err;
    name_place(job);
    job_move(job, JOB_FAILED);
    if (err->code != ERR_INTERRUPTED)
        tell_failed(job, &job->err);
}

static bool is_pending(const struct job *job)
{
    return job->state != JOB_DONE && job->state != JOB_FAILED;
}

/* One round over all that is not done. Returns how many still wait for others. */
static size_t try_round(struct job *jobs, size_t count, uint64_t *ret_again_ms)
{
    size_t waiting = 0;

    *ret_again_ms = AGAIN_MS;
    for (size_t i = 0; i < count && !stop_wanted(); i++) {
        struct err err = {0};
        uint64_t again_ms = AGAIN_MS;

        if (!is_pending(&jobs[i]))
            continue;
        if (job_try(&jobs[i], &again_ms, &err) < 0)
            fail_job(&jobs[i], &err);
        if (err.code == ERR_GPU)
            return 0;
        if (is_pending(&jobs[i]))
            waiting++;
        if (again_ms < *ret_again_ms)
            *ret_again_ms = again_ms;
    }
    return waiting;
}

static void check_all(struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count && !stop_wanted(); i++) {
        struct err err = {0};

        if (job_check(&jobs[i], &err) < 0)
            fail_job(&jobs[i], &err);
    }
}

/* A host that cannot hold one of a worker's models needs none of them. */
static bool is_refused(const struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].state == JOB_FAILED && jobs[i].err.code == ERR_GPU)
            return true;
    }
    return false;
}

static void work_all(struct pull *pull, struct job *jobs, size_t count)
{
    uint64_t again_ms;

    check_all(jobs, count);
    while (!stop_wanted() && !is_refused(jobs, count) && try_round(jobs, count, &again_ms) > 0) {
        tell_notices(pull);
        (void)stop_wait_ms(again_ms);
    }
    tell_notices(pull);
}

/* The last line, and the status: that of the first named that failed. */
static int sum_up(struct pull *pull, const struct job *jobs, size_t count, uint64_t began_ms,
                  struct err *err)
{
    struct report_event event = {
        .kind = REPORT_DONE,
        .bytes = pull->fetched_bytes,
        .duration_ms = clock_now_ms(pull->clock) - began_ms,
    };

    if (stop_wanted())
        return stop_err(err);
    for (size_t i = count; i-- > 0;) {
        if (jobs[i].state == JOB_DONE)
            event.models++;
        else if (jobs[i].state == JOB_FAILED)
            *err = jobs[i].err;
    }
    event.total = count;
    report_emit(pull->report, &event);
    if (check_volume_is_there(&pull->volume, err) < 0)
        return -1;
    return event.models == count ? 0 : -1;
}

int pull_run(struct arena *a, const struct config *config, struct report *report,
             const struct catalog_choice *choice, struct err *err)
{
    size_t count = choice->count;
    struct pull pull;
    struct job *jobs = arena_array(a, struct job, count);
    uint64_t began_ms = clock_now_ms(clock_real());
    int r;

    if (pull_setup(&pull, a, config, report, err) < 0)
        return -1;
    pull.choice = choice;
    for (size_t i = 0; i < count; i++)
        job_init(&jobs[i], &pull, &choice->wants[i]);
    work_all(&pull, jobs, count);
    ollama_sees(&pull, jobs, count);
    r = sum_up(&pull, jobs, count, began_ms, err);
    for (size_t i = 0; i < count; i++)
        job_done(&jobs[i]);
    pull_teardown(&pull);
    return r;
}
