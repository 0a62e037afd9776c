/* What a running Ollama says while it pulls: shown, measured, and timed. */
#include "pull/tell.h"
#include "pull/through.h"
#include "text/num.h"

/* Speed is measured over no less than that. */
#define SPEED_MS 1000

static void measure(struct through *t, uint64_t fetched)
{
    uint64_t now = through_now_ms(t);

    if (t->speed_ms == 0) {
        t->speed_ms = now;
        t->speed_bytes = fetched;
    } else if (now - t->speed_ms >= SPEED_MS) {
        t->bps = (fetched - t->speed_bytes) * 1000 / (now - t->speed_ms);
        t->speed_ms = now;
        t->speed_bytes = fetched;
    }
}

static void tell_progress_of(const struct through *t, const struct ollama_stream *s)
{
    ARENA_SCOPED a = {0};
    struct report_part *parts = arena_array(&a, struct report_part, s->parts.len);
    struct report_event event = {.kind = REPORT_PROGRESS,
                                 .model = job_name(t->job),
                                 .bytes = s->completed,
                                 .total = s->total,
                                 .bps = t->bps,
                                 .parts = parts,
                                 .part_count = s->parts.len};

    for (size_t i = 0; i < s->parts.len; i++) {
        const struct ollama_part *part = &s->parts.at[i];
        struct str name = str_from(part->digest);

        if (str_starts(name, STR("sha256:")))
            name = (struct str){name.ptr + 7, name.len - 7};
        name.len = name.len < 12 ? name.len : 12;
        parts[i] = (struct report_part){.path = str_dup(&a, name),
                                        .bytes = part->completed,
                                        .total = part->total,
                                        .done = part->completed == part->total};
    }
    report_emit(t->job->pull->report, &event);
}

int through_heard(void *ctx, const struct ollama_stream *s, struct err *err)
{
    struct through *t = ctx;
    char have[NUM_TEXT];
    char all[NUM_TEXT];
    char time[NUM_TEXT];

    if (s->completed > t->try_bytes || s->phase > t->try_phase)
        t->moved_ms = through_now_ms(t);
    if (s->completed > t->most_bytes) {
        t->most_bytes = s->completed;
        t->further_ms = through_now_ms(t);
        t->tries = 0;
    }
    t->try_bytes = s->completed > t->try_bytes ? s->completed : t->try_bytes;
    t->try_phase = s->phase;
    measure(t, ollama_stream_fetched(s));
    if (s->total > 0)
        tell_progress_of(t, s);
    tell_notices(t->job->pull);
    if (through_now_ms(t) - t->moved_ms <= through_patience_ms(t))
        return 0;
    return err_set(err, ERR_NET, "%s: the Ollama at %s stands still at %s of %s for %s",
                   job_name(t->job), ollama_server_url(t->server),
                   num_format_size(have, s->completed), num_format_size(all, s->total),
                   num_format_duration(time, through_now_ms(t) - t->moved_ms));
}
