#include "source/source.h"

#include <stdio.h>

#include "../check.h"

#define SHA1   "63a8b081895390a26e140280378bc85ec8bce07a"
#define SHA256 "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"

struct scene {
    struct arena arena;
    struct net_config net;
    struct source_config config;
    struct source_session session;
    struct model_file file;
    struct manifest manifest;
};

static int open_session(struct scene *s, const char *endpoint, const char *token, struct err *err)
{
    *s = (struct scene){.net = {.clock = clock_real(), .user_agent = "test"}};
    s->config = (struct source_config){
        .net = &s->net, .hf_endpoint = endpoint, .hf_token = {.hf_token = token}};
    s->file = (struct model_file){.path = "a/b #%?\xc3\xa9.bin", .size = 1000, .wanted = true};
    s->manifest = (struct manifest){.commit = SHA1, .files = &s->file, .file_count = 1};
    assert_int_equal(ref_parse(&s->manifest.ref, &s->arena, STR("hf:org/name"), err), 0);
    assert_int_equal(digest_parse(&s->file.digest, STR(SHA256), err), 0);
    return source_open(&s->session, &s->arena, "hf", &s->config, err);
}

static void close_session(struct scene *s)
{
    source_close(&s->session);
    arena_free(&s->arena);
}

static const struct transfer_origin *origin_of(struct scene *s)
{
    const struct transfer_origin *origin;
    struct err err = {0};

    assert_int_equal(s->session.source->origin(&origin, &s->session, &s->manifest, &s->file, &err),
                     0);
    return origin;
}

static void check_url(const char *endpoint, const char *url)
{
    struct scene s;
    struct err err = {0};

    if (open_session(&s, endpoint, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(str_eqz(origin_of(&s)->url.text, url));
    assert_null(origin_of(&s)->authorization);
    close_session(&s);
}

#define RESOLVED "/org/name/resolve/" SHA1 "/a/b%20%23%25%3F%C3%A9.bin"

static void a_files_url_keeps_the_endpoints_path_and_encodes_its_own(void **state)
{
    (void)state;
    check_url("https://huggingface.co", "https://huggingface.co" RESOLVED);
    check_url("https://HuggingFace.co:443/", "https://huggingface.co" RESOLVED);
    check_url("http://127.0.0.1:8080/hub/x//", "http://127.0.0.1:8080/hub/x" RESOLVED);
}

static void the_token_is_the_origins_authorization(void **state)
{
    struct scene s;
    struct err err = {0};

    (void)state;
    assert_int_equal(open_session(&s, "https://huggingface.co", " hf_x\n", &err), 0);
    assert_string_equal(origin_of(&s)->authorization, "Bearer hf_x");
    close_session(&s);
}

static void a_bad_token_stops_the_opening(void **state)
{
    struct scene s;
    struct err err = {0};

    (void)state;
    assert_int_equal(open_session(&s, "https://huggingface.co", "hf x", &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_null(strstr(err.msg, "hf x"));
    arena_free(&s.arena);
}

static void a_bad_endpoint_is_named(void **state)
{
    static const char *const bad[][2] = {
        {"ftp://x", "HF_ENDPOINT: the URL ftp://x is neither http:// nor https://"},
        {"", "HF_ENDPOINT: the URL is empty"},
        {"https://x?token=secret", "HF_ENDPOINT: the URL https://x/ has a query"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct scene s;
        struct err err = {0};

        assert_int_equal(open_session(&s, bad[i][0], NULL, &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.msg, bad[i][1]);
        arena_free(&s.arena);
    }
}

static void an_unknown_source_is_refused_with_the_list(void **state)
{
    ARENA_SCOPED a = {0};
    struct net_config net = {.clock = clock_real()};
    struct source_config config = {.net = &net, .hf_endpoint = "https://huggingface.co"};
    struct source_session session;
    struct err err = {0};

    (void)state;
    assert_int_equal(source_open(&session, &a, "s3", &config, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.msg, "models of s3 cannot be pulled yet: the sources are hf"));
}

static void the_judge_takes_a_redirect_and_refuses_another_file(void **state)
{
    struct http_header headers[] = {{STR("x-linked-size"), STR("1000")}};
    struct http_answer answer = {.status = 302, .headers = headers, .header_count = 1};
    const struct transfer_origin *origin;
    struct scene s;
    struct err err = {0};

    (void)state;
    assert_int_equal(open_session(&s, "https://huggingface.co", NULL, &err), 0);
    origin = origin_of(&s);
    answer.url = origin->url;
    assert_int_equal(origin->judge(origin->judge_ctx, &answer, &err), 0);
    headers[0].value = STR("999");
    assert_int_equal(origin->judge(origin->judge_ctx, &answer, &err), -1);
    assert_int_equal(err.code, ERR_DIGEST);
    answer.status = 404;
    assert_int_equal(origin->judge(origin->judge_ctx, &answer, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    close_session(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_files_url_keeps_the_endpoints_path_and_encodes_its_own),
        cmocka_unit_test(the_token_is_the_origins_authorization),
        cmocka_unit_test(a_bad_token_stops_the_opening),
        cmocka_unit_test(a_bad_endpoint_is_named),
        cmocka_unit_test(an_unknown_source_is_refused_with_the_list),
        cmocka_unit_test(the_judge_takes_a_redirect_and_refuses_another_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
