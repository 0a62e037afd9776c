#include "transfer/http.h"

#include <assert.h>

#include "sys/stop.h"
#include "text/buf.h"
#include "text/num.h"
#include "transfer/http_client.h"

/* Of a body that nobody wants so much is read, to keep the connection; then it is closed. */
#define DRAIN_BYTES ((size_t)65536)

struct str http_header_get(const struct http_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (str_eqz(answer->headers[i].name, name))
            return answer->headers[i].value;
    return (struct str){0};
}

static bool on_answer(void *ctx)
{
    (void)ctx;
    return true;
}

static bool is_streaming(const struct http_client *c)
{
    return c->stream != NULL && c->request.answer.status / 100 == 2;
}

/* Hands over the lines that are whole. False: nothing more is wanted. */
static bool hand_lines(struct http_client *c)
{
    struct str line;

    while (c->verdict == 0 && lines_next(&c->lines, &line))
        c->verdict = c->stream->on_line(c->stream->ctx, line, &c->line_err);
    c->too_long = c->verdict == 0 && c->lines.too_long;
    return c->verdict == 0 && !c->too_long;
}

static size_t on_body(void *ctx, const char *data, size_t len)
{
    struct http_client *c = ctx;

    c->received += len;
    if (is_streaming(c)) {
        lines_add(&c->lines, (struct str){data, len});
        return hand_lines(c) ? len : 0;
    }
    if (c->body_limit == 0) {
        c->drained += len;
        return c->drained > DRAIN_BYTES ? 0 : len;
    }
    buf_add(&c->body, (struct str){data, len});
    c->too_long = c->body.cut;
    return c->too_long ? 0 : len;
}

struct http_client *http_client_new(const struct net_config *net, struct err *err)
{
    struct arena a = {0};
    struct http_client *c = arena_new(&a, struct http_client);

    c->arena = a;
    c->net = net_config_defaults(net);
    c->random = (uint32_t)clock_unix_ms(net->clock) | 1;
    if (request_init(&c->request, &c->net, err) < 0) {
        http_client_free(&c);
        return NULL;
    }
    c->request.ctx = c;
    c->request.on_answer = on_answer;
    c->request.on_body = on_body;
    c->curl = c->request.curl;
    c->multi = c->curl->multi_init();
    if (c->multi == NULL) {
        (void)err_set(err, ERR_BUG, "libcurl gives no handle");
        http_client_free(&c);
    }
    return c;
}

void http_client_free(struct http_client **client)
{
    struct http_client *c = *client;
    struct arena a;

    if (c == NULL)
        return;
    request_done(&c->request);
    if (c->multi != NULL)
        (void)c->curl->multi_cleanup(c->multi);
    a = c->arena;
    arena_free(&a);
    *client = NULL;
}

void http_client_cancel(struct http_client *client)
{
    atomic_store(&client->cancelled, true);
    (void)client->curl->multi_wakeup(client->multi);
}

static bool is_unwanted(struct http_client *c)
{
    return stop_wanted() || atomic_load(&c->cancelled);
}

/* Too long without a first byte, or too few bytes since: the words, else NULL. */
static const char *too_slow(struct http_client *c, enum retry_what *ret_what)
{
    uint64_t now = clock_now_ms(c->net.clock);
    bool streaming = is_streaming(c);
    uint64_t least = streaming ? 1 : c->net.stall_bps * c->net.stall_ms / 1000;
    uint64_t limit_ms = streaming ? c->stream->idle_ms : c->net.stall_ms;

    if (c->request.sent_ms == 0)
        return NULL;
    if (!c->request.whole_headers) {
        *ret_what = RETRY_FIRST_BYTE;
        return now - c->request.sent_ms > c->first_byte_ms ? "no answer in time" : NULL;
    }
    if (c->window_ms == 0 || c->received >= least) {
        c->window_ms = now;
        c->received = 0;
    }
    *ret_what = RETRY_STALL;
    return now - c->window_ms > limit_ms ? "nearly nothing comes any more" : NULL;
}

static void read_result(struct http_client *c)
{
    const CURLMsg *message;
    int left;

    while ((message = c->curl->multi_info_read(c->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE) {
            c->finished = true;
            c->result = message->data.result;
        }
}

int http_run(struct http_client *c, const char **ret_slow, enum retry_what *ret_what,
             struct err *err)
{
    struct curl_waitfd stop = {.fd = stop_fd(), .events = CURL_WAIT_POLLIN};
    int running;

    c->finished = false;
    c->received = c->window_ms = 0;
    *ret_slow = NULL;
    (void)c->curl->multi_add_handle(c->multi, c->request.easy);
    while (!c->finished && *ret_slow == NULL && !is_unwanted(c)) {
        (void)c->curl->multi_perform(c->multi, &running);
        read_result(c);
        if (c->finished)
            break;
        *ret_slow = too_slow(c, ret_what);
        (void)c->curl->multi_poll(c->multi, &stop, stop.fd >= 0 ? 1 : 0, 250, NULL);
    }
    (void)c->curl->multi_remove_handle(c->multi, c->request.easy);
    return !c->finished && *ret_slow == NULL ? stop_err(err) : 0;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Goes where the answer points. 1: it is followed; 0: it is the answer. */
static int follow(struct http_client *c, struct asking *q, struct arena *a, struct err *err)
{
    struct str location = http_header_get(&c->request.answer, "location");
    ARENA_SCOPED scratch = {0};
    const char *host = url_authority(&scratch, &q->url);
    struct url next;

    if (q->request->redirects == 0 || !is_redirect(c->request.answer.status) ||
        location.ptr == NULL)
        return 0;
    if (url_join(&next, a, &q->url, location, err) < 0)
        return err_wrap(err, "%s redirects to a bad address", host);
    if (q->request->same_origin_only && !url_same_origin(&next, &q->request->url))
        return 0;
    if (q->hops++ == q->request->redirects)
        return err_set(err, ERR_NET, "%s: the redirects do not end", host);
    if (request_allowed(&c->net, &next, q->url.tls, err) < 0)
        return err_wrap(err, "%s redirects", host);
    q->left = q->left || !url_same_origin(&next, &q->request->url);
    q->url = next;
    return 1;
}

static void hand_over(struct http_answer *out, struct arena *a, struct http_client *c,
                      const struct asking *q)
{
    const struct http_answer *from = &c->request.answer;
    struct http_header *headers = arena_array(a, struct http_header, from->header_count);

    for (size_t i = 0; i < from->header_count; i++)
        headers[i] = (struct http_header){str_copy(a, from->headers[i].name),
                                          str_copy(a, from->headers[i].value)};
    *out = (struct http_answer){.status = from->status,
                                .headers = headers,
                                .header_count = from->header_count,
                                .body = c->body_limit > 0 ? buf_str(&c->body) : (struct str){0},
                                .url = q->url};
}

static bool encoded(const struct http_answer *answer)
{
    struct str coding = http_header_get(answer, "content-encoding");

    return coding.len > 0 && !str_eq_nocase(coding, STR("identity"));
}

static const char *proxy_words(const struct asking *q, struct arena *a)
{
    const char *variable = request_proxy_variable(&q->url);

    return str_format(a, "the proxy that %s names wants credentials (407)",
                      variable != NULL ? variable : "the environment");
}

/* What is wrong with an exchange that has ended; NULL: it brought an answer. */
static const char *judge(struct http_client *c, const struct asking *q, enum retry_what *ret_what,
                         int *ret_status, struct arena *a)
{
    const struct http_answer *answer = &c->request.answer;
    const char *words;

    if (c->verdict > 0)
        return NULL;
    if (c->result != CURLE_OK && c->drained <= DRAIN_BYTES) {
        *ret_what = request_failure(&c->request, c->result, &words, a);
        return words;
    }
    *ret_what = RETRY_CUT;
    if (!c->request.whole_headers)
        return "the connection was closed within the headers";
    *ret_what = RETRY_ENCODED;
    if (encoded(answer))
        return str_format(a, "it answers in a coding that was not asked for (%.64s)",
                          http_header_get(answer, "content-encoding").ptr);
    *ret_what = RETRY_PROXY_AUTH;
    if (answer->status == 407)
        return proxy_words(q, a);
    *ret_what = RETRY_STATUS;
    *ret_status = answer->status;
    if (q->request->once)
        return NULL;
    if (answer->status < 500 && answer->status != 408 && answer->status != 425 &&
        answer->status != 429)
        return NULL;
    return str_format(a, "it answers %d", answer->status);
}

static void begin(struct http_client *c, const struct http_request *request, struct arena *a)
{
    c->body_limit = request->body_limit;
    c->body = buf_new(a, c->body_limit);
    c->first_byte_ms = request->first_byte_ms != 0 ? request->first_byte_ms : c->net.first_byte_ms;
    c->drained = 0;
    c->too_long = false;
    c->verdict = 0;
    if (c->stream != NULL)
        c->lines = lines_new(a, c->stream->line_limit);
}

/* What came of a stream that has ended: its last line may lack its end. 0: nothing is wrong. */
static int end_stream(struct http_client *c, struct asking *q, const char *words, struct err *err)
{
    ARENA_SCOPED a = {0};

    if (words == NULL && c->verdict == 0) {
        lines_end(&c->lines);
        (void)hand_lines(c);
    }
    if (c->verdict < 0) {
        *err = c->line_err;
        return -1;
    }
    if (words != NULL && c->lines.count > 0)
        return err_set(err, ERR_NET, "%s: %s", url_authority(&a, &q->url), words);
    return 0;
}

/* One exchange. 1: an answer; 0: none, try again; -1: final. */
static int exchange(struct http_client *c, struct asking *q, struct arena *a, struct err *err)
{
    const struct http_request *request = q->request;
    struct request_ask ask = {.url = &q->url,
                              .method = request->method,
                              .authorization = q->left ? NULL : request->authorization,
                              .accept = request->accept,
                              .last_event_id = request->last_event_id,
                              .json = request->json,
                              .direct = request->named_by_operator && url_is_loopback(&q->url)};
    enum retry_what what = RETRY_CUT;
    const char *slow;
    int status = 0;

    begin(c, request, a);
    if (request->range != NULL)
        ask.range = str_starts(str_from(request->range), STR("bytes=")) ? request->range + 6
                                                                        : request->range;
    if (request_prepare(&c->request, &ask, err) < 0 || http_run(c, &slow, &what, err) < 0)
        return -1;
    if (slow == NULL)
        slow = judge(c, q, &what, &status, a);
    if (is_streaming(c) && !c->too_long && end_stream(c, q, slow, err) < 0)
        return -1;
    /* libcurl's word for a line of headers beyond its limit; our own memory never runs out here. */
    if (c->too_long || c->request.too_many_headers || c->result == CURLE_OUT_OF_MEMORY)
        return err_set(err, ERR_LIMIT, "%s: the answer is longer than it may be",
                       url_authority(a, &q->url));
    if (slow == NULL)
        return 1;
    q->words = slow;
    return http_again(c, q, what, status, err);
}

static int ask(struct http_answer *out, struct arena *a, struct http_client *client,
               const struct http_request *request, struct err *err)
{
    struct asking q = {
        .request = request, .url = request->url, .began_ms = clock_now_ms(client->net.clock)};
    int step;

    if (!request->named_by_operator && request_allowed(&client->net, &q.url, false, err) < 0)
        return -1;
    for (;;) {
        step = exchange(client, &q, a, err);
        if (step < 0)
            return -1;
        if (step == 0)
            continue;
        step = follow(client, &q, a, err);
        if (step < 0)
            return -1;
        if (step == 0)
            break;
    }
    hand_over(out, a, client, &q);
    return 0;
}

int http_get(struct http_answer *out, struct arena *a, struct http_client *client,
             const struct http_request *request, struct err *err)
{
    client->stream = NULL;
    return ask(out, a, client, request, err);
}

bool http_is_allowed(const struct net_config *net, const struct url *url)
{
    struct err ignored = {0};

    return request_allowed(net, url, false, &ignored) == 0;
}

bool http_was_sent(const struct http_client *client)
{
    return client->request.sent_ms != 0;
}

int http_stream(struct http_answer *out, struct arena *a, struct http_client *client,
                const struct http_request *request, struct http_stream *stream, struct err *err)
{
    int r;

    assert(request->redirects == 0);
    client->stream = stream;
    r = ask(out, a, client, request, err);
    client->stream = NULL;
    return r;
}
