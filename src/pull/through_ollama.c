#include "pull/through_ollama.h"

#include "pull/tell.h"
#include "pull/through.h"
#include "source/ollama_server.h"
#include "sys/stop.h"
#include "text/num.h"
#include "transfer/http.h"
#include "transfer/retry.h"

/* Is it ready? It is asked this often, and may take so long to answer; the first time less, so that
 * who waits is soon told why. */
#define PROBE_EVERY_MS 500
#define PROBE_MS       5000
#define PROBE_FIRST_MS 1000

/* It tells every 60 ms how far it is; so long without a word, and it hangs. */
#define SILENCE_MS 30000

/* The wait for it to be ready is told this often. */
#define WAITING_EVERY_MS 30000

/* Wrong bytes and answers that cannot be read are asked for twice. */
#define TWICE 2

static void note(const struct through *t, enum report_level level, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void note(const struct through *t, enum report_level level, const char *fmt, ...)
{
    ARENA_SCOPED a = {0};
    struct buf text = buf_new(&a, sizeof(t->job->err.msg));
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    report_note(t->job->pull->report, level, "ollama", job_name(t->job), "the Ollama at %s %s",
                ollama_server_url(t->server), text.ptr);
}

/* Begins a step. The time that other models took between two steps is nobody's standing still. */
static struct through *begin_step(struct job *job, struct ollama_server *server)
{
    struct through *t = job->through;
    uint64_t now = clock_now_ms(job->pull->clock);

    if (t == NULL) {
        t = job->through = arena_new(&job->arena, struct through);
        *t = (struct through){.job = job,
                              .server = server,
                              .moved_ms = now,
                              .further_ms = now,
                              .left_ms = now,
                              .began_ms = now};
    }
    if (now - t->left_ms > t->again_ms) {
        t->moved_ms += now - t->left_ms - t->again_ms;
        t->further_ms += now - t->left_ms - t->again_ms;
    }
    t->left_ms = now;
    t->again_ms = 0;
    return t;
}

/* Ends a step: the next one comes later. */
static void wait_and_look(struct through *t, uint64_t wait_ms, uint64_t *ret_again_ms)
{
    if (t->job->state != JOB_WAITING)
        job_move(t->job, JOB_WAITING);
    t->left_ms = through_now_ms(t);
    t->again_ms = *ret_again_ms = wait_ms;
}

/* Its patience is over: an error where it is the only way, else a word. */
static int end_waiting(struct through *t, const struct err *why, bool *ret_taken, struct err *err)
{
    uint64_t waited_ms = through_now_ms(t) - t->moved_ms;
    char time[NUM_TEXT];

    *ret_taken = through_ollama_always(t->job);
    if (*ret_taken) {
        (void)err_set(err, ERR_NET, "%s: the Ollama at %s is not ready: %s; waited %s",
                      job_name(t->job), ollama_server_url(t->server), why->msg,
                      num_format_duration(time, waited_ms));
        return err_hint(err, "start it, or name another with OLLAMA_URL");
    }
    if (!t->over)
        note(t, REPORT_WARN, "is not ready: %s; waited %s", why->msg,
             num_format_duration(time, waited_ms));
    t->over = true;
    return 0;
}

static int wait_until_ready(struct through *t, const struct err *why, bool *ret_taken,
                            uint64_t *ret_again_ms, struct err *err)
{
    uint64_t waited_ms = through_now_ms(t) - t->moved_ms;
    char time[NUM_TEXT];

    if (t->over || waited_ms >= through_patience_ms(t))
        return end_waiting(t, why, ret_taken, err);
    if (!t->waited || through_now_ms(t) - t->told_ms >= WAITING_EVERY_MS) {
        note(t, REPORT_INFO, "is not ready yet (%s); waiting up to %s", why->msg,
             num_format_duration(time, (through_patience_ms(t) - waited_ms + 999) / 1000 * 1000));
        t->told_ms = through_now_ms(t);
    }
    t->waited = true;
    wait_and_look(t, PROBE_EVERY_MS, ret_again_ms);
    return 0;
}

/* Its store is not the volume: whoever looks at the events sees where and by whose word. */
static void tell_there(const struct through *t, enum report_kind kind,
                       const struct ollama_listed *found)
{
    ARENA_SCOPED a = {0};
    const char *url = ollama_server_url(t->server);
    bool asked = t->job->pull->config->options.update || t->pulled;
    struct report_event event = {
        .kind = kind,
        .model = job_name(t->job),
        .path = kind == REPORT_PUBLISHED ? url : NULL,
        .revision = found->digest[0] != '\0' ? found->digest : NULL,
        .bytes = found->bytes,
    };

    if (kind == REPORT_PUBLISHED)
        event.text =
            str_format(&a, "verified by the Ollama at %s, as it says; not by hostler", url);
    else
        event.text = str_format(&a, "the Ollama at %s says that it has it%s", url,
                                asked ? "" : ", not checked for newer (--update)");
    report_emit(t->job->pull->report, &event);
}

/* A failed pull: is it asked again? */
static int ask_again(struct through *t, uint64_t *ret_again_ms, const struct err *why,
                     struct err *err)
{
    uint64_t wait_ms = retry_backoff_ms(++t->tries, (uint32_t)through_now_ms(t));
    bool passes =
        why->code == ERR_NET && through_now_ms(t) - t->further_ms < through_patience_ms(t);
    char time[NUM_TEXT];

    if (why->code == ERR_DIGEST)
        passes = ++t->wrong < TWICE;
    if (!passes) {
        *err = *why;
        return -1;
    }
    report_note(t->job->pull->report, REPORT_WARN, "ollama", NULL, "%s; asking it again in %s",
                why->msg, num_format_duration(time, wait_ms));
    wait_and_look(t, wait_ms, ret_again_ms);
    return 0;
}

/* It said success. Whether it has the model is seen by asking for it. */
static int confirm(struct through *t, struct err *err)
{
    const struct model_ref *ref = &t->job->want->ref;
    struct ollama_listed found;
    bool shows = false;

    if (ollama_server_find(&found, &t->job->arena, t->server, ref, err) < 0 ||
        (found.listed && ollama_server_shows(&shows, t->server, ref, err) < 0))
        return -1;
    if (!shows) {
        (void)err_set(err, ERR_DIGEST, "%s: the Ollama at %s said success, and then %s",
                      job_name(t->job), ollama_server_url(t->server),
                      found.listed ? "that it has no such model: its store is damaged"
                                   : "does not list it");
        return err_hint(err, "remove the model there (ollama rm %s) and pull it again",
                        ollama_server_name(&t->job->arena, ref));
    }
    if (t->before.listed && strcmp(t->before.digest, found.digest) == 0)
        tell_there(t, REPORT_PRESENT, &found);
    else
        tell_there(t, REPORT_PUBLISHED, &found);
    job_move(t->job, JOB_DONE);
    return 0;
}

/*
 * The registry that the model comes from is asked by plain http under our own rules (on loopback,
 * and where --insecure-http names it); Ollama itself has to be told.
 */
static bool is_insecure(const struct job *job)
{
    ARENA_SCOPED a = {0};
    struct str text = str_from(str_format(&a, "http://%s/", job->want->ref.host));
    struct err ignored = {0};
    struct url url;

    return url_parse(&url, &a, text, &ignored) == 0 && http_is_allowed(&job->pull->net, &url);
}

static int let_it_pull(struct through *t, uint64_t *ret_again_ms, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct job *job = t->job;
    struct ollama_stream said = {.arena = &a};
    struct ollama_pull how = {.insecure = is_insecure(job),
                              .silence_ms = job->pull->net.first_byte_ms,
                              .verifying_ms = through_patience_ms(t),
                              .heard = through_heard,
                              .ctx = t};
    struct report_event start = {.kind = REPORT_START, .model = job_name(job)};
    struct err why = {0};
    int r;

    if (how.silence_ms == 0 || how.silence_ms > through_patience_ms(t))
        how.silence_ms = through_patience_ms(t) < SILENCE_MS ? through_patience_ms(t) : SILENCE_MS;
    start.text = str_format(&a, "by the Ollama at %s", ollama_server_url(t->server));
    job_move(job, JOB_DOWNLOADING);
    report_emit(job->pull->report, &start);
    t->speed_ms = t->bps = t->try_bytes = 0;
    t->try_phase = OLLAMA_ASKED;
    r = ollama_server_pull(&said, t->server, &job->want->ref, &how, &why);
    job->pull->fetched_bytes += ollama_stream_fetched(&said);
    tell_notices(job->pull);
    if (r < 0)
        return ask_again(t, ret_again_ms, &why, err);
    t->pulled = true;
    job_move(job, JOB_PUBLISHING);
    if (confirm(t, err) == 0)
        return 0;
    why = *err;
    return why.code == ERR_NET ? ask_again(t, ret_again_ms, &why, err) : -1;
}

/* It is ready: what does it have? */
static int look(struct through *t, bool *ret_there, struct err *err)
{
    const struct config_options *o = &t->job->pull->config->options;
    const struct model_ref *ref = &t->job->want->ref;
    bool shows = false;

    if (ollama_server_find(&t->before, &t->job->arena, t->server, ref, err) < 0 ||
        (t->before.listed && ollama_server_shows(&shows, t->server, ref, err) < 0))
        return -1;
    if (t->before.listed && !shows)
        note(t, REPORT_WARN, "lists it and lacks a part of it; it pulls it again");
    t->before.listed &= shows;
    *ret_there = t->before.listed && !o->update && !o->force;
    return 0;
}

/* What follows once it answers. */
static int go_on(struct through *t, uint64_t *ret_again_ms, struct err *err)
{
    const struct lease_state nobody = {0};
    struct job *job = t->job;
    struct err why = {0};
    bool there;

    if (job->state == JOB_WAITING)
        job_move(job, JOB_CHECKING);
    if (look(t, &there, &why) < 0)
        return ask_again(t, ret_again_ms, &why, err);
    if (there) {
        tell_there(t, REPORT_PRESENT, &t->before);
        job_move(job, JOB_DONE);
        return 0;
    }
    if (job->pull->config->options.wait_for_others) {
        wait_and_look(t, PROBE_EVERY_MS, ret_again_ms);
        return job_wait_on(job, &nobody, err);
    }
    return let_it_pull(t, ret_again_ms, err);
}

/* Is it ready? Then on; else it is waited for, or not the way. */
static int step(struct through *t, bool patient, bool *ret_taken, uint64_t *ret_again_ms,
                struct err *err)
{
    uint64_t probe_ms = t->waited ? PROBE_MS : PROBE_FIRST_MS;
    enum ollama_presence presence;
    struct err why = {0};
    char time[NUM_TEXT];

    if (ollama_server_probe(&presence, t->server, probe_ms, &why, err) < 0)
        return err->code == ERR_INTERRUPTED ? -1 : err_wrap(err, "%s", job_name(t->job));
    if (presence != OLLAMA_READY) {
        /* Where nobody named it, nothing there means that there is none. */
        bool named = t->job->pull->config->ollama_url_named || presence != OLLAMA_ABSENT;

        *ret_taken = through_ollama_always(t->job) || (patient && named);
        return *ret_taken ? wait_until_ready(t, &why, ret_taken, ret_again_ms, err) : 0;
    }
    if (t->waited)
        note(t, REPORT_INFO, "is ready after %s, version %s",
             num_format_duration(time, through_now_ms(t) - t->began_ms),
             ollama_server_version(t->server));
    t->waited = false;
    return go_on(t, ret_again_ms, err);
}

int through_ollama_try(struct job *job, bool patient, bool *ret_taken, uint64_t *ret_again_ms,
                       struct err *err)
{
    struct ollama_server *server;
    int r;

    *ret_taken = job->elsewhere = true;
    if (job->pull->config->offline_all)
        return through_ollama_offline(job, err);
    server = through_ollama_client(job->pull, err);
    if (server == NULL)
        return -1;
    r = step(begin_step(job, server), patient, ret_taken, ret_again_ms, err);
    job->elsewhere = r < 0 || *ret_taken;
    return r;
}
