#include "source/ollama_token.h"

#include "../check.h"

struct row {
    const char *registry;
    const char *challenge;
    enum err_code code;
    const char *said; /* the URL, or the message */
};

#define R "https://reg.example/"

static const struct row rows[] = {
    {R,
     "Bearer realm=\"https://reg.example/token\",service=\"a b\",scope=\"repository:l/m:pull "
     "x:y:z\"",
     ERR_NONE,
     "https://reg.example/token?service=a%20b&scope=repository%3Al%2Fm%3Apull&scope=x%3Ay%3Az"},
    {R, "Bearer realm=\"https://auth.example/t?a=b\"", ERR_NONE,
     "https://auth.example/t?a=b&scope=repository%3Alibrary%2Fm%3Apull"},
    {"http://127.0.0.1:5000/", "Bearer realm=\"http://127.0.0.1:6000/t\",scope=\"s\"", ERR_NONE,
     "http://127.0.0.1:6000/t?scope=s"},
    {"http://127.0.0.1:5000/", "Bearer realm=\"https://auth.example/t\",scope=\"s\"", ERR_NONE,
     "https://auth.example/t?scope=s"},
    {"http://127.0.0.1:5000/", "Bearer realm=\"http://localhost:6000/t\"", ERR_LIMIT,
     "ollama:m: 127.0.0.1:5000 sends us to localhost:6000 for a token, by plain http"},
    {R, "Bearer realm=\"http://reg.example/token\"", ERR_LIMIT,
     "ollama:m: reg.example sends us to reg.example for a token, by plain http"},
    {R, "Bearer realm=\"file:///etc/passwd\"", ERR_LIMIT,
     "ollama:m: the realm of reg.example: the URL file:///etc/passwd is neither http:// nor "
     "https://"},
    {R, "Bearer service=\"x\"", ERR_AUTH,
     "ollama:m: reg.example wants a token and does not say where to get one"},
    {R, "Basic realm=\"Registry\"", ERR_AUTH,
     "ollama:m: reg.example wants a user and a password (Basic), which are not sent"},
    {R, "Negotiate", ERR_AUTH,
     "ollama:m: reg.example wants to know us in a way that is not known here"},
    {R, "", ERR_AUTH, "ollama:m: reg.example refuses (401) and does not say what it wants"},
};

static int token_url(struct url *out, struct arena *a, const char *registry, struct str challenge,
                     struct err *err)
{
    struct http_header header = {STR("www-authenticate"), challenge};
    struct http_answer answer = {.status = 401, .headers = &header, .header_count = 1};
    struct ollama_token_asked asked = {
        .ref = "ollama:m", .scope = "repository:library/m:pull", .base = &answer.url};

    assert_int_equal(url_parse(&answer.url, a, str_from(registry), err), 0);
    return ollama_token_url(out, a, &asked, &answer, err);
}

static void the_challenge_says_where_a_token_is_to_be_had(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ARENA_SCOPED a = {0};
        struct err err = {0};
        struct url url = {.text = STR("none")};
        int r = token_url(&url, &a, rows[i].registry, str_from(rows[i].challenge), &err);

        assert_string_equal(r == 0 ? url.text.ptr : err.msg, rows[i].said);
        assert_int_equal(err.code, rows[i].code);
    }
}

static void a_challenge_too_long_is_refused(void **state)
{
    ARENA_SCOPED a = {0};
    char *scope = arena_array(&a, char, OLLAMA_TOKEN_URL_MAX + 1);
    struct err err = {0};
    struct url url;

    (void)state;
    memset(scope, 'x', OLLAMA_TOKEN_URL_MAX);
    assert_int_equal(
        token_url(&url, &a, R,
                  str_from(str_format(&a, "Bearer realm=\"" R "\",scope=\"%s\"", scope)), &err),
        -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "ollama:m: reg.example asks for a token in more than 4096 bytes");
}

static void a_token_is_taken_from_either_key(void **state)
{
    static const char *const answers[][2] = {
        {"{\"token\":\"abc\",\"expires_in\":300}", "Bearer abc"},
        {"{\"access_token\":\"x.y-z~+/=\"}", "Bearer x.y-z~+/="},
        {"{\"token\":\"a\",\"access_token\":\"b\"}", "Bearer a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        ARENA_SCOPED a = {0};
        struct err err = {0};
        const char *authorization;

        assert_int_equal(ollama_token_parse(&authorization, &a, str_from(answers[i][0]), &err), 0);
        assert_string_equal(authorization, answers[i][1]);
    }
}

static void what_is_no_token_is_refused_without_being_quoted(void **state)
{
    static const char *const answers[][2] = {
        {"{\"token\":\"secret\\r\\nX-Evil: 1\"}", "its token holds other than visible ASCII"},
        {"{\"token\":\"\"}", "its answer has no token"},
        {"{}", "its answer has no token"},
        {"[]", "its answer is no object"},
        {"{\"token\":7}", "\"token\" should be a string"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        ARENA_SCOPED a = {0};
        struct err err = {0};
        const char *authorization = NULL;

        assert_int_equal(ollama_token_parse(&authorization, &a, str_from(answers[i][0]), &err), -1);
        assert_string_equal(err.msg, answers[i][1]);
        assert_int_equal(err.code, ERR_NET);
        assert_null(authorization);
    }
}

static void a_token_has_its_limit(void **state)
{
    ARENA_SCOPED a = {0};
    char *token = arena_array(&a, char, OLLAMA_TOKEN_MAX + 2);
    struct err err = {0};
    const char *authorization;

    (void)state;
    memset(token, 'x', OLLAMA_TOKEN_MAX);
    assert_int_equal(ollama_token_parse(&authorization, &a,
                                        str_from(str_format(&a, "{\"token\":\"%s\"}", token)),
                                        &err),
                     0);
    token[OLLAMA_TOKEN_MAX] = 'x';
    assert_int_equal(ollama_token_parse(&authorization, &a,
                                        str_from(str_format(&a, "{\"token\":\"%s\"}", token)),
                                        &err),
                     -1);
    assert_string_equal(err.msg, "its token has 16385 bytes, at most 16384 are taken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_challenge_says_where_a_token_is_to_be_had),
        cmocka_unit_test(a_challenge_too_long_is_refused),
        cmocka_unit_test(a_token_is_taken_from_either_key),
        cmocka_unit_test(what_is_no_token_is_refused_without_being_quoted),
        cmocka_unit_test(a_token_has_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
