/*
 * What follows from an answer that was no good, or did not come: another try, later or elsewhere,
 * or the last word. The policy is retry.c's; this is the engine's side of it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/num.h"
#include "transfer/engine.h"

void failure_note(struct conn *c, enum retry_what what, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(c->words, sizeof(c->words), fmt, ap);
    va_end(ap);
    c->judged = true;
    c->what = what;
    c->status = status;
}

void failure_final(struct file *f, const struct err *err)
{
    engine_lock(f->t);
    engine_fail(f, err);
    engine_unlock(f->t);
}

static void say_last(struct conn *c, uint64_t since_ms)
{
    ARENA_SCOPED a = {0};
    struct file *f = c->file;
    const char *host = url_authority(&a, &c->request.answer.url);
    char quiet[NUM_TEXT];
    struct err err;
    enum err_code code =
        c->what == RETRY_STATUS && (c->status == 401 || c->status == 403) && c->canonical ? ERR_AUTH
        : c->what == RETRY_STATUS && (c->status == 404 || c->status == 410) && c->canonical
            ? ERR_NOT_FOUND
            : ERR_NET;

    if (since_ms < 1000)
        (void)err_set(&err, code, "%s: %s: %s", f->target.name, host, c->words);
    else
        (void)err_set(&err, code, "%s: %s: %s; no progress for %s", f->target.name, host, c->words,
                      num_format_duration(quiet, since_ms));
    switch (c->what) {
    case RETRY_CERTIFICATE:
        (void)err_hint(&err, "if that issuer is yours, name its certificate in HOSTLER_EXTRA_CA");
        break;
    case RETRY_PROXY_AUTH:
        (void)err_hint(&err, "put the user and password into that variable's URL");
        break;
    case RETRY_PORTAL:
        (void)err_hint(&err, "open %s in a browser from this network, or ask who runs it", host);
        break;
    case RETRY_TOTAL:
        (void)err_hint(&err, "the file changed at the origin, or a proxy alters it: pull again");
        break;
    case RETRY_ENCODED:
    case RETRY_RANGE:
    case RETRY_REDIRECT:
        (void)err_hint(&err, "the origin or a proxy before it is broken: try another one");
        break;
    case RETRY_DNS:
    case RETRY_CONNECT:
    case RETRY_TLS:
    case RETRY_CUT:
    case RETRY_STALL:
    case RETRY_FIRST_BYTE:
    case RETRY_STATUS:
    case RETRY_TOKEN:
    case RETRY_WHOLE:
        if (code == ERR_NET)
            (void)err_hint(&err, "what has arrived is kept: pull again, or be more patient with "
                                 "--give-up");
        break;
    }
    failure_final(f, &err);
}

static void notice(struct conn *c, const struct retry_plan *plan)
{
    ARENA_SCOPED a = {0};
    char wait[NUM_TEXT];

    if (c->t->net.notice != NULL)
        c->t->net.notice(
            c->t->net.notice_ctx,
            str_format(&a, "%s: %s: %s; trying again%s%s", c->file->target.name,
                       url_authority(&a, &c->request.answer.url), c->words,
                       plan->wait_ms < 1000 ? "" : " in ",
                       plan->wait_ms < 1000 ? "" : num_format_duration(wait, plan->wait_ms)));
}

/* How long nothing has come: of the file, or of its host for all files. */
static uint64_t quiet_ms(const struct conn *c, uint64_t now_ms)
{
    uint64_t file_ms = now_ms > c->file->progress_ms ? now_ms - c->file->progress_ms : 0;
    uint64_t host_ms = now_ms > c->host->progress_ms ? now_ms - c->host->progress_ms : 0;

    return file_ms > host_ms ? file_ms : host_ms;
}

/* A wait that the server named does not count against our patience. */
static void wait_for(struct conn *c, const struct retry_plan *plan, uint64_t now_ms)
{
    uint64_t until = now_ms + plan->wait_ms;

    if (plan->whole_host && c->host->not_before_ms < until)
        c->host->not_before_ms = until;
    if (!plan->whole_host && c->file->not_before_ms < until)
        c->file->not_before_ms = until;
    if (plan->named) {
        c->file->progress_ms = until;
        c->host->progress_ms = until;
    }
}

static void apply(struct conn *c, const struct retry_plan *plan)
{
    struct file *f = c->file;

    if (plan->next == RETRY_SINGLE) {
        engine_lock(c->t);
        f->single = true;
        engine_unlock(c->t);
    }
    if ((plan->next == RETRY_RESOLVE || plan->next == RETRY_SINGLE) && c->link_id == f->link.id)
        schedule_forget_link(f);
}

static void name_wait(struct conn *c, uint64_t wait_ms)
{
    size_t used = strlen(c->words);
    char wait[NUM_TEXT];

    (void)snprintf(c->words + used, sizeof(c->words) - used, " and asks to wait %s",
                   num_format_duration(wait, wait_ms));
}

/*
 * Counts a failure in a row. Requests that were under way together fail together when a network is
 * cut: that is one failure, or the wait after it would be that of the last of many tries.
 */
static void count_failure(unsigned *failures, uint64_t *failed_ms, const struct conn *c,
                          uint64_t now_ms)
{
    if (*failures > 0 && c->request.started_ms < *failed_ms)
        return;
    ++*failures;
    *failed_ms = now_ms;
}

static void name_issuer(struct conn *c)
{
    size_t used = strlen(c->words);

    if (c->what == RETRY_CERTIFICATE && c->host->issuer != NULL && c->host->issuer[0] != '\0')
        (void)snprintf(c->words + used, sizeof(c->words) - used, "; issued by %s", c->host->issuer);
}

/* The answer was no good: what next? */
void failure_retry(struct conn *c)
{
    struct file *f = c->file;
    uint64_t now_ms = engine_now(c->t);
    uint64_t quiet = quiet_ms(c, now_ms);
    struct retry_case again = {.what = c->what,
                               .status = c->status,
                               .canonical = c->canonical && c->proves,
                               .fresh = c->proves,
                               .ranged = f->single ? 0 : f->conns - 1,
                               .retry_after = http_header_get(&c->request.answer, "retry-after"),
                               .rate_limit = http_header_get(&c->request.answer, "ratelimit"),
                               .unix_ms = clock_unix_ms(c->t->net.clock),
                               .longest_wait_ms = c->t->net.longest_wait_ms,
                               .random = retry_random(&c->t->random)};
    struct retry_plan plan;

    name_issuer(c);
    if (c->link_id != f->link.id)
        return; /* the link it used has been replaced meanwhile */
    f->same = f->attempt > 0 && f->what == c->what && f->status == c->status ? f->same + 1 : 1;
    count_failure(&f->attempt, &f->failed_ms, c, now_ms);
    if (c->what != RETRY_TOKEN) /* who wants a token is well */
        count_failure(&c->host->failures, &c->host->failed_ms, c, now_ms);
    again.attempt = f->attempt > c->host->failures ? f->attempt : c->host->failures;
    again.same = f->same;
    f->what = c->what;
    f->status = c->status;
    plan = retry_plan(&again);
    if (plan.next == RETRY_FINAL && plan.named)
        name_wait(c, plan.wait_ms);
    /* A first byte may be longer in coming than our patience: then it is asked for once more. */
    if (plan.next == RETRY_FINAL || (!plan.named && quiet >= c->t->net.give_up_ms &&
                                     (c->what != RETRY_FIRST_BYTE || f->attempt > 1))) {
        say_last(c, quiet);
        return;
    }
    if (!plan.named && quiet + plan.wait_ms > c->t->net.give_up_ms)
        plan.wait_ms = quiet < c->t->net.give_up_ms ? c->t->net.give_up_ms - quiet : 0;
    notice(c, &plan);
    wait_for(c, &plan, now_ms);
    apply(c, &plan);
}

/* Looks once who issued the certificate; then c is under way again and true is returned. */
bool failure_probe(struct conn *c)
{
    struct url url = c->request.answer.url;

    if (c->what != RETRY_CERTIFICATE || c->probe || c->host->issuer != NULL)
        return false;
    (void)c->t->curl->multi_remove_handle(c->t->multi, c->request.easy);
    c->probe = true;
    request_prepare_probe(&c->request, &url);
    return c->t->curl->multi_add_handle(c->t->multi, c->request.easy) == CURLM_OK;
}

void failure_read_probe(struct conn *c)
{
    struct str issuer = request_issuer(&c->request, &c->t->arena);

    c->host->issuer = issuer.len > 0 ? issuer.ptr : "";
    c->request.answer.url = c->host->url;
}
