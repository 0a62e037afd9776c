/* Another try of a question that got no good answer, or the last word on it. */
#include "sys/stop.h"
#include "text/num.h"
#include "transfer/http_client.h"

/* Names who signed the certificate that was refused. */
static int certificate_err(struct http_client *c, struct asking *q, struct err *err)
{
    ARENA_SCOPED a = {0};
    const char *host = url_authority(&a, &q->url);
    const char *slow;
    enum retry_what what;
    struct str issuer = {0};

    request_prepare_probe(&c->request, &q->url);
    if (http_run(c, &slow, &what, err) < 0)
        return -1;
    if (c->finished)
        issuer = request_issuer(&c->request, &a);
    (void)err_set(err, ERR_NET, "%s: %s%s" STR_FMT, host, q->words,
                  issuer.len > 0 ? "; issued by " : "", STR_ARG(issuer));
    return err_hint(err, "if that issuer is yours, name its certificate in HOSTLER_EXTRA_CA");
}

static int last_word(struct http_client *c, struct asking *q, struct err *err)
{
    ARENA_SCOPED a = {0};
    char tried[NUM_TEXT];

    if (q->what == RETRY_CERTIFICATE)
        return certificate_err(c, q, err);
    if (q->request->once)
        return err_set(err, ERR_NET, "%s: %s", url_authority(&a, &q->url), q->words);
    (void)num_format_duration(tried, clock_now_ms(c->net.clock) - q->began_ms);
    if (q->what == RETRY_PROXY_AUTH) {
        (void)err_set(err, ERR_NET, "%s: %s", url_authority(&a, &q->url), q->words);
        return err_hint(err, "put the user and password into that variable's URL");
    }
    if (q->attempt <= 1)
        return err_set(err, ERR_NET, "%s: %s", url_authority(&a, &q->url), q->words);
    (void)err_set(err, ERR_NET, "%s: %s; tried %u times in %s", url_authority(&a, &q->url),
                  q->words, q->attempt, tried);
    return err_hint(err, "check the network and the origin, or be more patient: --give-up");
}

int http_again(struct http_client *c, struct asking *q, enum retry_what what, int status,
               struct err *err)
{
    ARENA_SCOPED a = {0};
    const struct http_answer *answer = &c->request.answer;
    struct retry_case again = {.what = what,
                               .status = status,
                               .canonical = true,
                               .attempt = ++q->attempt,
                               .unix_ms = clock_unix_ms(c->net.clock),
                               .longest_wait_ms = c->net.longest_wait_ms,
                               .random = retry_random(&c->random)};
    struct retry_plan plan;
    uint64_t spent = clock_now_ms(c->net.clock) - q->began_ms - q->named_ms;
    char wait[NUM_TEXT];

    q->same = q->attempt > 1 && q->what == what && q->status == status ? q->same + 1 : 1;
    q->what = what;
    q->status = status;
    if (q->request->once)
        return last_word(c, q, err);
    again.same = q->same;
    again.retry_after = http_header_get(answer, "retry-after");
    again.rate_limit = http_header_get(answer, "ratelimit");
    plan = retry_plan(&again);
    if (plan.next == RETRY_FINAL && plan.named)
        q->words = str_format(&a, "%s and asks to wait %s", q->words,
                              num_format_duration(wait, plan.wait_ms));
    if (plan.next == RETRY_FINAL ||
        (!plan.named && spent >= c->net.give_up_ms && (what != RETRY_FIRST_BYTE || q->attempt > 1)))
        return last_word(c, q, err);
    if (plan.named)
        q->named_ms += plan.wait_ms;
    else if (spent + plan.wait_ms > c->net.give_up_ms)
        plan.wait_ms = spent < c->net.give_up_ms ? c->net.give_up_ms - spent : 0;
    if (c->net.notice != NULL)
        c->net.notice(
            c->net.notice_ctx,
            str_format(&a, "%s: %s; trying again%s%s", url_authority(&a, &q->url), q->words,
                       plan.wait_ms < 1000 ? "" : " in ",
                       plan.wait_ms < 1000 ? "" : num_format_duration(wait, plan.wait_ms)));
    return stop_wait_ms(plan.wait_ms) ? stop_err(err) : 0;
}
