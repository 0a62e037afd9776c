/* What an answer, or its failure to come, means for its file: the engine's side of the policy. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/num.h"
#include "transfer/content_range.h"
#include "transfer/engine.h"

static void PRINTF_LIKE(4, 5)
    judge(struct conn *c, enum retry_what what, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(c->words, sizeof(c->words), fmt, ap);
    va_end(ap);
    c->judged = true;
    c->what = what;
    c->status = status;
}

static void fail(struct file *f, const struct err *err)
{
    engine_lock(f->t);
    engine_fail(f, err);
    engine_unlock(f->t);
}

/* Lets the source judge what its own origin says: as its judge(), which at -1 has failed the file.
 */
static int origin_says(struct conn *c)
{
    const struct transfer_origin *origin = c->file->target.origin;
    struct err err = {0};
    int r = 0;

    if (c->canonical && origin->judge != NULL)
        r = origin->judge(origin->judge_ctx, &c->request.answer, &err);
    if (r < 0)
        fail(c->file, &err);
    return r;
}

static bool follow(struct conn *c)
{
    struct str location = http_header_get(&c->request.answer, "location");
    const struct url *here = &c->request.answer.url;
    struct file *f = c->file;
    struct url next;
    struct err err;

    if (origin_says(c) < 0)
        return false;
    if (location.ptr == NULL || url_join(&next, &c->request.arena, here, location, &err) < 0) {
        judge(c, RETRY_REDIRECT, 0, "it redirects without a proper address");
        return false;
    }
    if (str_eq(next.text, here->text) || f->link.hops >= ENGINE_HOPS) {
        judge(c, RETRY_REDIRECT, 0, "the redirects do not end");
        return false;
    }
    if (request_allowed(&c->t->net, &next, here->tls, &err) < 0) {
        (void)err_wrap(&err, "%s", f->target.name);
        fail(f, &err);
        return false;
    }
    if (c->link_id == f->link.id) {
        schedule_link(f, &next, !url_same_origin(&next, &f->target.origin->url));
        schedule_served(c->host);
    }
    return true;
}

static bool is_html(const struct http_answer *answer)
{
    return str_starts(http_header_get(answer, "content-type"), STR("text/html"));
}

static bool length_of(const struct http_answer *answer, uint64_t *out)
{
    struct str text = http_header_get(answer, "content-length");
    struct err err;

    return text.ptr != NULL && num_parse_u64(out, text, INT64_MAX, &err) == 0;
}

/* The whole file came in answer to a range. One stream can be made of it if nobody else fetches. */
static bool turn_single(struct conn *c)
{
    struct transfer *t = c->t;
    struct file *f = c->file;
    bool alone;

    engine_lock(t);
    alone = f->conns == 1;
    if (alone) {
        f->single = true;
        ranges_give(&f->ranges, c->span);
        (void)ranges_take_from(&f->ranges, 0, &c->span);
        c->pos = 0;
    }
    engine_unlock(t);
    if (!alone)
        judge(c, RETRY_WHOLE, 200, "it sends the whole file for a part of it");
    return alone;
}

static bool whole_file(struct conn *c)
{
    const struct http_answer *answer = &c->request.answer;
    uint64_t size = c->file->ranges.size;
    uint64_t length;
    bool has_length = length_of(answer, &length);

    if (is_html(answer) && (!has_length || length != size)) {
        judge(c, RETRY_PORTAL, 0,
              "a web page comes in place of the file; it looks like a captive portal or a proxy");
        return false;
    }
    if (has_length && length != size) {
        judge(c, RETRY_TOTAL, 0, "wrong total: the file is %llu bytes there, %llu in the listing",
              (unsigned long long)length, (unsigned long long)size);
        return false;
    }
    return !c->ranged || turn_single(c);
}

static bool part_of_file(struct conn *c)
{
    struct str text = http_header_get(&c->request.answer, "content-range");
    struct content_range r;

    if (text.ptr == NULL || !content_range_parse(&r, text) || !r.has_range) {
        judge(c, RETRY_RANGE, 0, "a part comes without a proper Content-Range");
        return false;
    }
    if (r.has_total && r.total != c->file->ranges.size) {
        judge(c, RETRY_TOTAL, 0, "wrong total: the file is %llu bytes there, %llu in the listing",
              (unsigned long long)r.total, (unsigned long long)c->file->ranges.size);
        return false;
    }
    if (r.first != c->pos || (!c->file->single && r.end > c->span.end)) {
        judge(c, RETRY_RANGE, 0, "another range comes than was asked for (%llu, asked %llu)",
              (unsigned long long)r.first, (unsigned long long)c->pos);
        return false;
    }
    return true;
}

static bool wrong_size(struct conn *c)
{
    struct str text = http_header_get(&c->request.answer, "content-range");
    struct content_range r;

    if (text.ptr != NULL && content_range_parse(&r, text) && r.has_total &&
        r.total != c->file->ranges.size)
        judge(c, RETRY_STATUS, 416, "the file is %llu bytes there, %llu in the listing",
              (unsigned long long)r.total, (unsigned long long)c->file->ranges.size);
    else
        judge(c, RETRY_STATUS, 416, "it refuses the range %llu to %llu (416)",
              (unsigned long long)c->span.start, (unsigned long long)c->span.end);
    return true;
}

static bool refused(struct conn *c, int status)
{
    const char *variable = request_proxy_variable(&c->request.answer.url);
    int verdict = 0;

    if (status == 407) {
        judge(c, RETRY_PROXY_AUTH, 407, "the proxy that %s names wants credentials (407)",
              variable != NULL ? variable : "the environment");
        return true;
    }
    if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429 &&
        c->proves)
        verdict = origin_says(c);
    if (verdict < 0)
        return false;
    if (verdict > 0)
        judge(c, RETRY_TOKEN, 0, "it wants a new token (%d)", status);
    else
        judge(c, RETRY_STATUS, status, "it answers %d", status);
    return true;
}

/* False ends the exchange now; what it means is read by answer_end(). */
bool answer_headers(void *ctx)
{
    struct conn *c = ctx;
    const struct http_answer *answer = &c->request.answer;
    struct str coding = http_header_get(answer, "content-encoding");
    const char *ip = NULL;

    (void)c->t->curl->easy_getinfo(c->request.easy, CURLINFO_PRIMARY_IP, &ip);
    if (c->pace == c->host->pace)
        address_seen(c->host, ip);
    switch (answer->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308: return follow(c);
    case 200:
    case 206:
        if (coding.len > 0 && !str_eq_nocase(coding, STR("identity"))) {
            judge(c, RETRY_ENCODED, 0, "it sends a coding that was not asked for (%.64s)",
                  coding.ptr);
            return false;
        }
        c->accepted = answer->status == 200 ? whole_file(c) : part_of_file(c);
        if (c->accepted)
            schedule_proved(c);
        return c->accepted;
    case 416: return wrong_size(c);
    default: return refused(c, answer->status);
    }
}

static uint32_t next_random(struct transfer *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 17;
    t->random ^= t->random << 5;
    return t->random;
}

static void final(struct conn *c, uint64_t since_ms)
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
    fail(f, &err);
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

/* The answer was no good: what next? */
static void retry(struct conn *c)
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
                               .random = next_random(c->t)};
    struct retry_plan plan;

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
        final(c, quiet);
        return;
    }
    if (!plan.named && quiet + plan.wait_ms > c->t->net.give_up_ms)
        plan.wait_ms = quiet < c->t->net.give_up_ms ? c->t->net.give_up_ms - quiet : 0;
    notice(c, &plan);
    wait_for(c, &plan, now_ms);
    apply(c, &plan);
}

/* Looks once who issued the certificate; then c is under way again and true is returned. */
static bool probe(struct conn *c)
{
    struct url url = c->request.answer.url;

    if (c->what != RETRY_CERTIFICATE || c->probe || c->host->issuer != NULL)
        return false;
    (void)c->t->curl->multi_remove_handle(c->t->multi, c->request.easy);
    c->probe = true;
    request_prepare_probe(&c->request, &url);
    return c->t->curl->multi_add_handle(c->t->multi, c->request.easy) == CURLM_OK;
}

static void read_probe(struct conn *c)
{
    struct str issuer = request_issuer(&c->request, &c->t->arena);

    c->host->issuer = issuer.len > 0 ? issuer.ptr : "";
    c->request.answer.url = c->host->url;
}

static void name_issuer(struct conn *c)
{
    size_t used = strlen(c->words);

    if (c->what == RETRY_CERTIFICATE && c->host->issuer != NULL && c->host->issuer[0] != '\0')
        (void)snprintf(c->words + used, sizeof(c->words) - used, "; issued by %s", c->host->issuer);
}

/*
 * A request that brought what it was asked for teaches how large the next should be: so large that
 * the wait for its first byte is a tenth of its time, in steps of at most four times.
 */
static void learn(struct conn *c)
{
    uint64_t began_ms = c->request.started_ms;
    uint64_t waited_ms = c->first_ms > began_ms ? c->first_ms - began_ms : 0;
    uint64_t flowed_ms = engine_now(c->t) - began_ms - waited_ms;
    uint64_t bytes = c->host->request_bytes;
    uint64_t want = 9 * waited_ms * (c->got / (flowed_ms + 1));

    if (!c->ranged || c->got < bytes / 2 || want <= bytes)
        return;
    want = want < 4 * bytes ? want : 4 * bytes;
    c->host->request_bytes = want < ENGINE_REQUEST_MAX ? want : ENGINE_REQUEST_MAX;
}

/* An exchange that ended without a verdict so far: is all well? */
static void judge_end(struct conn *c, CURLcode result)
{
    ARENA_SCOPED a = {0};
    const char *words = "";
    enum retry_what what;

    if (c->request.too_many_headers) {
        judge(c, RETRY_RANGE, 0, "its headers are longer than they may be");
    } else if (result != CURLE_OK) {
        what = request_failure(&c->request, result, &words, &a);
        judge(c, what, 0, "%s", words);
    } else if (!c->request.whole_headers) {
        judge(c, RETRY_CUT, 0, "the connection was closed within the headers");
    } else if (c->accepted && c->span.start < c->span.end &&
               (c->request.answer.status == 200 || c->got == 0)) {
        judge(c, RETRY_CUT, 0, "the connection was closed before the end");
    }
}

void answer_end(struct conn *c, CURLcode result)
{
    if (c->probe)
        read_probe(c);
    else if (!c->judged && !c->enough && !c->file->failed)
        judge_end(c, result);
    if (c->judged && probe(c))
        return;
    fetch_flush(c);
    if (!c->judged && c->accepted)
        learn(c);
    if (c->judged && !c->file->failed) {
        name_issuer(c);
        retry(c);
    }
    engine_lock(c->t);
    fetch_stop(c);
    engine_unlock(c->t);
}

void answer_slow(struct conn *c, enum retry_what what, const char *words)
{
    judge(c, what, 0, "%s", words);
    answer_end(c, CURLE_OK);
}
