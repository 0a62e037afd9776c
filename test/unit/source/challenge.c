#include "source/challenge.h"

#include "../check.h"

struct row {
    const char *first;
    const char *second; /* a second header, or NULL */
    enum challenge_scheme scheme;
    const char *realm;
    const char *service;
    const char *scope;
};

static const struct row rows[] = {
    {"Bearer realm=\"https://a/token\",service=\"reg\",scope=\"repository:l/m:pull\"", NULL,
     CHALLENGE_BEARER, "https://a/token", "reg", "repository:l/m:pull"},
    {"bearer REALM=https://a/token , Service = reg,scope=\"a:b:pull,push c:d:pull\"", NULL,
     CHALLENGE_BEARER, "https://a/token", "reg", "a:b:pull,push c:d:pull"},
    {"Bearer realm=\"a\\\"b\\\\c\",error=\"invalid_token\"", NULL, CHALLENGE_BEARER, "a\"b\\c", "",
     ""},
    {"Bearer", NULL, CHALLENGE_BEARER, "", "", ""},
    {"Bearer realm=\"cut", NULL, CHALLENGE_BEARER, "cut", "", ""},
    {"Basic realm=\"Registry\"", NULL, CHALLENGE_BASIC, "Registry", "", ""},
    {"Basic realm=\"b\", Bearer realm=\"t\",service=s", NULL, CHALLENGE_BEARER, "t", "s", ""},
    {"Bearer realm=\"t\", Basic realm=\"b\"", NULL, CHALLENGE_BEARER, "t", "", ""},
    {"Basic realm=\"b\"", "Bearer realm=\"t\"", CHALLENGE_BEARER, "t", "", ""},
    {"Negotiate abc==", "Basic realm=\"b\"", CHALLENGE_BASIC, "b", "", ""},
    {"Negotiate", NULL, CHALLENGE_OTHER, "", "", ""},
    {"=\"\"= ,,\"=", NULL, CHALLENGE_OTHER, "", "", ""},
    {"", NULL, CHALLENGE_NONE, "", "", ""},
};

static void a_challenge_is_read_whatever_its_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ARENA_SCOPED a = {0};
        const struct row *row = &rows[i];
        struct http_header headers[] = {
            {STR("content-length"), STR("0")},
            {STR("www-authenticate"), str_from(row->first)},
            {STR("www-authenticate"), str_from(row->second == NULL ? "" : row->second)},
        };
        struct http_answer answer = {.status = 401, .headers = headers, .header_count = 3};
        struct challenge c = challenge_read(&a, &answer);

        if (c.scheme != row->scheme || !str_eqz(c.realm, row->realm) ||
            !str_eqz(c.service, row->service) || !str_eqz(c.scope, row->scope))
            fail_msg("%s: %d " STR_FMT " " STR_FMT " " STR_FMT, row->first, (int)c.scheme,
                     STR_ARG(c.realm), STR_ARG(c.service), STR_ARG(c.scope));
    }
}

static void without_the_header_there_is_none(void **state)
{
    ARENA_SCOPED a = {0};
    struct http_answer answer = {.status = 401};

    (void)state;
    assert_int_equal(challenge_read(&a, &answer).scheme, CHALLENGE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_challenge_is_read_whatever_its_form),
        cmocka_unit_test(without_the_header_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
