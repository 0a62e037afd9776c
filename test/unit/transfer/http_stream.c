#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "scripted.h"
#include "sys/stop.h"
#include "text/buf.h"
#include "transfer/http.h"

#define OK(headers, body) "HTTP/1.1 200 OK\r\n" headers "\r\n" body

struct asking {
    struct arena arena;
    struct scripted server;
    struct http_client *client;
    struct http_answer answer;
    struct buf lines; /* each followed by "|" */
    struct err err;
};

/* "end" is the end, "fail" an error. */
static int on_line(void *ctx, struct str line, struct err *err)
{
    struct asking *q = ctx;

    buf_addf(&q->lines, STR_FMT "|", STR_ARG(line));
    if (str_eqz(line, "fail"))
        return err_set(err, ERR_NO_SPACE, "the line says so");
    return str_eqz(line, "end");
}

static int ask(struct asking *q, const char *const *answers, struct http_request request)
{
    struct net_config net = {.clock = clock_real(), .give_up_ms = 2000};
    struct http_stream stream = {.on_line = on_line, .ctx = q, .line_limit = 16, .idle_ms = 300};
    struct err err;
    int got;

    *q = (struct asking){0};
    q->lines = buf_new(&q->arena, 1000);
    scripted_start(&q->server, answers);
    q->client = http_client_new(&net, &err);
    assert_non_null(q->client);
    assert_int_equal(
        url_parse(&request.url, &q->arena,
                  str_from(str_format(&q->arena, "http://127.0.0.1:%u/a", q->server.port)), &err),
        0);
    got = http_stream(&q->answer, &q->arena, q->client, &request, &stream, &q->err);
    scripted_stop(&q->server);
    return got;
}

static void done(struct asking *q)
{
    http_client_free(&q->client);
    arena_free(&q->arena);
}

static void a_body_is_sent_and_lines_are_handed_over(void **state)
{
    static const char *const answers[] = {
        OK("Transfer-Encoding: chunked\r\n", "4\r\none\n\r\n5\r\ntwo\nl\r\n3\r\nine\r\n0\r\n\r\n"),
        NULL};
    struct asking q;

    (void)state;
    assert_int_equal(
        ask(&q, answers,
            (struct http_request){.method = "POST", .json = STR("{\"a\":1}"), .body_limit = 9}),
        0);
    assert_int_equal(q.answer.status, 200);
    assert_int_equal(q.answer.body.len, 0);
    assert_string_equal(q.lines.ptr, "one|two|line|");
    assert_non_null(strstr(q.server.requests[0], "POST /a HTTP/1.1\r\n"));
    assert_non_null(strstr(q.server.requests[0], "Content-Type: application/json\r\n"));
    assert_non_null(strstr(q.server.requests[0], "Content-Length: 7\r\n"));
    assert_null(strstr(q.server.requests[0], "Expect:"));
    done(&q);
}

static void a_line_can_end_it_well_or_with_an_error(void **state)
{
    static const char *const well[] = {OK("Content-Length: 99\r\n", "one\nend\nnever\n"), NULL};
    static const char *const ill[] = {OK("Content-Length: 99\r\n", "fail\nnever\n"), NULL};
    static const char *const last[] = {OK("Content-Length: 4\r\n", "fail"), NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, well, (struct http_request){0}), 0);
    assert_string_equal(q.lines.ptr, "one|end|");
    done(&q);
    assert_int_equal(ask(&q, ill, (struct http_request){0}), -1);
    assert_string_equal(q.err.msg, "the line says so");
    assert_string_equal(q.lines.ptr, "fail|");
    done(&q);
    assert_int_equal(ask(&q, last, (struct http_request){0}), -1);
    assert_string_equal(q.err.msg, "the line says so");
    done(&q);
}

static void a_refusal_is_an_answer_with_its_body_and_no_line(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 400 B\r\nContent-Length: 3\r\n\r\nno\n", NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 9}), 0);
    assert_int_equal(q.answer.status, 400);
    assert_true(str_eqz(q.answer.body, "no\n"));
    assert_string_equal(q.lines.ptr, "");
    done(&q);
}

static void it_is_tried_again_before_the_first_line_only(void **state)
{
    static const char *const before[] = {"", OK("Content-Length: 9\r\n", ""),
                                         OK("Content-Length: 4\r\n", "one\n"), NULL};
    static const char *const after[] = {OK("Content-Length: 9\r\n", "one\ntw"),
                                        OK("Content-Length: 4\r\n", "two\n"), NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, before, (struct http_request){0}), 0);
    assert_string_equal(q.lines.ptr, "one|");
    assert_int_equal(q.server.asked, 3);
    done(&q);
    assert_int_equal(ask(&q, after, (struct http_request){0}), -1);
    assert_int_equal(q.err.code, ERR_NET);
    assert_non_null(strstr(q.err.msg, "the connection was closed before the end"));
    assert_string_equal(q.lines.ptr, "one|");
    done(&q);
}

static void once_is_one_try_and_any_status_an_answer(void **state)
{
    static const char *const cut[] = {"", OK("Content-Length: 4\r\n", "one\n"), NULL};
    static const char *const busy[] = {"HTTP/1.1 503 S\r\nContent-Length: 2\r\n\r\nno", NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, cut, (struct http_request){.once = true}), -1);
    assert_int_equal(q.err.code, ERR_NET);
    assert_non_null(strstr(q.err.msg, "closed without an answer"));
    assert_null(strstr(q.err.msg, "tried"));
    assert_true(http_was_sent(q.client));
    done(&q);
    assert_int_equal(ask(&q, busy, (struct http_request){.once = true, .body_limit = 9}), 0);
    assert_int_equal(q.answer.status, 503);
    assert_true(str_eqz(q.answer.body, "no"));
    done(&q);
}

static void a_line_beyond_its_limit_is_an_error(void **state)
{
    static const char *const answers[] = {OK("Content-Length: 99\r\n", "one\n01234567890123456\n"),
                                          NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, (struct http_request){0}), -1);
    assert_int_equal(q.err.code, ERR_LIMIT);
    assert_non_null(strstr(q.err.msg, "longer than it may be"));
    done(&q);
}

/* A server that sends the beginning of an answer and then nothing, until it is told to go. */
struct silent {
    int fd;
    unsigned port;
    int end[2];
    const char *begins;
    pthread_t thread;
};

static void *keep_silent(void *ctx)
{
    struct silent *s = ctx;
    int client = accept(s->fd, NULL, NULL);
    char byte;

    if (client < 0)
        return NULL;
    (void)send(client, s->begins, strlen(s->begins), MSG_NOSIGNAL);
    if (strstr(s->begins, "stop\n") != NULL)
        stop_request(SIGTERM);
    while (read(s->end[0], &byte, 1) > 0)
        ;
    (void)close(client);
    return NULL;
}

static uint64_t ask_silent(struct asking *q, const char *begins)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    struct silent s = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .begins = begins};
    struct net_config net = {.clock = clock_real(), .give_up_ms = 2000};
    struct http_stream stream = {.on_line = on_line, .ctx = q, .line_limit = 16, .idle_ms = 300};
    struct http_request request = {.once = true, .named_by_operator = true};
    uint64_t began_ms = clock_now_ms(clock_real());
    struct err err;

    *q = (struct asking){0};
    q->lines = buf_new(&q->arena, 1000);
    assert_int_equal(pipe(s.end), 0);
    assert_int_equal(bind(s.fd, (const struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(s.fd, 1), 0);
    assert_int_equal(getsockname(s.fd, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(pthread_create(&s.thread, NULL, keep_silent, &s), 0);
    q->client = http_client_new(&net, &err);
    assert_int_equal(
        url_parse(&request.url, &q->arena,
                  str_from(str_format(&q->arena, "http://127.0.0.1:%u/a", ntohs(at.sin_port))),
                  &err),
        0);
    assert_int_equal(http_stream(&q->answer, &q->arena, q->client, &request, &stream, &q->err), -1);
    (void)close(s.end[1]);
    (void)pthread_join(s.thread, NULL);
    (void)close(s.end[0]);
    (void)close(s.fd);
    return clock_now_ms(clock_real()) - began_ms;
}

static void silence_after_a_line_is_a_stall(void **state)
{
    struct asking q;
    uint64_t took_ms;

    (void)state;
    took_ms = ask_silent(&q, OK("Content-Length: 99\r\n", "one\n"));
    assert_int_equal(q.err.code, ERR_NET);
    assert_non_null(strstr(q.err.msg, "nearly nothing comes any more"));
    assert_string_equal(q.lines.ptr, "one|");
    assert_true(took_ms >= 300 && took_ms < 5000);
    done(&q);
}

static void a_stop_ends_a_silent_stream_within_a_second(void **state)
{
    struct asking q;
    struct err err;

    (void)state;
    assert_int_equal(stop_install(&err), 0);
    assert_true(ask_silent(&q, OK("Content-Length: 99\r\n", "stop\n")) < 1000);
    assert_int_equal(q.err.code, ERR_INTERRUPTED);
    stop_request(0);
    done(&q);
}

static void what_the_operator_named_may_be_asked_by_plain_http_on_any_host(void **state)
{
    struct http_request request = {.once = true};
    struct net_config net = {.clock = clock_real(), .give_up_ms = 200};
    struct http_answer answer;
    struct http_client *client;
    ARENA_SCOPED a = {0};
    struct err err = {0};

    (void)state;
    client = http_client_new(&net, &err);
    assert_non_null(client);
    assert_int_equal(url_parse(&request.url, &a, STR("http://ollama.invalid:1/"), &err), 0);
    assert_int_equal(http_get(&answer, &a, client, &request, &err), -1);
    assert_non_null(strstr(err.msg, "would be asked by plain http"));
    request.named_by_operator = true;
    assert_int_equal(http_get(&answer, &a, client, &request, &err), -1);
    assert_null(strstr(err.msg, "plain http"));
    assert_false(http_was_sent(client));
    http_client_free(&client);
}

static void no_proxy_is_asked_for_what_the_operator_named_on_loopback(void **state)
{
    static const char *const answers[] = {OK("Content-Length: 4\r\n", "one\n"), NULL};
    struct asking q;

    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9", 1), 0);
    assert_int_equal(
        ask(&q, answers, (struct http_request){.once = true, .named_by_operator = true}), 0);
    done(&q);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_is_sent_and_lines_are_handed_over),
        cmocka_unit_test(a_line_can_end_it_well_or_with_an_error),
        cmocka_unit_test(a_refusal_is_an_answer_with_its_body_and_no_line),
        cmocka_unit_test(it_is_tried_again_before_the_first_line_only),
        cmocka_unit_test(once_is_one_try_and_any_status_an_answer),
        cmocka_unit_test(a_line_beyond_its_limit_is_an_error),
        cmocka_unit_test(silence_after_a_line_is_a_stall),
        cmocka_unit_test(a_stop_ends_a_silent_stream_within_a_second),
        cmocka_unit_test(what_the_operator_named_may_be_asked_by_plain_http_on_any_host),
        cmocka_unit_test(no_proxy_is_asked_for_what_the_operator_named_on_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
