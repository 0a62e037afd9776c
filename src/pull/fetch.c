#include "pull/fetch.h"

#include <sys/stat.h>

#include "pull/claim.h"
#include "pull/item.h"
#include "pull/tell.h"
#include "sys/fd.h"
#include "sys/stop.h"

/* How many files are open at once: enough to keep many small requests in flight, far below the
 * usual limit of 1,024 descriptors. */
#define OPEN_MAX ((size_t)192)

/* Verified files are published in groups: at the latest after this time, or when so many wait. */
#define GROUP_MS  400
#define GROUP_MAX ((size_t)128)

#define TICK_MS 200

struct run {
    struct job *job;
    struct survey *survey;
    struct transfer *transfer;
    size_t next;    /* the first item not yet looked at */
    size_t open;    /* running */
    size_t ready;   /* verified, waiting for their group */
    size_t waiting; /* another is downloading them */
    uint64_t group_since_ms;
    uint64_t shown_ms;
    bool ending; /* cancelled: nothing new is begun */
    struct err err;
};

static bool belongs_to(const void *user, void *ctx)
{
    const struct survey *s = ctx;
    const struct survey_item *item = user;

    return item >= s->items && item < s->items + s->count;
}

static bool lost_lease(const struct run *run)
{
    if (run->job->lease != NULL && lease_lost(run->job->lease))
        return true;
    for (size_t i = 0; i < run->next; i++) {
        if (claim_lost(&run->survey->items[i]))
            return true;
    }
    return false;
}

/* For an error that a successor may have caused: he takes over what we staged. */
static bool lost_by_a_look(const struct run *run)
{
    if (run->job->lease != NULL && lease_lost_by_a_look(run->job->lease))
        return true;
    for (size_t i = 0; i < run->next; i++) {
        struct lease *lease = run->survey->items[i].claim.lease;

        if (lease != NULL && lease_lost_by_a_look(lease))
            return true;
    }
    return false;
}

static void end_run(struct run *run)
{
    if (!run->ending)
        transfer_cancel(run->transfer, belongs_to, run->survey);
    run->ending = true;
}

/* The first failure counts; the others follow from the end that it brings. */
static void fail_run(struct run *run, const struct err *err)
{
    if (run->err.code == ERR_NONE)
        run->err = *err;
    end_run(run);
}

static int begin(struct run *run, struct survey_item *item, struct err *err)
{
    bool ready;

    if (item_prepare(&ready, run->job, item, err) < 0)
        return -1;
    run->waiting += item->state == SURVEY_WAITING;
    if (!ready)
        return 0;
    if (transfer_add(run->transfer, &item->target, err) < 0) {
        if (!item->hashing)
            staging_close(&item->staging);
        return -1;
    }
    item->state = SURVEY_RUNNING;
    run->open++;
    return 0;
}

static void begin_more(struct run *run)
{
    struct err err = {0};

    while (!run->ending && run->next < run->survey->count && run->open + run->ready < OPEN_MAX) {
        struct survey_item *item = &run->survey->items[run->next++];

        if (item->state != SURVEY_HASH && item->state != SURVEY_ABSENT)
            continue;
        if (begin(run, item, &err) < 0)
            fail_run(run, &err);
    }
}

/* Those that others were downloading: they may be there now, or be ours to fetch. */
static void begin_waiting(struct run *run)
{
    uint64_t now_ms = clock_now_ms(run->job->pull->clock);
    struct err err = {0};

    for (size_t i = 0; i < run->next && run->waiting > 0 && !run->ending; i++) {
        struct survey_item *item = &run->survey->items[i];

        if (item->state != SURVEY_WAITING || now_ms < item->claim.again_at_ms)
            continue;
        item->state = SURVEY_ABSENT;
        run->waiting--;
        if (begin(run, item, &err) < 0)
            fail_run(run, &err);
    }
}

/* Publishes what is ready, together. */
static int publish_group(struct run *run, struct err *err)
{
    struct job *job = run->job;
    ARENA_SCOPED scratch = {0};
    const struct model_file **files = arena_array(&scratch, const struct model_file *, run->ready);
    struct staging **staged = arena_array(&scratch, struct staging *, run->ready);
    struct survey_item **items = arena_array(&scratch, struct survey_item *, run->ready);
    struct blob_batch batch;
    bool replace = false;
    size_t n = 0;

    for (size_t i = 0; i < run->survey->count && n < run->ready; i++) {
        struct survey_item *item = &run->survey->items[i];

        if (item->state != SURVEY_READY)
            continue;
        files[n] = item->file;
        staged[n] = &item->staging;
        items[n++] = item;
        replace |= item->replace;
    }
    batch = (struct blob_batch){files, staged, n, replace};
    if (job->place.layout->publish_blobs(&job->place, &batch, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        items[i]->state = SURVEY_OVER;
        claim_leave(job, items[i], true);
        tell_file(job, items[i]);
    }
    run->ready = 0;
    return 0;
}

static void publish_ready(struct run *run, bool now)
{
    uint64_t now_ms = clock_now_ms(run->job->pull->clock);
    struct err err = {0};

    if (run->ready == 0 || lost_lease(run))
        return;
    if (!now && run->open > 0 && run->ready < GROUP_MAX && now_ms - run->group_since_ms < GROUP_MS)
        return;
    if (publish_group(run, &err) < 0) {
        run->ready = 0;
        fail_run(run, &err);
    }
}

/* A file is whole and right. */
static void on_done(struct run *run, struct survey_item *item)
{
    struct job *job = run->job;
    struct err err = {0};

    run->open--;
    if (!item->hashing) {
        item->state = SURVEY_READY;
        if (run->ready++ == 0)
            run->group_since_ms = clock_now_ms(job->pull->clock);
        return;
    }
    if (job->place_writable &&
        job->place.layout->take(&job->place, item->file, &item->found, &err) < 0)
        fail_run(run, &err);
    fd_close(&item->found.fd);
    item->hashing = false;
    item->state = SURVEY_OVER;
}

/* A blob that was there is not what its name says: it is fetched anew and replaced. */
static bool mend(struct run *run, struct survey_item *item, const struct err *why)
{
    struct err err = {0};

    if (!item->hashing || why->code != ERR_DIGEST || run->ending || !run->job->place_writable ||
        job_is_offline(run->job))
        return false;
    report_note(run->job->pull->report, REPORT_WARN, "damaged", job_name(run->job),
                "%s on the volume is not what it should be (%s); fetching it again",
                item->file->path, why->msg);
    fd_close(&item->found.fd);
    item->hashing = false;
    item->replace = !item->found.elsewhere;
    item->distrusted = true;
    item->state = SURVEY_ABSENT;
    if (begin(run, item, &err) < 0)
        fail_run(run, &err);
    return true;
}

/* What is staged stays for the next run, but for bytes that proved wrong and what has none. */
static void put_away(struct staging *staged, const struct err *why)
{
    struct stat st;

    if (why->code == ERR_DIGEST || (fstat(staged->fd, &st) == 0 && st.st_size == 0))
        staging_discard(staged);
    else
        staging_close(staged);
}

static void on_failed(struct run *run, struct survey_item *item, const struct err *why)
{
    run->open--;
    if (mend(run, item, why))
        return;
    if (item->hashing)
        fd_close(&item->found.fd);
    else
        put_away(&item->staging, why);
    claim_leave(run->job, item, false);
    item->hashing = false;
    item->state = SURVEY_ABSENT;
    if (why->code != ERR_INTERRUPTED)
        fail_run(run, why);
}

static void on_event(struct run *run, const struct transfer_event *event)
{
    uint64_t now_ms = clock_now_ms(run->job->pull->clock);

    if (event->kind == TRANSFER_DONE)
        on_done(run, event->user);
    else if (event->kind == TRANSFER_FAILED)
        on_failed(run, event->user, &event->err);
    if (now_ms - run->shown_ms >= TICK_MS) {
        run->shown_ms = now_ms;
        tell_notices(run->job->pull);
        tell_progress(run->job, run->survey);
    }
}

static int ensure_transfer(struct pull *pull, struct err *err)
{
    if (pull->transfer == NULL)
        pull->transfer = transfer_new(&pull->net, err);
    return pull->transfer == NULL ? -1 : 0;
}

/* Nothing runs, and the rest is with others: waits as one waits for a model. */
static void wait_for_others(struct run *run)
{
    const struct survey_item *item = run->survey->items;
    struct err err = {0};

    while (item->state != SURVEY_WAITING)
        item++;
    tell_notices(run->job->pull);
    if (job_wait_on(run->job, &item->claim.watch.holder, &err) < 0)
        fail_run(run, &err);
    else
        (void)stop_wait_ms(TICK_MS);
}

static void run_all(struct run *run)
{
    for (;;) {
        struct transfer_event event;
        bool idle;

        begin_more(run);
        begin_waiting(run);
        publish_ready(run, false);
        idle = run->open == 0 && (run->ending || run->next == run->survey->count);
        if (idle && (run->ending || run->waiting == 0))
            break;
        if (idle) {
            wait_for_others(run);
        } else {
            event = transfer_next(run->transfer, TICK_MS);
            if (run->job->session_open)
                source_tend(&run->job->session);
            on_event(run, &event);
        }
        if (stop_wanted() || lost_lease(run))
            end_run(run);
    }
    if (!stop_wanted())
        publish_ready(run, true);
}

static bool nothing_to_do(const struct survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        if (survey->items[i].state != SURVEY_THERE)
            return false;
    }
    return true;
}

int fetch_run(struct job *job, struct survey *survey, bool *ret_lost, struct err *err)
{
    struct run run = {.job = job, .survey = survey};
    uint64_t before_bytes;

    *ret_lost = false;
    if (nothing_to_do(survey))
        return 0;
    if (ensure_transfer(job->pull, err) < 0)
        return -1;
    run.transfer = job->pull->transfer;
    before_bytes = transfer_progress(run.transfer, NULL).received_bytes;
    run_all(&run);
    job->pull->fetched_bytes += transfer_progress(run.transfer, NULL).received_bytes - before_bytes;
    tell_notices(job->pull);
    if (stop_wanted())
        return stop_err(err);
    *ret_lost = run.err.code == ERR_NONE ? lost_lease(&run) : lost_by_a_look(&run);
    if (run.err.code == ERR_NONE || *ret_lost)
        return 0;
    *err = run.err;
    return -1;
}
