/* A job whose lease is ours: what is missing is fetched and published. */
#include <string.h>

#include "pull/claim.h"
#include "pull/fetch.h"
#include "pull/job.h"
#include "pull/listing.h"
#include "pull/tell.h"

static int refuse_missing(const struct job *job, const struct survey *survey, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct buf list = buf_new(&scratch, 300);

    for (size_t i = 0; i < survey->count; i++) {
        if (survey->items[i].state == SURVEY_ABSENT)
            buf_addf(&list, "%s%s", list.len == 0 ? "" : ", ", survey->items[i].file->path);
    }
    (void)err_set(err, ERR_NOT_FOUND, "%s: offline, and %zu of its files are not on %s: %s%s",
                  job_name(job), survey->absent_count, job->pull->volume.path, list.ptr,
                  list.cut ? " ..." : "");
    return err_hint(err, "pull it once with a network (without --offline, HF_HUB_OFFLINE)");
}

/* Names who we are, whose the volume is, and what mends it. */
/* Somebody has taken over, thinking us dead: they go on, and we wait for them. */
static int wait_for_successor(struct job *job)
{
    report_note(job->pull->report, REPORT_WARN, "lease_lost", job_name(job),
                "the lease was lost, somebody else took over; waiting for them");
    job_move(job, JOB_WAITING);
    return 0;
}

static bool is_published(const struct digest *digest, void *ctx)
{
    const struct manifest *m = ctx;

    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].wanted && digest_eq(&m->files[i].digest, digest))
            return true;
    }
    return false;
}

/* One under the name that was asked for, one under the commit: who asks for that asks the same. */
static int write_receipts(const struct job *job, struct err *err)
{
    const struct manifest *m = &job->manifest;
    const struct volume *volume = &job->pull->volume;
    const char *folder = job->place.folder;

    if (strcmp(job->want->ref.revision, m->commit) != 0 &&
        receipt_write(m, volume, folder, m->commit, err) < 0)
        return -1;
    return receipt_write(m, volume, folder, job->want->ref.revision, err);
}

/* All blobs are there: the model appears, its receipt is written, what the dead left goes. */
static int publish(struct job *job, struct err *err)
{
    job_move(job, JOB_PUBLISHING);
    if (job->place.layout->publish_model(&job->place, &job->manifest, job->whole, err) < 0 ||
        write_receipts(job, err) < 0) {
        if (!lease_lost_by_a_look(job->lease))
            return err_wrap(err, "%s", job_name(job));
        return wait_for_successor(job);
    }
    staging_sweep(job->place.staging_fd, lease_token(job->lease), is_published, &job->manifest);
    claim_sweep(job);
    receipt_sweep(&job->pull->volume, job->place.folder);
    tell_published(job);
    job->published = true;
    job_move(job, JOB_DONE);
    return 0;
}

int job_fill(struct job *job, struct err *err)
{
    struct survey survey = {0};
    bool lost = false;
    int r;

    if (listing_make(job, err) < 0 || survey_make(&survey, job, err) < 0)
        return -1;
    if (job_is_offline(job) && survey.absent_count > 0)
        r = refuse_missing(job, &survey, err);
    else
        r = survey_check_space(job, &survey, err);
    if (r == 0) {
        job_move(job, JOB_DOWNLOADING);
        tell_start(job, &survey);
        r = fetch_run(job, &survey, &lost, err);
    }
    survey_close(&survey, job);
    if (r < 0)
        return -1;
    if (lost)
        return wait_for_successor(job);
    return publish(job, err);
}
