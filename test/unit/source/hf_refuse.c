#include "source/hf_refuse.h"

#include <stdio.h>

#include "../check.h"

#define SHA1   "63a8b081895390a26e140280378bc85ec8bce07a"
#define SHA256 "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"

enum about { API, FILE_BYTES, API_OTHER_HOST };

struct row {
    const char *name;
    enum about about;
    bool token;
    int status;
    const char *code;
    const char *words;
    enum err_code err;
    const char *msg;
    const char *hint;
};

#define PAGE "https://huggingface.co/org/name"

static const struct row rows[] = {
    {"missing or private, no token", API, false, 401, NULL, "Invalid username or password.",
     ERR_AUTH, "hf:org/name: no such model at huggingface.co, or a private one",
     "check the spelling at " PAGE ", or set HF_TOKEN to a token that may read it; a model of "
     "Ollama is written ollama:org/name"},
    {"missing or private, the file of one", FILE_BYTES, false, 401, NULL,
     "Invalid username or password.", ERR_AUTH,
     "hf:org/name: no such model at huggingface.co, or a private one",
     "check the spelling at " PAGE ", or set HF_TOKEN to a token that may read it; a model of "
     "Ollama is written ollama:org/name"},
    {"missing or private, token", API, true, 404, "RepoNotFound", "Repository not found",
     ERR_NOT_FOUND,
     "hf:org/name: no such model at huggingface.co, or one that the token from HF_TOKEN may not "
     "see",
     "check the spelling at " PAGE ", or take a token of an account that may read it; a model of "
     "Ollama is written ollama:org/name"},
    {"missing at a mirror without codes, no token", API, false, 404, NULL, NULL, ERR_NOT_FOUND,
     "hf:org/name: no such model at huggingface.co",
     "check the spelling at " PAGE ", or set HF_TOKEN if it is private; a model of Ollama is "
     "written ollama:org/name"},
    {"gated, no token", FILE_BYTES, false, 401, "GatedRepo",
     "Access to model org/name is restricted. You must have access to it", ERR_AUTH,
     "hf:org/name is gated: it is given only to who accepted its licence",
     "accept the licence at " PAGE ", then set HF_TOKEN to a token of that account"},
    {"gated, the API closed too", API, false, 401, "GatedRepo", "Access to model", ERR_AUTH,
     "hf:org/name is gated: it is given only to who accepted its licence",
     "accept the licence at " PAGE ", then set HF_TOKEN to a token of that account"},
    {"gated, token without access", FILE_BYTES, true, 403, "GatedRepo",
     "you are not in the authorized list", ERR_AUTH,
     "hf:org/name is gated, and the account of the token from HF_TOKEN has no access",
     "accept the licence at " PAGE " with the account of the token from HF_TOKEN"},
    {"gated, bad token", FILE_BYTES, true, 401, "GatedRepo", NULL, ERR_AUTH,
     "hf:org/name is gated, and the token from HF_TOKEN is not accepted",
     "accept the licence at " PAGE " with the account of the token from HF_TOKEN"},
    {"bad token", API, true, 401, NULL, "Invalid credentials in Authorization header", ERR_AUTH,
     "hf:org/name: huggingface.co does not accept the token from HF_TOKEN: wrong or expired",
     "take a new one from https://huggingface.co/settings/tokens, or remove it: public models need "
     "none"},
    {"revision missing", API, false, 404, "RevisionNotFound", "Invalid rev id: v9", ERR_NOT_FOUND,
     "hf:org/name: there is no revision \"" SHA1 "\"",
     "its branches and tags are at " PAGE "/tree/main"},
    {"revision missing, by its words", API, false, 404, NULL, "Invalid rev id: v9", ERR_NOT_FOUND,
     "hf:org/name: there is no revision \"" SHA1 "\"",
     "its branches and tags are at " PAGE "/tree/main"},
    {"file missing", FILE_BYTES, false, 404, "EntryNotFound", "Entry not found", ERR_NOT_FOUND,
     "hf:org/name: model.safetensors is listed, but huggingface.co does not have it at " SHA1,
     "try again later, or another HF_ENDPOINT"},
    {"file missing at a mirror without codes", FILE_BYTES, false, 404, NULL, NULL, ERR_NOT_FOUND,
     "hf:org/name: model.safetensors is listed, but huggingface.co does not have it at " SHA1,
     "try again later, or another HF_ENDPOINT"},
    {"the repository of a file vanished", FILE_BYTES, true, 404, "RepoNotFound", NULL,
     ERR_NOT_FOUND,
     "hf:org/name: no such model at huggingface.co, or one that the token from HF_TOKEN may not "
     "see",
     "check the spelling at " PAGE ", or take a token of an account that may read it; a model of "
     "Ollama is written ollama:org/name"},
    {"gone", FILE_BYTES, false, 410, NULL, NULL, ERR_NOT_FOUND,
     "hf:org/name: model.safetensors is listed, but huggingface.co does not have it at " SHA1,
     "try again later, or another HF_ENDPOINT"},
    {"disabled", API, false, 403, NULL, "Access to this resource is disabled.", ERR_AUTH,
     "hf:org/name is disabled at huggingface.co", PAGE " may say why"},
    {"token of too small a scope", API, true, 403, NULL, "Your token lacks scope x", ERR_AUTH,
     "hf:org/name: huggingface.co refuses (403): Your token lacks scope x",
     "the token from HF_TOKEN may lack the right to read org/name: see "
     "https://huggingface.co/settings/tokens"},
    {"forbidden, no token", API, false, 403, NULL, NULL, ERR_AUTH,
     "hf:org/name: huggingface.co refuses (403)", "set HF_TOKEN to a token that may read it"},
    {"for legal reasons", FILE_BYTES, false, 451, NULL, "court order", ERR_AUTH,
     "hf:org/name: huggingface.co refuses (451): court order",
     "set HF_TOKEN to a token that may read it"},
    {"bad request", API, false, 400, NULL, "Invalid cursor", ERR_NET,
     "hf:org/name: huggingface.co answers 400: Invalid cursor",
     "try again later, or another HF_ENDPOINT"},
    {"bad request without words", API, true, 400, NULL, NULL, ERR_NET,
     "hf:org/name: huggingface.co answers 400", "try again later, or another HF_ENDPOINT"},
    {"a mirror leads elsewhere, where our token does not go", API_OTHER_HOST, true, 401, NULL,
     "Invalid username or password.", ERR_AUTH,
     "hf:org/name: no such model at other.example:8443, or a private one",
     "https://huggingface.co leads to other.example:8443, and the token from HF_TOKEN goes to its "
     "own host only; set HF_ENDPOINT to where the model is"},
};

/* One request and its answer, made of parts. */
struct scene {
    struct arena arena;
    struct url endpoint;
    struct model_file file;
    struct hf_asked asked;
    struct http_header headers[8];
    struct http_answer answer;
};

static void header(struct scene *s, const char *name, const char *value)
{
    if (value == NULL)
        return;
    s->headers[s->answer.header_count++] = (struct http_header){str_from(name), str_from(value)};
}

static void scene_init(struct scene *s, enum about about, const char *repo, bool token)
{
    struct err err = {0};
    const char *url = about == API_OTHER_HOST ? "https://other.example:8443/x"
                                              : "https://huggingface.co/x?secret=1";

    *s = (struct scene){.file = {.path = "model.safetensors", .size = 1000}};
    assert_int_equal(url_parse(&s->endpoint, &s->arena, STR("https://huggingface.co"), &err), 0);
    assert_int_equal(url_parse(&s->answer.url, &s->arena, str_from(url), &err), 0);
    assert_int_equal(digest_parse(&s->file.digest, STR(SHA256), &err), 0);
    s->asked = (struct hf_asked){
        .endpoint = &s->endpoint,
        .base = "https://huggingface.co",
        .ref = str_format(&s->arena, "hf:%s", repo),
        .repo = repo,
        .revision = SHA1,
        .token_from = token ? "HF_TOKEN" : NULL,
        .file = about == FILE_BYTES ? &s->file : NULL,
    };
    s->answer.headers = s->headers;
}

static void each_refusal_has_its_code_its_words_and_its_way_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct scene s;
        struct err err = {0};

        scene_init(&s, row->about, "org/name", row->token);
        s.answer.status = row->status;
        header(&s, "x-error-code", row->code);
        header(&s, "x-error-message", row->words);
        assert_int_equal(hf_refuse(&s.asked, &s.answer, &err), -1);
        if (strcmp(err.msg, row->msg) != 0 || strcmp(err.hint, row->hint) != 0)
            print_error("%s:\n", row->name);
        assert_string_equal(err.msg, row->msg);
        assert_string_equal(err.hint, row->hint);
        assert_int_equal(err.code, row->err);
        arena_free(&s.arena);
    }
}

static void names_that_nobody_has_at_ollama_are_not_suggested(void **state)
{
    static const char *const repos[] = {"mistralai/Mistral-7B-Instruct-v0.2", "my.org/name"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        struct err err = {0};

        scene_init(&s, API, repos[i], false);
        s.answer.status = 401;
        assert_int_equal(hf_refuse(&s.asked, &s.answer, &err), -1);
        assert_null(strstr(err.hint, "ollama"));
        arena_free(&s.arena);
    }
}

static void the_request_is_quoted_by_its_id(void **state)
{
    struct scene s;
    struct err err = {0};

    (void)state;
    scene_init(&s, API, "org/name", false);
    s.answer.status = 400;
    header(&s, "x-amz-cf-id", "cf");
    assert_int_equal(hf_refuse(&s.asked, &s.answer, &err), -1);
    assert_string_equal(err.msg, "hf:org/name: huggingface.co answers 400 (request cf)");
    header(&s, "x-request-id", "Root=1-2");
    assert_int_equal(hf_refuse(&s.asked, &s.answer, &err), -1);
    assert_string_equal(err.msg, "hf:org/name: huggingface.co answers 400 (request Root=1-2)");
    assert_string_equal(err.hint, "try again later, or another HF_ENDPOINT");
    arena_free(&s.arena);
}

static void the_words_may_come_in_the_body(void **state)
{
    struct scene s;
    struct err err = {0};

    (void)state;
    scene_init(&s, API, "org/name", false);
    s.answer.status = 403;
    s.answer.body = STR("{\"error\":\"Access to this resource is disabled.\"}");
    assert_int_equal(hf_refuse(&s.asked, &s.answer, &err), -1);
    assert_string_equal(err.msg, "hf:org/name is disabled at huggingface.co");
    arena_free(&s.arena);
}

struct claim {
    const char *commit;
    const char *size;
    const char *etag;
    enum err_code err; /* ERR_NONE: it is taken */
    const char *msg;
};

#define OTHER1   "0000000000000000000000000000000000000000"
#define OTHER256 "0000000000000000000000000000000000000000000000000000000000000000"
#define AT       "hf:org/name: model.safetensors: huggingface.co "

static const struct claim claims[] = {
    {NULL, NULL, NULL, ERR_NONE, ""},
    {SHA1, "1000", "\"" SHA256 "\"", ERR_NONE, ""},
    {SHA1, " 1000 ", "W/\"" SHA256 "\"", ERR_NONE, ""},
    {NULL, NULL, SHA256, ERR_NONE, ""},
    {NULL, NULL, "\"a tag of a mirror\"", ERR_NONE, ""},
    {NULL, NULL, "\"" SHA1 "\"", ERR_NONE, ""},
    {NULL, "unknown", NULL, ERR_NONE, ""},
    {OTHER1, NULL, NULL, ERR_NET, AT "gives it from commit " OTHER1 ", asked for was " SHA1},
    {NULL, "1001", NULL, ERR_DIGEST, AT "now says 1001 bytes, its listing said 1000"},
    {NULL, NULL, "\"" OTHER256 "\"", ERR_DIGEST,
     AT "now says digest " OTHER256 ", its listing said " SHA256},
};

static void only_a_contradiction_to_the_listing_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        struct scene s;
        struct err err = {0};

        scene_init(&s, FILE_BYTES, "org/name", false);
        s.answer.status = 302;
        header(&s, "x-repo-commit", claims[i].commit);
        header(&s, "x-linked-size", claims[i].size);
        header(&s, "x-linked-etag", claims[i].etag);
        assert_int_equal(hf_check_claims(&s.asked, &s.answer, &err),
                         claims[i].err == ERR_NONE ? 0 : -1);
        assert_string_equal(err.msg, claims[i].msg);
        assert_int_equal(err.code, claims[i].err);
        arena_free(&s.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_has_its_code_its_words_and_its_way_out),
        cmocka_unit_test(names_that_nobody_has_at_ollama_are_not_suggested),
        cmocka_unit_test(the_request_is_quoted_by_its_id),
        cmocka_unit_test(the_words_may_come_in_the_body),
        cmocka_unit_test(only_a_contradiction_to_the_listing_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
