#include "transfer/http.h"

#include <signal.h>

#include "scripted.h"
#include "sys/stop.h"
#include "transfer/request.h"

#define OK(headers, body) "HTTP/1.1 200 OK\r\n" headers "\r\n" body

static char told[1024];

static void notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)snprintf(told, sizeof(told), "%s", text);
}

struct asking {
    struct arena arena;
    struct scripted server;
    struct http_client *client;
    struct http_answer answer;
    struct err err;
};

/* Asks path of a server that plays the answers. The result of http_get(). */
static int ask_with(struct asking *q, const char *const *answers, struct http_request request,
                    struct net_config net)
{
    struct err err;
    int got;

    *q = (struct asking){0};
    told[0] = '\0';
    scripted_start(&q->server, answers);
    net.clock = clock_real();
    net.notice = notice;
    q->client = http_client_new(&net, &err);
    assert_non_null(q->client);
    assert_int_equal(
        url_parse(&request.url, &q->arena,
                  str_from(str_format(&q->arena, "http://127.0.0.1:%u/a?b=c", q->server.port)),
                  &err),
        0);
    got = http_get(&q->answer, &q->arena, q->client, &request, &q->err);
    scripted_stop(&q->server);
    return got;
}

static int ask(struct asking *q, const char *const *answers, struct http_request request)
{
    return ask_with(q, answers, request, (struct net_config){.give_up_ms = 1000});
}

static void done(struct asking *q)
{
    http_client_free(&q->client);
    arena_free(&q->arena);
}

static bool asked_for(const struct asking *q, size_t n, const char *text)
{
    return strstr(q->server.requests[n], text) != NULL;
}

static void an_answer_has_its_status_headers_and_body(void **state)
{
    static const char *const answers[] = {
        OK("X-One:  1 \r\nx-two: b\r\nX-one: 2\r\nContent-Length: 5\r\n", "hello"), NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 5, .accept = "a/b"}), 0);
    assert_int_equal(q.answer.status, 200);
    assert_true(str_eqz(q.answer.body, "hello"));
    assert_true(str_eqz(http_header_get(&q.answer, "x-one"), "1"));
    assert_true(str_eqz(http_header_get(&q.answer, "x-two"), "b"));
    assert_null(http_header_get(&q.answer, "x-three").ptr);
    assert_true(asked_for(&q, 0, "GET /a?b=c HTTP/1.1\r\n"));
    assert_true(asked_for(&q, 0, "Accept-Encoding: identity\r\n"));
    assert_true(asked_for(&q, 0, "Accept: a/b\r\n"));
    assert_false(asked_for(&q, 0, "Authorization"));
    done(&q);
}

static void a_method_a_range_and_a_token_are_sent(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 206 P\r\nContent-Length: 1\r\n\r\nx", NULL};
    struct http_request request = {
        .range = "bytes=0-0", .authorization = "Bearer t", .body_limit = 10};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, request), 0);
    assert_int_equal(q.answer.status, 206);
    assert_true(asked_for(&q, 0, "Range: bytes=0-0\r\n"));
    assert_true(asked_for(&q, 0, "Authorization: Bearer t\r\n"));
    done(&q);
    request = (struct http_request){.method = "HEAD"};
    assert_int_equal(ask(&q, answers, request), 0);
    assert_true(asked_for(&q, 0, "HEAD /a"));
    done(&q);
    request = (struct http_request){.method = "OPTIONS"};
    assert_int_equal(ask(&q, answers, request), 0);
    assert_true(asked_for(&q, 0, "OPTIONS /a"));
    done(&q);
}

static void a_body_beyond_its_limit_is_an_error_at_once(void **state)
{
    static const char *const answers[] = {OK("Content-Length: 6\r\n", "hello!"), NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 5}), -1);
    assert_int_equal(q.err.code, ERR_LIMIT);
    done(&q);
}

static void a_body_that_nobody_wants_may_be_endless(void **state)
{
    static char endless[300000] = OK("", "");
    const char *const answers[] = {endless, NULL};
    struct asking q;

    (void)state;
    memset(endless + strlen(endless), 'x', sizeof(endless) - 1 - strlen(endless));
    assert_int_equal(ask(&q, answers, (struct http_request){0}), 0);
    assert_int_equal(q.answer.status, 200);
    assert_int_equal(q.answer.body.len, 0);
    done(&q);
}

static void a_refusal_is_an_answer(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 404 N\r\nContent-Length: 2\r\n\r\nno", NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 100}), 0);
    assert_int_equal(q.answer.status, 404);
    assert_true(str_eqz(q.answer.body, "no"));
    done(&q);
}

static void what_passes_is_asked_again_and_told(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 503 S\r\nContent-Length: 0\r\n\r\n", "",
        OK("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"),
        OK("Content-Length: 2\r\n", "ok"), NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask_with(&q, answers, (struct http_request){.body_limit = 100},
                              (struct net_config){.give_up_ms = 10000}),
                     0);
    assert_true(str_eqz(q.answer.body, "ok"));
    assert_int_equal(q.server.asked, 4);
    assert_non_null(strstr(told, "a coding that was not asked for (gzip); trying again"));
    done(&q);
}

static void what_does_not_pass_is_said_with_how_long_it_was_tried(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 500 S\r\n\r\n",
                                          "HTTP/1.1 500 S\r\n\r\n",
                                          "HTTP/1.1 500 S\r\n\r\n",
                                          "HTTP/1.1 500 S\r\n\r\n",
                                          "HTTP/1.1 500 S\r\n\r\n",
                                          "HTTP/1.1 500 S\r\n\r\n",
                                          NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 100}), -1);
    assert_int_equal(q.err.code, ERR_NET);
    assert_non_null(strstr(q.err.msg, "it answers 500; tried "));
    assert_non_null(strstr(q.err.hint, "--give-up"));
    done(&q);
}

static void redirects_are_followed_with_the_token_on_the_origin_only(void **state)
{
    static const char *const at_home[] = {
        "HTTP/1.1 307 T\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
        OK("Content-Length: 4\r\n", "home"), NULL};
    struct http_request request = {.body_limit = 100, .redirects = 2, .authorization = "Bearer t"};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, at_home, request), 0);
    assert_true(str_eqz(q.answer.body, "home"));
    assert_true(str_eqz(q.answer.url.target, "/there"));
    assert_true(asked_for(&q, 1, "GET /there HTTP/1.1\r\n"));
    assert_true(asked_for(&q, 1, "Authorization: Bearer t\r\n"));
    done(&q);
}

static void a_token_does_not_come_back_after_another_host(void **state)
{
    static char away_answer[200];
    static char home_answer[200];
    const char *const at_home[] = {home_answer, OK("Content-Length: 4\r\n", "home"), NULL};
    const char *const away[] = {away_answer, NULL};
    struct http_request request = {.redirects = 5, .body_limit = 9, .authorization = "Bearer t"};
    ARENA_SCOPED a = {0};
    struct scripted home, other;
    struct net_config net = {.clock = clock_real(), .give_up_ms = 1000};
    struct http_answer answer;
    struct http_client *client;
    struct err err;

    (void)state;
    scripted_start(&home, at_home);
    scripted_start(&other, away);
    (void)snprintf(home_answer, sizeof(home_answer),
                   "HTTP/1.1 302 F\r\nLocation: http://localhost:%u/x\r\n\r\n", other.port);
    (void)snprintf(away_answer, sizeof(away_answer),
                   "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:%u/y\r\n\r\n", home.port);
    client = http_client_new(&net, &err);
    assert_non_null(client);
    assert_int_equal(url_parse(&request.url, &a,
                               str_from(str_format(&a, "http://127.0.0.1:%u/", home.port)), &err),
                     0);
    assert_int_equal(http_get(&answer, &a, client, &request, &err), 0);
    assert_true(str_eqz(answer.body, "home"));
    assert_non_null(strstr(home.requests[0], "Authorization"));
    assert_null(strstr(other.requests[0], "Authorization"));
    assert_null(strstr(home.requests[1], "Authorization"));
    scripted_stop(&home);
    scripted_stop(&other);
    http_client_free(&client);
}

static void a_redirect_that_leaves_can_be_the_answer(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 302 F\r\nLocation: https://cdn.example/x\r\nContent-Length: 0\r\n\r\n", NULL};
    struct asking q;

    (void)state;
    assert_int_equal(
        ask(&q, answers, (struct http_request){.redirects = 3, .same_origin_only = true}), 0);
    assert_int_equal(q.answer.status, 302);
    assert_true(str_eqz(http_header_get(&q.answer, "location"), "https://cdn.example/x"));
    done(&q);
    assert_int_equal(ask(&q, answers, (struct http_request){0}), 0);
    assert_int_equal(q.answer.status, 302);
    done(&q);
}

static void redirects_have_their_limits(void **state)
{
    static const struct {
        const char *answer;
        const char *says;
    } rows[] = {
        {"HTTP/1.1 302 F\r\nLocation: /a\r\n\r\n", "the redirects do not end"},
        {"HTTP/1.1 302 F\r\nLocation: ftp://x/\r\n\r\n", "redirects to a bad address"},
        {"HTTP/1.1 302 F\r\nLocation: http://example.com/\r\n\r\n", "example.com would be asked by "
                                                                    "plain http"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const answers[] = {rows[i].answer, rows[i].answer, rows[i].answer, NULL};
        struct asking q;

        assert_int_equal(ask(&q, answers, (struct http_request){.redirects = 2}), -1);
        if (strstr(q.err.msg, rows[i].says) == NULL)
            fail_msg("no \"%s\" in: %s", rows[i].says, q.err.msg);
        done(&q);
    }
}

static void headers_have_their_limits(void **state)
{
    static char many[20000] = "HTTP/1.1 200 OK\r\n";
    static char long_one[90000] = "HTTP/1.1 200 OK\r\nX: ";
    const char *const texts[] = {many, long_one};

    (void)state;
    for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
        (void)snprintf(many + strlen(many), 20, "X-%d: y\r\n", i);
    memset(long_one + strlen(long_one), 'x', HTTP_HEADER_BYTES_MAX);
    memcpy(long_one + strlen(long_one), "\r\n\r\n", 4);
    for (size_t i = 0; i < 2; i++) {
        const char *const answers[] = {texts[i], NULL};
        struct asking q;

        assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 10}), -1);
        assert_int_equal(q.err.code, ERR_LIMIT);
        done(&q);
    }
}

static void headers_that_are_cut_off_are_asked_for_again(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Le", OK("", "all"), NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 10}), 0);
    assert_true(str_eqz(q.answer.body, "all"));
    assert_int_equal(q.server.asked, 2);
    done(&q);
}

static void a_proxy_that_wants_credentials_is_final(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 407 P\r\nContent-Length: 0\r\n\r\n", NULL};
    struct asking q;

    (void)state;
    assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 10}), -1);
    assert_int_equal(q.err.code, ERR_NET);
    assert_non_null(strstr(q.err.msg, "wants credentials (407)"));
    done(&q);
}

static void a_stop_ends_the_waiting(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 503 S\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n", NULL};
    uint64_t began_ms = clock_now_ms(clock_real());
    struct asking q;
    struct err err;

    (void)state;
    assert_int_equal(stop_install(&err), 0);
    stop_request(SIGTERM);
    assert_int_equal(ask(&q, answers, (struct http_request){.body_limit = 10}), -1);
    assert_int_equal(q.err.code, ERR_INTERRUPTED);
    assert_true(clock_now_ms(clock_real()) - began_ms < 1000);
    stop_request(0);
    done(&q);
}

struct cancelling {
    struct http_client *client;
    int fd;
};

/* Takes the connection, and leaves the request without an answer. */
static void *cancel_once_asked(void *ctx)
{
    const struct cancelling *c = ctx;
    int fd = accept(c->fd, NULL, NULL);

    http_client_cancel(c->client);
    return fd >= 0 && shutdown(fd, SHUT_RD) == 0 ? ctx : NULL;
}

static void a_client_that_is_cancelled_ends_what_it_is_at_and_all_later(void **state)
{
    struct net_config net = {.clock = clock_real(), .first_byte_ms = 2000, .give_up_ms = 1000};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct http_request request = {.body_limit = 5};
    struct http_answer answer;
    struct err err = {0};
    struct cancelling c = {.client = http_client_new(&net, &err),
                           .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ARENA_SCOPED a = {0};
    pthread_t thread;

    (void)state;
    assert_non_null(c.client);
    assert_int_equal(bind(c.fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(c.fd, 1), 0);
    assert_int_equal(getsockname(c.fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(
        url_parse(&request.url, &a,
                  str_from(str_format(&a, "http://127.0.0.1:%u/", ntohs(address.sin_port))), &err),
        0);
    assert_int_equal(pthread_create(&thread, NULL, cancel_once_asked, &c), 0);
    for (int i = 0; i < 2; i++) {
        err = (struct err){0};
        assert_int_equal(http_get(&answer, &a, c.client, &request, &err), -1);
        assert_int_equal(err.code, ERR_INTERRUPTED);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    http_client_free(&c.client);
    (void)close(c.fd);
}

static void who_may_be_asked_by_plain_http(void **state)
{
    static const char *const named[] = {"mirror.example", "other.example:8080", NULL};
    static const struct {
        const char *url;
        bool from_tls;
        bool allowed;
    } rows[] = {
        {"https://example.com/", true, true},       {"https://example.com/", false, true},
        {"http://example.com/", false, false},      {"http://127.0.0.1:8080/", false, true},
        {"http://localhost/", false, true},         {"http://[::1]:80/", false, true},
        {"http://localhost/", true, false},         {"http://mirror.example/", false, true},
        {"http://mirror.example:99/", false, true}, {"http://MIRROR.example/", false, true},
        {"http://mirror.example/", true, false},    {"http://other.example:8080/", false, true},
        {"http://other.example/", false, false},
    };
    struct net_config net = {.insecure_http = named};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ARENA_SCOPED a = {0};
        struct url url;
        struct err err;

        assert_int_equal(url_parse(&url, &a, str_from(rows[i].url), &err), 0);
        if ((request_allowed(&net, &url, rows[i].from_tls, &err) == 0) != rows[i].allowed)
            fail_msg("%s", rows[i].url);
    }
}

static void hosts_are_named_as_people_write_them(void **state)
{
    static const char *const rows[][2] = {{"https://a.example/x", "a.example"},
                                          {"https://a.example:8443/x", "a.example:8443"},
                                          {"http://a.example/x", "a.example"},
                                          {"http://a.example:443/x", "a.example:443"},
                                          {"https://[2001:db8::1]/x", "[2001:db8::1]"},
                                          {"https://[2001:db8::1]:1/x", "[2001:db8::1]:1"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ARENA_SCOPED a = {0};
        struct url url;
        struct err err;

        assert_int_equal(url_parse(&url, &a, str_from(rows[i][0]), &err), 0);
        assert_string_equal(url_authority(&a, &url), rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_its_status_headers_and_body),
        cmocka_unit_test(a_method_a_range_and_a_token_are_sent),
        cmocka_unit_test(a_body_beyond_its_limit_is_an_error_at_once),
        cmocka_unit_test(a_body_that_nobody_wants_may_be_endless),
        cmocka_unit_test(a_refusal_is_an_answer),
        cmocka_unit_test(what_passes_is_asked_again_and_told),
        cmocka_unit_test(what_does_not_pass_is_said_with_how_long_it_was_tried),
        cmocka_unit_test(redirects_are_followed_with_the_token_on_the_origin_only),
        cmocka_unit_test(a_token_does_not_come_back_after_another_host),
        cmocka_unit_test(a_redirect_that_leaves_can_be_the_answer),
        cmocka_unit_test(redirects_have_their_limits),
        cmocka_unit_test(headers_have_their_limits),
        cmocka_unit_test(headers_that_are_cut_off_are_asked_for_again),
        cmocka_unit_test(a_proxy_that_wants_credentials_is_final),
        cmocka_unit_test(a_stop_ends_the_waiting),
        cmocka_unit_test(a_client_that_is_cancelled_ends_what_it_is_at_and_all_later),
        cmocka_unit_test(who_may_be_asked_by_plain_http),
        cmocka_unit_test(hosts_are_named_as_people_write_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
