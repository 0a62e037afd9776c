/* What an answer means for its file, from its headers to its end. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/num.h"
#include "transfer/content_range.h"
#include "transfer/engine.h"

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
        failure_final(c->file, &err);
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
        failure_note(c, RETRY_REDIRECT, 0, "it redirects without a proper address");
        return false;
    }
    if (str_eq(next.text, here->text) || f->link.hops >= ENGINE_HOPS) {
        failure_note(c, RETRY_REDIRECT, 0, "the redirects do not end");
        return false;
    }
    if (request_allowed(&c->t->net, &next, here->tls, &err) < 0) {
        (void)err_wrap(&err, "%s", f->target.name);
        failure_final(f, &err);
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
        failure_note(c, RETRY_WHOLE, 200, "it sends the whole file for a part of it");
    return alone;
}

static bool whole_file(struct conn *c)
{
    const struct http_answer *answer = &c->request.answer;
    uint64_t size = c->file->ranges.size;
    uint64_t length;
    bool has_length = length_of(answer, &length);

    if (is_html(answer) && (!has_length || length != size)) {
        failure_note(
            c, RETRY_PORTAL, 0,
            "a web page comes in place of the file; it looks like a captive portal or a proxy");
        return false;
    }
    if (has_length && length != size) {
        failure_note(c, RETRY_TOTAL, 0,
                     "wrong total: the file is %llu bytes there, %llu in the listing",
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
        failure_note(c, RETRY_RANGE, 0, "a part comes without a proper Content-Range");
        return false;
    }
    if (r.has_total && r.total != c->file->ranges.size) {
        failure_note(c, RETRY_TOTAL, 0,
                     "wrong total: the file is %llu bytes there, %llu in the listing",
                     (unsigned long long)r.total, (unsigned long long)c->file->ranges.size);
        return false;
    }
    if (r.first != c->pos || (!c->file->single && r.end > c->span.end)) {
        failure_note(c, RETRY_RANGE, 0, "another range comes than was asked for (%llu, asked %llu)",
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
        failure_note(c, RETRY_STATUS, 416, "the file is %llu bytes there, %llu in the listing",
                     (unsigned long long)r.total, (unsigned long long)c->file->ranges.size);
    else
        failure_note(c, RETRY_STATUS, 416, "it refuses the range %llu to %llu (416)",
                     (unsigned long long)c->span.start, (unsigned long long)c->span.end);
    return true;
}

static bool refused(struct conn *c, int status)
{
    const char *variable = request_proxy_variable(&c->request.answer.url);
    int verdict = 0;

    if (status == 407) {
        failure_note(c, RETRY_PROXY_AUTH, 407, "the proxy that %s names wants credentials (407)",
                     variable != NULL ? variable : "the environment");
        return true;
    }
    if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429 &&
        c->proves)
        verdict = origin_says(c);
    if (verdict < 0)
        return false;
    if (verdict > 0)
        failure_note(c, RETRY_TOKEN, 0, "it wants a new token (%d)", status);
    else
        failure_note(c, RETRY_STATUS, status, "it answers %d", status);
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
            failure_note(c, RETRY_ENCODED, 0, "it sends a coding that was not asked for (%.64s)",
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
        failure_note(c, RETRY_RANGE, 0, "its headers are longer than they may be");
    } else if (result != CURLE_OK) {
        what = request_failure(&c->request, result, &words, &a);
        failure_note(c, what, 0, "%s", words);
    } else if (!c->request.whole_headers) {
        failure_note(c, RETRY_CUT, 0, "the connection was closed within the headers");
    } else if (c->accepted && c->span.start < c->span.end &&
               (c->request.answer.status == 200 || c->got == 0)) {
        failure_note(c, RETRY_CUT, 0, "the connection was closed before the end");
    }
}

void answer_end(struct conn *c, CURLcode result)
{
    if (c->probe)
        failure_read_probe(c);
    else if (!c->judged && !c->enough && !c->file->failed)
        judge_end(c, result);
    if (c->judged && failure_probe(c))
        return;
    fetch_flush(c);
    if (!c->judged && c->accepted)
        learn(c);
    if (c->judged && !c->file->failed) {
        failure_retry(c);
    }
    engine_lock(c->t);
    fetch_stop(c);
    engine_unlock(c->t);
}

void answer_slow(struct conn *c, enum retry_what what, const char *words)
{
    failure_note(c, what, 0, "%s", words);
    answer_end(c, CURLE_OK);
}
