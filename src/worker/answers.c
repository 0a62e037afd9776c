#include "worker/answers.h"

#include "fleet/record.h"
#include "json/json.h"
#include "transfer/retry.h"

/* {"ttl_ms":15000,"beat_ms":5000} */
static bool is_taken(struct beats_event *event, const struct http_answer *answer)
{
    struct err unused = {0};
    JSON_SCOPED *doc = json_parse(answer->body, ANSWER_BODY_MAX, "the answer", &unused);
    uint64_t every_ms = 0;

    if (doc == NULL || !json_is_object(doc) ||
        json_need_u64(&every_ms, doc, "beat_ms", &unused) < 0)
        return false;
    event->every_ms = every_ms;
    return true;
}

/* {"error":{"code":"unknown","message":"..."}}; both are empty where it is none. */
static void read_refusal(const char **ret_code, const char **ret_message, struct arena *a,
                         struct str body)
{
    struct err unused = {0};
    JSON_SCOPED *doc = json_parse(body, ANSWER_BODY_MAX, "the answer", &unused);
    const struct json *error = doc != NULL ? json_get(doc, "error") : NULL;
    struct str code = STR("");
    struct str message = STR("");

    if (error == NULL || !json_is_object(error) || json_str(&code, error, "code", &unused) < 0 ||
        json_str(&message, error, "message", &unused) < 0)
        code = message = STR("");
    *ret_code = str_dup(a, code);
    *ret_message = str_printable(a, message, ANSWER_WORDS_MAX / 2);
}

static enum beats_what of_status(int status, const char *code)
{
    switch (status) {
    case 401:
    case 403: return BEATS_TOKEN;
    case 404: return str_eqz(STR(FLEET_UNKNOWN), code) ? BEATS_UNKNOWN : BEATS_REFUSED;
    case 409: return str_eqz(STR(FLEET_SUPERSEDED), code) ? BEATS_SUPERSEDED : BEATS_REFUSED;
    case 413: return BEATS_TOO_LARGE;
    case 429: return BEATS_BUSY;
    case 408:
    case 425: return BEATS_FAILING;
    default: break;
    }
    if (status / 100 == 3)
        return BEATS_REDIRECT;
    return status / 100 == 4 ? BEATS_REFUSED : BEATS_FAILING;
}

static uint64_t named_wait(const struct http_answer *answer, uint64_t unix_ms)
{
    struct retry_case c = {.retry_after = http_header_get(answer, "retry-after"),
                           .rate_limit = http_header_get(answer, "ratelimit"),
                           .unix_ms = unix_ms};
    uint64_t ms = 0;

    return retry_named_wait(&ms, &c) ? ms : 0;
}

static const char *words_of(struct arena *a, const struct http_answer *answer, enum beats_what what,
                            const char *message)
{
    struct str location = http_header_get(answer, "location");

    if (what == BEATS_REDIRECT && location.len > 0) {
        struct str query;

        (void)str_cut(&location, '?', &query); /* it may hold a signature */
        return str_format(a, "it answers %d, see %s, and no redirect is followed", answer->status,
                          str_printable(a, query, ANSWER_WORDS_MAX / 2));
    }
    return str_format(a, "it answers %d%s%s%s", answer->status, message[0] != '\0' ? " (" : "",
                      message, message[0] != '\0' ? ")" : "");
}

const char *answer_read(struct beats_event *event, struct arena *a,
                        const struct http_answer *answer, uint64_t unix_ms)
{
    const char *code;
    const char *message;

    event->named_ms = event->every_ms = 0;
    if (answer->status / 100 == 2) {
        event->what = is_taken(event, answer) ? BEATS_OK : BEATS_RUBBISH;
        return event->what == BEATS_OK
                   ? "it answers"
                   : str_format(a, "it answers %d with what no coordinator says", answer->status);
    }
    read_refusal(&code, &message, a, answer->body);
    event->what = of_status(answer->status, code);
    event->named_ms = named_wait(answer, unix_ms);
    return words_of(a, answer, event->what, message);
}
