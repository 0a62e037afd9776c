#include "pull/claim.h"

/* Opens the directory of the blob, if it has one of its own. */
static int open_staging(struct job *job, struct survey_item *item, struct err *err)
{
    const struct layout *layout = job->place.layout;

    if (item->claim.dirfd >= 0 || layout->open_staging == NULL)
        return 0;
    return layout->open_staging(&item->claim.dirfd, &job->place, item->file, true, err);
}

static void leave_staging(struct job *job, struct survey_item *item)
{
    if (item->claim.dirfd >= 0)
        job->place.layout->leave_staging(&job->place, item->file, &item->claim.dirfd);
    item->claim.dirfd = -1;
}

static int try_lease(struct job *job, struct survey_item *item, struct err *err)
{
    struct claim *claim = &item->claim;
    struct lease_name name = {.file = LAYOUT_LEASE, .what = job_name(job)};

    for (int tries = 1;; tries++) {
        if (open_staging(job, item, err) < 0)
            return -1;
        if (claim->dirfd < 0)
            return 0;
        name.dirfd = claim->dirfd;
        if (lease_try(&claim->lease, &claim->watch, job->pull->keeper, &name, err) == 0)
            return 0;
        if (!lease_place_gone(err) || tries == LEASE_TRIES)
            return err_wrap(err, "%s: %s", job_name(job), item->file->path);
        leave_staging(job, item);
    }
}

int claim_try(bool *ret_ours, struct job *job, struct survey_item *item, struct err *err)
{
    struct claim *claim = &item->claim;

    if (try_lease(job, item, err) < 0)
        return -1;
    *ret_ours = claim->dirfd < 0 || claim->lease != NULL;
    if (!*ret_ours) {
        claim->again_at_ms = clock_now_ms(job->pull->clock) + claim->watch.again_ms;
        return 0;
    }
    claim->staging_fd = claim->dirfd < 0 ? job->place.staging_fd : claim->dirfd;
    claim->token = lease_token(claim->dirfd < 0 ? job->lease : claim->lease);
    return 0;
}

bool claim_lost(const struct survey_item *item)
{
    return item->claim.lease != NULL && lease_lost(item->claim.lease);
}

void claim_tell(const struct survey_item *item, uint64_t done_bytes, uint64_t bps)
{
    if (item->claim.lease != NULL)
        lease_tell(item->claim.lease, done_bytes, item->file->size, bps);
}

static bool is_its_own(const struct digest *digest, void *ctx)
{
    const struct survey_item *item = ctx;

    return digest_eq(digest, &item->file->digest);
}

void claim_leave(struct job *job, struct survey_item *item, bool published)
{
    struct claim *claim = &item->claim;

    if (claim->lease != NULL && published && !lease_lost(claim->lease))
        staging_sweep(claim->dirfd, lease_token(claim->lease), is_its_own, item);
    lease_release(&claim->lease);
    leave_staging(job, item);
    *claim = (struct claim){.dirfd = -1};
}

/* A folder that is there now had a holder who died, or has one: only the dead one's is swept. */
static void sweep_one(struct job *job, const struct model_file *file)
{
    struct survey_item item = {.file = file, .found = {.fd = -1}, .claim = {.dirfd = -1}};
    struct err ignored = {0};
    bool ours = false;

    if (job->place.layout->open_staging(&item.claim.dirfd, &job->place, file, false, &ignored) <
            0 ||
        item.claim.dirfd < 0)
        return;
    claim_leave(job, &item, claim_try(&ours, job, &item, &ignored) == 0 && ours);
}

void claim_sweep(struct job *job)
{
    const struct manifest *m = &job->manifest;

    for (size_t i = 0; job->place.layout->open_staging != NULL && i < m->file_count; i++) {
        if (m->files[i].wanted)
            sweep_one(job, &m->files[i]);
    }
}
