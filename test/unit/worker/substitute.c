#include "worker/substitute.h"

#include <string.h>

#include "../check.h"
#include "../store/scratch.h"
#include "text/str.h"

/* The models of the built-in type "vllm" and one that only a reference names. */
static struct substitution of_worker(struct scratch *s)
{
    static const char *const words[] = {"mistral-7b-instruct", "ollama:llava:7b", NULL};
    const struct catalog_ask ask = {.words = words};
    struct catalog_choice choice;

    if (catalog_resolve(&choice, &s->arena, catalog_builtin(), &ask, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    return (struct substitution){
        .catalog = catalog_builtin(), .wants = choice.wants, .count = choice.count};
}

static const char *say(const void *ctx, struct arena *a, enum substitute_kind kind,
                       const struct catalog_want *want, struct err *err)
{
    (void)ctx;
    (void)err;
    return str_format(a, "%s<%s>", kind == SUBSTITUTE_PATH ? "path" : "name", want->ref.text);
}

static const char *refuse(const void *ctx, struct arena *a, enum substitute_kind kind,
                          const struct catalog_want *want, struct err *err)
{
    (void)ctx;
    (void)a;
    (void)kind;
    (void)want;
    (void)err_set(err, ERR_NOT_FOUND, "it lies nowhere");
    return NULL;
}

static const char *put_in(struct scratch *s, const struct substitution *all, const char *word)
{
    char *const words[] = {str_dup(&s->arena, str_from(word)), NULL};
    char *const *out;

    if (substitute(&out, &s->arena, words, all, &s->err) < 0)
        return NULL;
    assert_null(out[1]);
    return out[0];
}

#define MISTRAL "hf:mistralai/Mistral-7B-Instruct-v0.2"

static void a_model_is_known_by_any_of_its_names(void **state)
{
    static const char *const rows[][2] = {
        {"{path:mistral-7b-instruct}", "path<" MISTRAL ">"},
        {"{name:mistral-7b-instruct}", "name<" MISTRAL ">"},
        {"{path:" MISTRAL "}", "path<" MISTRAL ">"},
        {"{path:mistralai/Mistral-7B-Instruct-v0.2}", "path<" MISTRAL ">"},
        {"{name:llava:7b}", "name<ollama:llava:7b>"},
        {"{name:ollama:llava:7b}", "name<ollama:llava:7b>"},
        {"--model={path:mistral-7b-instruct}/x", "--model=path<" MISTRAL ">/x"},
        {"{name:llava:7b}{path:llava:7b}", "name<ollama:llava:7b>path<ollama:llava:7b>"},
    };
    struct scratch *s = *state;
    struct substitution all = of_worker(s);

    all.text = say;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = put_in(s, &all, rows[i][0]);

        if (got == NULL)
            fail_msg("%s: %s", rows[i][0], s->err.msg);
        assert_string_equal(got, rows[i][1]);
    }
}

static void braces_of_another_form_stay(void **state)
{
    static const char *const words[] = {"",          "{",
                                        "{}",        "{path:mistral-7b-instruct",
                                        "{PATH:x}",  "{\"a\": {\"b\": 1}}",
                                        "{ path:x}", "${path}",
                                        "}{"};
    struct scratch *s = *state;
    struct substitution all = of_worker(s);

    all.text = say;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_string_equal(put_in(s, &all, words[i]), words[i]);
    /* What is put in is not looked at again. */
    assert_string_equal(put_in(s, &all, "{{path:llava:7b}}"), "{path<ollama:llava:7b>}");
}

static void a_model_of_another_worker_is_refused_with_the_nearest(void **state)
{
    struct scratch *s = *state;
    struct substitution all = of_worker(s);

    all.text = say;
    assert_null(put_in(s, &all, "{path:mistral-7b-instrukt}"));
    assert_int_equal(s->err.code, ERR_USAGE);
    assert_string_equal(s->err.msg, "{path:mistral-7b-instrukt}: no model of this worker");
    assert_non_null(strstr(s->err.hint, "did you mean {path:mistral-7b-instruct}?"));
    assert_null(put_in(s, &all, "{name:llama3.2}"));
    assert_int_equal(s->err.code, ERR_USAGE);
    assert_non_null(strstr(s->err.hint, "his worker has mistral-7b-instruct, "));
    assert_null(put_in(s, &all, "{path:}"));
    assert_null(put_in(s, &all, "{path:../../etc/passwd}"));
    assert_null(put_in(s, &all, "{path:\033[31m}"));
    assert_null(strchr(s->err.msg, '\033'));
    all.count = 0;
    assert_null(put_in(s, &all, "{path:llava:7b}"));
    assert_string_equal(s->err.hint, "this worker has no models");
}

static void without_texts_only_the_names_are_checked(void **state)
{
    struct scratch *s = *state;
    struct substitution all = of_worker(s);

    assert_string_equal(put_in(s, &all, "a{path:llava:7b}b"), "ab");
    assert_null(put_in(s, &all, "{path:none-such}"));
    all.text = refuse;
    assert_null(put_in(s, &all, "{path:llava:7b}"));
    assert_string_equal(s->err.msg, "it lies nowhere");
}

static void all_words_are_kept_in_order(void **state)
{
    struct scratch *s = *state;
    struct substitution all = of_worker(s);
    char words[][24] = {"vllm", "serve", "{path:llava:7b}", "--x={y}"};
    char *const list[] = {words[0], words[1], words[2], words[3], NULL};
    char *const *out;

    all.text = say;
    assert_int_equal(substitute(&out, &s->arena, list, &all, &s->err), 0);
    assert_string_equal(out[0], "vllm");
    assert_string_equal(out[2], "path<ollama:llava:7b>");
    assert_string_equal(out[3], "--x={y}");
    assert_null(out[4]);
    assert_string_equal(words[2], "{path:llava:7b}");
}

static void words_can_be_asked_for(void **state)
{
    char words[][32] = {"vllm", "--port=80", "a{path:x", "--served-model-name-x"};
    char *const list[] = {words[0], words[1], words[2], words[3], NULL};
    char *const none[] = {words[0], NULL};

    (void)state;
    assert_true(substitute_has_path(list));
    assert_false(substitute_has_path(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_model_is_known_by_any_of_its_names),
        SCRATCH_TEST(braces_of_another_form_stay),
        SCRATCH_TEST(a_model_of_another_worker_is_refused_with_the_nearest),
        SCRATCH_TEST(without_texts_only_the_names_are_checked),
        SCRATCH_TEST(all_words_are_kept_in_order),
        SCRATCH_TEST(words_can_be_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
