/* The source of Ollama's registries, before one that is played word by word. */
#include "source/ollama.h"

#include "../transfer/scripted.h"
#include "model/ollama_manifest.h"

#define HEX "1111111111111111111111111111111111111111111111111111111111111111"
#define BODY                                                                            \
    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"c\",\"digest\":\"sha256:" HEX     \
    "\",\"size\":1},\"layers\":[{\"mediaType\":\"application/vnd.ollama.image.model\"," \
    "\"digest\":\"sha256:" HEX "\",\"size\":1}]}"
#define COMMIT    "2e7dd94b5c5d7898b72c194dc988c4684078e19b43c731252eda5fe32d372ff8"
#define OK        "HTTP/1.1 200 O\r\nContent-Length: "
#define MANIFEST  OK "292\r\n\r\n" BODY
#define DIGEST    "Docker-Content-Digest: sha256:"
#define TOKEN_1   (OK "14\r\n\r\n{\"token\":\"t1\"}")
#define TOKEN_2   (OK "14\r\n\r\n{\"token\":\"t2\"}")
#define ELSEWHERE "HTTP/1.1 307 T\r\nLocation: https://cdn.example/\r\n\r\n"
#define GONE      "HTTP/1.1 404 N\r\n\r\n"
#define REFUSED   "HTTP/1.1 401 U\r\nContent-Length: 0\r\n"

struct scene {
    struct arena arena;
    struct net_config net;
    struct source_config config;
    struct source_session session;
    struct scripted server;
    char registry[64];
    char challenge[256]; /* an answer that leads to the same server for a token */
    struct model_ref ref;
    struct manifest manifest;
    struct model_file file;
    struct err err;
};

static void open_session(struct scene *s, const char *registry, const char *name)
{
    s->net = (struct net_config){.clock = clock_real(), .user_agent = "test", .give_up_ms = 500};
    s->config = (struct source_config){.net = &s->net, .ollama_registry = registry};
    s->file = (struct model_file){.path = "model", .size = 1, .wanted = true};
    assert_int_equal(digest_parse(&s->file.digest, STR(HEX), &s->err), 0);
    if (ref_parse(&s->ref, &s->arena, str_from(name), &s->err) < 0 ||
        source_open(&s->session, &s->arena, "ollama", &s->config, &s->err) < 0)
        fail_msg("%s", s->err.msg);
}

static void close_session(struct scene *s)
{
    source_close(&s->session);
    arena_free(&s->arena);
}

/* A registry under a path on this machine plays the answers; NULL in them is the challenge. */
static void serve(struct scene *s, const char **answers, size_t count)
{
    *s = (struct scene){0};
    for (size_t i = 0; i + 1 < count; i++)
        if (answers[i] == NULL)
            answers[i] = s->challenge;
    scripted_start(&s->server, answers);
    (void)snprintf(s->registry, sizeof(s->registry), "http://127.0.0.1:%u/mirror/", s->server.port);
    (void)snprintf(s->challenge, sizeof(s->challenge),
                   REFUSED "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%u/auth\","
                           "service=\"r\"\r\n\r\n",
                   s->server.port);
    open_session(s, s->registry, "ollama:m:7b");
}

#define SERVE(s, ...)                            \
    const char *answers[] = {__VA_ARGS__, NULL}; \
    serve(s, answers, sizeof(answers) / sizeof(answers[0]))

static void done(struct scene *s)
{
    scripted_stop(&s->server);
    close_session(s);
}

static int get_manifest(struct scene *s)
{
    return s->session.source->manifest(&s->manifest, &s->session, &s->ref, &s->err);
}

static bool asked(const struct scene *s, size_t n, const char *text)
{
    return n < s->server.asked && strstr(s->server.requests[n], text) != NULL;
}

static const struct transfer_origin *origin_of(struct scene *s)
{
    const struct transfer_origin *origin;
    struct manifest m = {.ref = s->ref, .files = &s->file, .file_count = 1};

    if (s->session.source->origin(&origin, &s->session, &m, &s->file, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    return origin;
}

static void a_blobs_url_is_at_the_registry_of_its_name(void **state)
{
    static const char *const insecure[] = {"plain.example", NULL};
    static const char *const rows[][2] = {
        {"ollama:llava:7b", "http://127.0.0.1:5000/a/b/v2/library/llava/blobs/sha256:" HEX},
        {"ollama:ns/m", "http://127.0.0.1:5000/a/b/v2/ns/m/blobs/sha256:" HEX},
        {"ollama:hf.co/org/m:Q4", "https://hf.co/v2/org/m/blobs/sha256:" HEX},
        {"ollama:HF.co:8443/org/m", "https://hf.co:8443/v2/org/m/blobs/sha256:" HEX},
        {"ollama:localhost:5000/ns/m", "http://localhost:5000/v2/ns/m/blobs/sha256:" HEX},
        {"ollama:127.0.0.1/ns/m", "http://127.0.0.1/v2/ns/m/blobs/sha256:" HEX},
        {"ollama:plain.example:80/ns/m", "http://plain.example/v2/ns/m/blobs/sha256:" HEX},
        {"ollama:other.example:80/ns/m", "https://other.example:80/v2/ns/m/blobs/sha256:" HEX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene s = {0};

        open_session(&s, "http://127.0.0.1:5000/a/b/", rows[i][0]);
        s.net.insecure_http = insecure;
        assert_string_equal(origin_of(&s)->url.text.ptr, rows[i][1]);
        assert_null(origin_of(&s)->authorize(origin_of(&s)->judge_ctx));
        close_session(&s);
    }
}

static void a_registry_that_is_no_url_is_named(void **state)
{
    static const char *const rows[][2] = {
        {"ftp://x", "OLLAMA_REGISTRY: the URL ftp://x is neither http:// nor https://"},
        {"https://x/?k=secret", "OLLAMA_REGISTRY: the URL https://x/ has a query"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene s = {0};

        open_session(&s, rows[i][0], "ollama:m");
        assert_int_equal(get_manifest(&s), -1);
        assert_string_equal(s.err.msg, rows[i][1]);
        assert_int_equal(s.err.code, ERR_USAGE);
        close_session(&s);
    }
}

static void a_manifest_is_one_request(void **state)
{
    struct scene s;
    SERVE(&s, MANIFEST);

    (void)state;
    assert_int_equal(get_manifest(&s), 0);
    assert_string_equal(s.manifest.commit, COMMIT);
    assert_string_equal(s.manifest.ref.text, "ollama:m:7b");
    assert_true(str_eqz(s.manifest.raw, BODY));
    assert_true(asked(&s, 0, "GET /mirror/v2/library/m/manifests/7b HTTP/1.1\r\n"));
    assert_true(asked(&s, 0, "\r\nAccept: " OLLAMA_MANIFEST_ACCEPT "\r\n"));
    assert_false(asked(&s, 0, "Authorization"));
    assert_int_equal(s.server.asked, 1);
    done(&s);
}

static void the_commit_is_the_hash_of_the_manifest(void **state)
{
    const char *commit;
    struct scene s;
    SERVE(&s, MANIFEST);

    (void)state;
    assert_int_equal(s.session.source->commit(&commit, &s.session, &s.ref, &s.err), 0);
    assert_string_equal(commit, COMMIT);
    done(&s);
}

static void a_challenge_is_met_with_a_token(void **state)
{
    struct scene s;
    SERVE(&s, NULL, TOKEN_1, MANIFEST);

    (void)state;
    if (get_manifest(&s) < 0)
        fail_msg("%s", s.err.msg);
    assert_true(asked(&s, 1, "GET /auth?service=r&scope=repository%3Alibrary%2Fm%3Apull HTTP"));
    assert_false(asked(&s, 1, "Authorization"));
    assert_true(asked(&s, 2, "\r\nAuthorization: Bearer t1\r\n"));
    assert_string_equal(origin_of(&s)->authorize(origin_of(&s)->judge_ctx), "Bearer t1");
    done(&s);
}

static void a_token_that_is_refused_at_once_is_the_end(void **state)
{
    struct scene s;
    SERVE(&s, NULL, TOKEN_1, NULL);

    (void)state;
    assert_int_equal(get_manifest(&s), -1);
    assert_int_equal(s.err.code, ERR_AUTH);
    assert_string_equal(
        s.err.msg, str_format(&s.arena, "ollama:m:7b: 127.0.0.1:%u refuses (401)", s.server.port));
    assert_int_equal(s.server.asked, 3);
    done(&s);
}

static void a_realm_that_gives_none_is_the_end(void **state)
{
    struct scene s;
    SERVE(&s, NULL, "HTTP/1.1 403 F\r\nContent-Length: 17\r\n\r\n{\"error\":\"never\"}");

    (void)state;
    assert_int_equal(get_manifest(&s), -1);
    assert_int_equal(s.err.code, ERR_AUTH);
    assert_string_equal(
        s.err.msg, str_format(&s.arena, "ollama:m:7b: 127.0.0.1:%u gives no token (403): never",
                              s.server.port));
    done(&s);
}

static void what_cannot_be_read_is_asked_for_once_more(void **state)
{
    struct scene s;
    SERVE(&s, OK "6\r\n\r\n<html>", OK "1\r\n\r\n{", MANIFEST);

    (void)state;
    assert_int_equal(get_manifest(&s), -1);
    assert_int_equal(s.err.code, ERR_LIMIT);
    assert_non_null(strstr(s.err.msg, "ollama:m:7b: its manifest: its text: broken JSON"));
    assert_int_equal(get_manifest(&s), 0);
    done(&s);
}

static void a_web_page_is_no_manifest(void **state)
{
    struct scene s;
    SERVE(&s, OK "6\r\n\r\n<html>", OK "6\r\n\r\n<html>");

    (void)state;
    assert_int_equal(get_manifest(&s), -1);
    assert_int_equal(s.err.code, ERR_NET);
    assert_string_equal(s.err.msg,
                        str_format(&s.arena,
                                   "ollama:m:7b: a web page came from 127.0.0.1:%u instead of a "
                                   "manifest",
                                   s.server.port));
    done(&s);
}

static void a_text_that_is_not_what_the_registry_says_is_not_believed(void **state)
{
    struct scene s;
    SERVE(&s, OK "292\r\n" DIGEST HEX "\r\n\r\n" BODY, OK "292\r\n" DIGEST HEX "\r\n\r\n" BODY,
          OK "292\r\n" DIGEST COMMIT "\r\n\r\n" BODY);

    (void)state;
    assert_int_equal(get_manifest(&s), -1);
    assert_int_equal(s.err.code, ERR_DIGEST);
    assert_string_equal(s.err.msg, str_format(&s.arena,
                                              "ollama:m:7b: its manifest came as sha256:" COMMIT
                                              ", but 127.0.0.1:%u says sha256:" HEX,
                                              s.server.port));
    assert_int_equal(get_manifest(&s), 0);
    done(&s);
}

static void a_manifest_without_weights_is_refused(void **state)
{
    struct scene s;
    SERVE(&s,
          "HTTP/1.1 200 O\r\n\r\n{\"schemaVersion\":2,\"config\":{\"mediaType\":\"c\",\"digest\":"
          "\"sha256:" HEX "\",\"size\":1},\"layers\":[]}");

    (void)state;
    assert_int_equal(get_manifest(&s), -1);
    assert_int_equal(s.err.code, ERR_USAGE);
    assert_string_equal(s.err.msg, "ollama:m:7b: its manifest names no weights: it runs in "
                                   "Ollama's cloud, or is no model");
    done(&s);
}

/* An answer of the registry to a request for bytes. */
static int judge(struct scene *s, const struct transfer_origin *o, int status)
{
    struct http_header header = {
        STR("www-authenticate"),
        str_from(str_format(&s->arena, "Bearer realm=\"%sauth\"", s->registry))};
    struct http_answer answer = {
        .status = status, .headers = &header, .header_count = 1, .url = o->url};

    return o->judge(o->judge_ctx, &answer, &s->err);
}

static void a_token_that_had_its_day_is_replaced_while_files_come(void **state)
{
    const struct transfer_origin *o;
    struct scene s;
    SERVE(&s, TOKEN_1, TOKEN_2);

    (void)state;
    o = origin_of(&s);
    assert_null(o->authorize(o->judge_ctx));
    source_tend(&s.session);
    assert_int_equal(s.server.asked, 0);
    assert_int_equal(judge(&s, o, 401), 1);
    assert_null(o->authorize(o->judge_ctx));
    assert_int_equal(judge(&s, o, 401), 1);
    source_tend(&s.session);
    source_tend(&s.session);
    assert_int_equal(s.server.asked, 1);
    assert_string_equal(o->authorize(o->judge_ctx), "Bearer t1");
    assert_int_equal(judge(&s, o, 307), 0);
    assert_string_equal(o->authorize(o->judge_ctx), "Bearer t1");
    assert_int_equal(judge(&s, o, 401), 1);
    source_tend(&s.session);
    assert_string_equal(o->authorize(o->judge_ctx), "Bearer t2");
    done(&s);
}

static void tokens_refused_one_after_another_are_the_end(void **state)
{
    const struct transfer_origin *o;
    struct scene s;
    SERVE(&s, TOKEN_1, TOKEN_2);

    (void)state;
    o = origin_of(&s);
    (void)o->authorize(o->judge_ctx);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(judge(&s, o, 401), 1);
        source_tend(&s.session);
        assert_non_null(o->authorize(o->judge_ctx));
    }
    assert_int_equal(judge(&s, o, 401), -1);
    assert_int_equal(s.err.code, ERR_AUTH);
    assert_int_equal(s.server.asked, 2);
    done(&s);
}

static void a_token_that_cannot_be_had_ends_the_file(void **state)
{
    const struct transfer_origin *o;
    struct scene s;
    SERVE(&s, "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n");

    (void)state;
    o = origin_of(&s);
    assert_int_equal(judge(&s, o, 401), 1);
    source_tend(&s.session);
    source_tend(&s.session);
    assert_int_equal(s.server.asked, 1);
    assert_int_equal(judge(&s, o, 401), -1);
    assert_string_equal(
        s.err.msg,
        str_format(&s.arena, "ollama:m:7b: 127.0.0.1:%u gives no token (404)", s.server.port));
    done(&s);
}

static void a_blob_that_is_gone_ends_the_file(void **state)
{
    struct scene s = {0};

    (void)state;
    open_session(&s, "https://r.example", "ollama:m");
    assert_int_equal(judge(&s, origin_of(&s), 404), -1);
    assert_int_equal(s.err.code, ERR_NOT_FOUND);
    assert_string_equal(s.err.msg, "ollama:m: its manifest names model (sha256:" HEX
                                   "), but r.example does not have it");
    close_session(&s);
}

static int look_at_access(struct scene *s)
{
    struct manifest m = {.ref = s->ref, .files = &s->file, .file_count = 1};

    return s->session.source->access(&s->session, &m, &s->err);
}

static void access_is_one_byte_of_one_blob(void **state)
{
    struct scene s;
    SERVE(&s, NULL, TOKEN_1, ELSEWHERE, GONE);

    (void)state;
    if (look_at_access(&s) < 0)
        fail_msg("%s", s.err.msg);
    assert_true(asked(&s, 0, "GET /mirror/v2/library/m/blobs/sha256:" HEX " HTTP"));
    assert_true(asked(&s, 2, "\r\nRange: bytes=0-0\r\n"));
    assert_true(asked(&s, 2, "\r\nAuthorization: Bearer t1\r\n"));
    assert_int_equal(look_at_access(&s), -1);
    assert_int_equal(s.err.code, ERR_NOT_FOUND);
    done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blobs_url_is_at_the_registry_of_its_name),
        cmocka_unit_test(a_registry_that_is_no_url_is_named),
        cmocka_unit_test(a_manifest_is_one_request),
        cmocka_unit_test(the_commit_is_the_hash_of_the_manifest),
        cmocka_unit_test(a_challenge_is_met_with_a_token),
        cmocka_unit_test(a_token_that_is_refused_at_once_is_the_end),
        cmocka_unit_test(a_realm_that_gives_none_is_the_end),
        cmocka_unit_test(what_cannot_be_read_is_asked_for_once_more),
        cmocka_unit_test(a_web_page_is_no_manifest),
        cmocka_unit_test(a_text_that_is_not_what_the_registry_says_is_not_believed),
        cmocka_unit_test(a_manifest_without_weights_is_refused),
        cmocka_unit_test(a_token_that_had_its_day_is_replaced_while_files_come),
        cmocka_unit_test(tokens_refused_one_after_another_are_the_end),
        cmocka_unit_test(a_token_that_cannot_be_had_ends_the_file),
        cmocka_unit_test(a_blob_that_is_gone_ends_the_file),
        cmocka_unit_test(access_is_one_byte_of_one_blob),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
