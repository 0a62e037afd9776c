#include "pull/item.h"

#include "pull/claim.h"
#include "sys/fd.h"

static const char *shown_name(struct job *job, const struct survey_item *item)
{
    return str_format(&job->arena, "%s: %s", job_name(job), item->file->path);
}

/* An existing blob without a record: the engine hashes it where it is. */
static int begin_hash(struct job *job, struct survey_item *item, struct err *err)
{
    if (job->place.layout->find(&item->found, &job->place, item->file, err) < 0)
        return -1;
    if (item->found.state != BLOB_UNVERIFIED) {
        fd_close(&item->found.fd);
        item->found.fd = -1;
        item->state = item->found.state == BLOB_VERIFIED ? SURVEY_OVER : SURVEY_ABSENT;
        return 0;
    }
    item->hashing = true;
    item->target = (struct transfer_target){
        .name = shown_name(job, item),
        .size = item->file->size,
        .want = item->file->digest,
        .fd = item->found.fd,
        .verify_only = true,
        .user = item,
    };
    return 0;
}

/*
 * Takes what is needed to fetch it. Where the blob has a lease of its own, who had it before may
 * have completed it.
 */
static int claim(struct job *job, struct survey_item *item, struct err *err)
{
    struct blob_found found = {.fd = -1};
    bool ours;

    if (!job->place_writable)
        return err_set(err, ERR_VOLUME, "%s: %s was there and has gone while we looked at it",
                       job_name(job), item->file->path);
    if (claim_try(&ours, job, item, err) < 0)
        return -1;
    if (!ours) {
        item->state = SURVEY_WAITING;
        return 0;
    }
    if (item->claim.lease == NULL || item->distrusted)
        return 0;
    if (job->place.layout->find(&found, &job->place, item->file, err) < 0)
        return -1;
    fd_close(&found.fd);
    if (found.state == BLOB_ABSENT)
        return 0;
    item->state = found.state == BLOB_VERIFIED ? SURVEY_OVER : SURVEY_HASH;
    claim_leave(job, item, item->state == SURVEY_OVER);
    return 0;
}

static int begin_fetch(struct job *job, struct survey_item *item, struct err *err)
{
    const struct transfer_origin *origin;
    const struct journal_file file = {item->file->digest, item->file->size};

    if (job_open_session(job, err) < 0 ||
        job->session.source->origin(&origin, &job->session, &job->manifest, item->file, err) < 0 ||
        staging_open(&item->staging, &job->arena, item->claim.staging_fd, item->claim.token, &file,
                     err) < 0)
        return -1;
    item->hashing = false;
    item->target = (struct transfer_target){
        .name = shown_name(job, item),
        .size = item->file->size,
        .want = item->file->digest,
        .fd = item->staging.fd,
        .journal = item->staging.journal,
        .claims = item->staging.claims,
        .claims_all = item->staging.claims_all,
        .origin = origin,
        .user = item,
    };
    return 0;
}

/* One step towards the engine: *ret_ready when item->target is set. Each may change the state. */
static int step(bool *ret_ready, struct job *job, struct survey_item *item, struct err *err)
{
    if (item->state == SURVEY_ABSENT && item->claim.token == NULL)
        return claim(job, item, err);
    if (item->state == SURVEY_ABSENT) {
        *ret_ready = true;
        return begin_fetch(job, item, err);
    }
    if (begin_hash(job, item, err) < 0)
        return -1;
    *ret_ready = item->hashing;
    return 0;
}

int item_prepare(bool *ret_ready, struct job *job, struct survey_item *item, struct err *err)
{
    *ret_ready = false;
    while (!*ret_ready && (item->state == SURVEY_HASH || item->state == SURVEY_ABSENT)) {
        if (step(ret_ready, job, item, err) < 0)
            return -1;
    }
    return 0;
}
