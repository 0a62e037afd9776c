#include "pull/tell.h"

#include <stdio.h>
#include <string.h>

#include "pull/claim.h"
#include "text/vec.h"

/* A waiter says who it waits for this often, no more. */
#define WAITING_EVERY_MS 5000

/* How many of its digits people are shown: as git shows commits, and as Ollama shows its IDs. */
#define COMMIT_SHOWN 7
#define ID_SHOWN     12

static const char *short_commit(const struct job *job, struct arena *a)
{
    struct str commit = str_from(job->manifest.commit);

    if (ref_is_commit(job->manifest.commit))
        commit.len = COMMIT_SHOWN;
    else if (commit.len == DIGEST_HEX)
        commit.len = ID_SHOWN;
    return str_dup(a, commit);
}

void tell_move(const struct job *job, enum job_state to)
{
    char text[64];
    struct report_event event = {
        .kind = REPORT_NOTE,
        .level = REPORT_DEBUG,
        .event = "pull",
        .state = job_state_name(to),
        .text = text,
    };

    if (job->pull == NULL)
        return;
    event.model = job_name(job);
    (void)snprintf(text, sizeof(text), "%s -> %s", job_state_name(job->state), job_state_name(to));
    report_emit(job->pull->report, &event);
}

void tell_present(const struct job *job)
{
    ARENA_SCOPED scratch = {0};
    struct report_event event = {
        .kind = REPORT_PRESENT,
        .model = job_name(job),
        .revision = job->manifest.commit,
        .bytes = manifest_wanted_bytes(&job->manifest),
        .files = manifest_wanted_count(&job->manifest),
    };
    const char *sure = ", not checked for newer (--update)";

    if (job->asked || ref_is_commit(job->want->ref.revision))
        sure = "";
    event.text = str_format(&scratch, "revision %s%s", short_commit(job, &scratch), sure);
    report_emit(job->pull->report, &event);
}

void tell_waiting(struct job *job, const struct lease_state *holder, uint64_t now_ms)
{
    struct report_event event = {
        .kind = REPORT_WAITING,
        .model = job_name(job),
        .holder = holder->host[0] != '\0' ? holder->host : NULL,
        .bytes = holder->done_bytes,
        .total = holder->total_bytes,
        .bps = holder->bps,
    };

    if (job->told_ms != 0 && now_ms - job->told_ms < WAITING_EVERY_MS)
        return;
    job->told_ms = now_ms;
    report_emit(job->pull->report, &event);
}

void tell_start(const struct job *job, const struct survey *survey)
{
    struct report_event event = {
        .kind = REPORT_START,
        .model = job_name(job),
        .revision = job->manifest.commit,
        .bytes = survey->absent_bytes,
        .files = survey->absent_count,
        .present_bytes = survey->present_bytes,
    };

    report_emit(job->pull->report, &event);
}

static struct report_part part_of(struct job *job, const struct survey_item *item)
{
    struct transfer_progress p = transfer_progress(job->pull->transfer, item);

    return (struct report_part){
        .path = item->file->path,
        .bytes = item->state == SURVEY_RUNNING ? p.staged_bytes : item->file->size,
        .total = item->file->size,
        .done = item->state != SURVEY_RUNNING,
    };
}

void tell_progress(struct job *job, const struct survey *survey)
{
    ARENA_SCOPED scratch = {0};
    struct transfer_progress all = transfer_progress(job->pull->transfer, NULL);
    struct report_event event = {.kind = REPORT_PROGRESS, .model = job_name(job), .bps = all.bps};
    VEC(struct report_part) parts = {0};

    for (size_t i = 0; i < survey->count; i++) {
        const struct survey_item *item = &survey->items[i];

        event.total += item->file->size;
        if (item->state == SURVEY_RUNNING)
            vec_push(&scratch, &parts, part_of(job, item));
        if (item->state == SURVEY_RUNNING) {
            event.bytes += parts.at[parts.len - 1].bytes;
            claim_tell(item, parts.at[parts.len - 1].bytes, event.bps);
        } else if (item->state == SURVEY_READY || item->state == SURVEY_OVER ||
                   item->state == SURVEY_THERE)
            event.bytes += item->file->size;
    }
    event.parts = parts.at;
    event.part_count = parts.len;
    if (job->lease != NULL)
        lease_tell(job->lease, event.bytes, event.total, event.bps);
    report_emit(job->pull->report, &event);
}

void tell_file(const struct job *job, const struct survey_item *item)
{
    char hex[DIGEST_HEX + 1];
    struct report_event event = {
        .kind = REPORT_FILE,
        .model = job_name(job),
        .path = item->file->path,
        .bytes = item->file->size,
        .digest = digest_format(&item->file->digest, hex),
    };

    report_emit(job->pull->report, &event);
}

void tell_notices(struct pull *pull)
{
    char text[NOTICE_BYTES];

    while (notices_take(&pull->notices, text))
        pull->notices.show(pull->notices.show_ctx, text);
}

void tell_published(const struct job *job)
{
    struct report_event event = {
        .kind = REPORT_PUBLISHED,
        .model = job_name(job),
        .revision = job->manifest.commit,
        .path = job->place.shown,
    };

    report_emit(job->pull->report, &event);
}

void tell_failed(const struct job *job, struct err *err)
{
    struct report_event event = {.kind = REPORT_FAILED, .model = job_name(job), .err = err};

    report_emit(job->pull->report, &event);
    err->reported = true;
}
