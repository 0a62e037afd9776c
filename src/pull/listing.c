#include "pull/listing.h"

#include "model/weights.h"
#include "text/num.h"

static struct selection selection_of(const struct job *job)
{
    const struct config_options *o = &job->pull->config->options;

    return (struct selection){
        .include = o->include.len > 0 ? o->include.at : NULL,
        .exclude = o->exclude.len > 0 ? o->exclude.at : NULL,
        .all_files = o->all_files,
    };
}

/* Applies the selection to what is listed. */
static int select_files(struct job *job, struct err *err)
{
    struct selection selection = selection_of(job);

    return selection_apply(&job->whole, &job->manifest, &selection, err);
}

/* The listing of the receipt; false if there is none that can be used. */
static bool list_from_receipt(struct job *job)
{
    struct manifest m = {.ref = job->want->ref};
    struct err ignored = {0};

    if (!job->place_open || receipt_read(&m, &job->arena, &job->pull->volume, job->place.folder,
                                         job->want->ref.revision, &ignored) < 0)
        return false;
    m.ref = job->want->ref;
    job->manifest = m;
    job->listed = true;
    return true;
}

/* --update: does the revision still mean the commit that the receipt names? */
static int has_moved(struct job *job, bool *ret_moved, struct err *err)
{
    const char *commit;

    if (!job->pull->config->options.update || job_is_offline(job) || job->asked ||
        ref_is_commit(job->want->ref.revision)) {
        *ret_moved = false;
        return 0;
    }
    if (job_open_session(job, err) < 0 ||
        job->session.source->commit(&commit, &job->session, &job->want->ref, err) < 0)
        return -1;
    *ret_moved = strcmp(commit, job->manifest.commit) != 0;
    job->asked = !*ret_moved;
    return 0;
}

/* The gate of a worker: what nothing here can hold is not fetched, and not started with. */
static int check_weights(const struct job *job, struct err *err)
{
    const struct catalog_choice *choice = job->pull->choice;
    uint64_t bytes = weights_bytes(&job->manifest);
    char have[NUM_TEXT];
    char need[NUM_TEXT];

    if (choice->most_bytes == 0 || bytes <= choice->most_bytes)
        return 0;
    (void)err_set(err, ERR_GPU, "%s: its weights are %s, and %s have %s", job_name(job),
                  num_format_size(need, bytes), choice->most_of,
                  num_format_size(have, choice->most_bytes));
    return err_hint(err, "take a smaller or quantised variant of it, or a host that has more");
}

int listing_is_complete(struct job *job, bool *ret_complete, struct err *err)
{
    struct err unfit = {0};
    bool moved;

    *ret_complete = false;
    job->listed = false;
    if (job->pull->config->options.force || !list_from_receipt(job))
        return 0;
    if (has_moved(job, &moved, err) < 0)
        return -1;
    if (moved) {
        job->listed = false;
        return 0;
    }
    if (select_files(job, &unfit) < 0) {
        job->listed = false;
        return 0;
    }
    *ret_complete = job->place.layout->complete(&job->place, &job->manifest, job->whole);
    return *ret_complete ? check_weights(job, err) : 0;
}

/* What the store itself knows of the revision: a cache that another program began. */
static int list_locally(struct job *job, struct err *err)
{
    const struct model_ref *ref = &job->want->ref;
    struct layout_place *place = &job->place;
    const char *commit;

    if (!job->place_open)
        goto unknown;
    commit = ref_is_commit(ref->revision) ? ref->revision
                                          : place->layout->local_commit(place, ref->revision);
    if (commit != NULL && place->layout->local_manifest != NULL &&
        place->layout->local_manifest(&job->manifest, place, ref, commit, err) == 0) {
        job->listed = true;
        return 0;
    }
unknown:
    (void)err_set(err, ERR_NOT_FOUND, "%s is not on the volume %s, and we are offline",
                  job_name(job), job->pull->volume.path);
    return err_hint(err, "pull it once with a network (without --offline, HF_HUB_OFFLINE)");
}

int listing_make(struct job *job, struct err *err)
{
    bool moved = false;

    if (!job->listed && !job->pull->config->options.force && list_from_receipt(job) &&
        has_moved(job, &moved, err) < 0)
        return -1;
    if (moved)
        job->listed = false;
    if (!job->listed && job_is_offline(job)) {
        if (list_locally(job, err) < 0)
            return -1;
    } else if (!job->listed) {
        if (job_open_session(job, err) < 0 ||
            job->session.source->manifest(&job->manifest, &job->session, &job->want->ref, err) < 0)
            return -1;
        job->listed = true;
        job->asked = true;
    }
    return select_files(job, err) < 0 ? -1 : check_weights(job, err);
}
