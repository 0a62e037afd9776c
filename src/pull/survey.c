#include "pull/survey.h"

#include <stdlib.h>
#include <string.h>

#include "pull/claim.h"
#include "sys/fd.h"
#include "text/num.h"

/* The least that stays free on the volume: receipts, directories and links need room too. */
#define SPARE_BYTES ((uint64_t)1 << 20)

static int larger_first(const void *a, const void *b)
{
    const struct survey_item *x = a;
    const struct survey_item *y = b;

    if (x->file->size != y->file->size)
        return x->file->size < y->file->size ? 1 : -1;
    return strcmp(x->file->path, y->file->path);
}

static int by_digest(const void *a, const void *b)
{
    const struct model_file *x = *(const struct model_file *const *)a;
    const struct model_file *y = *(const struct model_file *const *)b;
    int r = memcmp(x->digest.bytes, y->digest.bytes, DIGEST_BYTES);

    return r != 0 ? r : strcmp(x->path, y->path);
}

/* The wanted files, each digest once. */
static struct survey_item *distinct(struct job *job, size_t *ret_count)
{
    const struct manifest *m = &job->manifest;
    size_t wanted = manifest_wanted_count(m);
    const struct model_file **files = arena_array(&job->arena, const struct model_file *, wanted);
    struct survey_item *items = arena_array(&job->arena, struct survey_item, wanted);
    size_t n = 0;
    size_t count = 0;

    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].wanted)
            files[n++] = &m->files[i];
    }
    qsort(files, n, sizeof(*files), by_digest);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && digest_eq(&files[i]->digest, &files[i - 1]->digest))
            continue;
        items[count++] =
            (struct survey_item){.file = files[i], .found = {.fd = -1}, .claim = {.dirfd = -1}};
    }
    qsort(items, count, sizeof(*items), larger_first);
    *ret_count = count;
    return items;
}

/* Is its blob there? A descriptor is opened again when its turn comes to be hashed. */
static int look_up(struct job *job, struct survey_item *item, struct err *err)
{
    const struct layout *layout = job->place.layout;

    if (job->pull->config->options.force) {
        item->state = SURVEY_ABSENT;
        item->replace = item->distrusted = true;
        return 0;
    }
    if (layout->find(&item->found, &job->place, item->file, err) < 0)
        return -1;
    fd_close(&item->found.fd);
    item->found.fd = -1;
    item->state = item->found.state == BLOB_VERIFIED     ? SURVEY_THERE
                  : item->found.state == BLOB_UNVERIFIED ? SURVEY_HASH
                                                         : SURVEY_ABSENT;
    return 0;
}

/* A blob's own staging directory, if it has one and it is there; else -1. */
static int own_staging(struct job *job, const struct survey_item *item)
{
    const struct layout *layout = job->place.layout;
    struct err ignored = {0};
    int dirfd = -1;

    if (layout->open_staging == NULL ||
        layout->open_staging(&dirfd, &job->place, item->file, false, &ignored) < 0)
        return -1;
    return dirfd;
}

static uint64_t staged_bytes(struct job *job, const struct survey_item *item)
{
    int own = own_staging(job, item);
    int dirfd = own >= 0 ? own : job->place.staging_fd;
    uint64_t bytes = 0;

    if (dirfd >= 0)
        bytes = staging_claimed_bytes(dirfd, &item->file->digest, item->file->size);
    if (own >= 0)
        job->place.layout->leave_staging(&job->place, item->file, &own);
    return bytes;
}

/* What dead holders staged is ours to reuse or to remove. */
static uint64_t dead_bytes(struct job *job, const struct survey *survey)
{
    uint64_t sum = staging_dead_bytes(job->place.staging_fd,
                                      job->lease == NULL ? "" : lease_token(job->lease));

    for (size_t i = 0; i < survey->count; i++) {
        int own =
            survey->items[i].state == SURVEY_ABSENT ? own_staging(job, &survey->items[i]) : -1;

        if (own < 0)
            continue;
        sum += staging_dead_bytes(own, "");
        job->place.layout->leave_staging(&job->place, survey->items[i].file, &own);
    }
    return sum;
}

int survey_make(struct survey *out, struct job *job, struct err *err)
{
    struct survey s = {0};

    s.items = distinct(job, &s.count);
    for (size_t i = 0; i < s.count; i++) {
        struct survey_item *item = &s.items[i];

        item->state = SURVEY_ABSENT;
        if (job->place_open && look_up(job, item, err) < 0)
            return err_wrap(err, "%s", job_name(job));
        if (item->state == SURVEY_ABSENT) {
            s.absent_count++;
            s.absent_bytes += item->file->size;
            s.staged_bytes += staged_bytes(job, item);
        } else {
            s.present_bytes += item->file->size;
        }
    }
    *out = s;
    return 0;
}

void survey_close(struct survey *survey, struct job *job)
{
    for (size_t i = 0; i < survey->count; i++) {
        struct survey_item *item = &survey->items[i];

        if (item->hashing)
            fd_close(&item->found.fd);
        else if (item->state == SURVEY_RUNNING || item->state == SURVEY_READY)
            staging_close(&item->staging);
        claim_leave(job, item, false);
    }
    survey->count = 0;
}

int survey_check_space(struct job *job, const struct survey *survey, struct err *err)
{
    int dirfd = job->place.staging_fd;
    char need[NUM_TEXT];
    char have[NUM_TEXT];
    struct space space;
    uint64_t free_bytes;

    if (survey->absent_bytes == 0)
        return 0;
    if (volume_space(&space, dirfd, err) < 0)
        return err_wrap(err, "%s", job_name(job));
    free_bytes = space.free_bytes + dead_bytes(job, survey);
    if (survey->absent_bytes + SPARE_BYTES <= free_bytes)
        return 0;
    (void)err_set(err, ERR_NO_SPACE, "%s needs %s more on %s%s, where %s are free (%s)",
                  job_name(job), num_format_size(need, survey->absent_bytes), job->place.store.path,
                  survey->absent_bytes <= free_bytes ? " and a little to spare" : "",
                  num_format_size(have, free_bytes), space.limit);
    if (strcmp(job->want->ref.source, "hf") != 0) /* of others only whole models are of use */
        return err_hint(err, "free space there, or use a larger volume");
    return err_hint(err, "free space there, use a larger volume, or leave files out (--exclude)");
}
