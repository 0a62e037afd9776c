#include "source/ollama_refuse.h"

#include "../check.h"

#define HEX "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define SAYS(code, message) \
    "{\"errors\":[{\"code\":\"" code "\",\"message\":\"" message "\",\"detail\":{}}]}"
#define PRIVATE                                                                                 \
    "only models that a registry gives to everybody can be pulled: check the name, or whether " \
    "the model is private"

struct row {
    const char *ref;
    bool blob;
    int status;
    const char *body;
    enum err_code code;
    const char *msg;
    const char *hint;
};

static const struct row rows[] = {
    {"ollama:nope:7b", false, 404, SAYS("MANIFEST_UNKNOWN", "manifest unknown"), ERR_NOT_FOUND,
     "ollama:nope:7b: h.example has no such model, or not with the tag 7b",
     "its tags are at https://ollama.com/library/nope/tags"},
    {"ollama:nope", false, 404, "", ERR_NOT_FOUND,
     "ollama:nope: h.example has no such model, or not with the tag latest",
     "its tags are at https://ollama.com/library/nope/tags"},
    {"ollama:llava-next:34b-v1.5-q4_K_M", false, 404, "", ERR_NOT_FOUND,
     "ollama:llava-next:34b-v1.5-q4_K_M: h.example has no such model, or not with the tag "
     "34b-v1.5-q4_K_M",
     "LLaVA-NeXT is version 1.6 of llava there: ollama:llava:7b, ollama:llava:13b, "
     "ollama:llava:34b"},
    {"ollama:BAAI/bge-m3", false, 404, SAYS("NAME_UNKNOWN", "x"), ERR_NOT_FOUND,
     "ollama:BAAI/bge-m3: h.example has no such model, or not with the tag latest",
     "its tags are at https://ollama.com/BAAI/bge-m3/tags; a model of Hugging Face is written "
     "hf:BAAI/bge-m3"},
    {"ollama:localhost:5000/Library/x", false, 404, SAYS("NAME_UNKNOWN", "x"), ERR_NOT_FOUND,
     "ollama:localhost:5000/Library/x: h.example has no such model, or not with the tag latest",
     "registries want names in lower case: Library/x has capitals"},
    {"ollama:localhost:5000/library/x", false, 400, SAYS("NAME_INVALID", "x"), ERR_NOT_FOUND,
     "ollama:localhost:5000/library/x: h.example has no such model, or not with the tag latest",
     "check host, name and tag: the registry was asked for library/x with the tag latest"},
    {"ollama:x", true, 404, SAYS("BLOB_UNKNOWN", "blob unknown to registry"), ERR_NOT_FOUND,
     "ollama:x: its manifest names model (sha256:" HEX "), but h.example does not have it",
     "try again later; if it stays away, the model was not pushed whole"},
    {"ollama:x", false, 401, SAYS("UNAUTHORIZED", "authentication required"), ERR_AUTH,
     "ollama:x: h.example refuses (401): authentication required", PRIVATE},
    {"ollama:x", false, 403, SAYS("DENIED", "no\\u001b[31m"), ERR_AUTH,
     "ollama:x: h.example refuses (403): no\\x1b[31m", PRIVATE},
    {"ollama:x", true, 451, "", ERR_AUTH, "ollama:x: h.example refuses (451)", PRIVATE},
    {"ollama:x", false, 412, "pulling this model requires a newer version", ERR_NET,
     "ollama:x: h.example answers 412: pulling this model requires a newer version",
     "Ollama's registry refuses old versions of Ollama so; if it takes us for one, a newer hostler "
     "may help"},
    {"ollama:x", false, 400, SAYS("MANIFEST_INVALID", "manifest invalid"), ERR_NET,
     "ollama:x: h.example answers 400: manifest invalid",
     "what this tag holds is no manifest in the form that Ollama reads: was it pushed by another "
     "program?"},
    {"ollama:x", false, 418, "<html>teapot</html>", ERR_NET, "ollama:x: h.example answers 418",
     "try again later"},
};

static void each_refusal_has_its_code_words_and_way_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ARENA_SCOPED a = {0};
        struct model_ref ref;
        struct model_file file = {.path = "model"};
        struct ollama_asked asked = {.ref = &ref, .file = rows[i].blob ? &file : NULL};
        struct http_answer answer = {.status = rows[i].status, .body = str_from(rows[i].body)};
        struct err err = {0};

        assert_int_equal(ref_parse(&ref, &a, str_from(rows[i].ref), &err), 0);
        assert_int_equal(digest_parse(&file.digest, STR(HEX), &err), 0);
        assert_int_equal(url_parse(&answer.url, &a, STR("https://h.example/v2/x"), &err), 0);
        assert_int_equal(ollama_refuse(&asked, &answer, &err), -1);
        assert_string_equal(err.msg, rows[i].msg);
        assert_string_equal(err.hint, rows[i].hint);
        assert_int_equal(err.code, rows[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_has_its_code_words_and_way_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
