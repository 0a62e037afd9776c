#include "config/catalog.h"

#include <string.h>

#include "../check.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What words were resolved to. */
struct fixture {
    struct arena arena;
    struct catalog_choice got;
    struct err err;
};

static int resolve(struct fixture *f, const char *const *words, const char *type, bool optional)
{
    *f = (struct fixture){0};
    return catalog_resolve(
        &f->got, &f->arena, catalog_builtin(),
        &(struct catalog_ask){.words = words, .worker_type = type, .optional = optional}, &f->err);
}

static void every_spelling_of_the_guide_leads_to_its_entry(void **state)
{
    static const struct {
        const char *written;
        const char *ref;
        bool mended;
    } cases[] = {
        {"mistralai/Mistral-7B-Instruct-v0.2", "hf:mistralai/Mistral-7B-Instruct-v0.2", false},
        {"Mistral-7B-Instruct-v0.2", "hf:mistralai/Mistral-7B-Instruct-v0.2", false},
        {"mistral-7b-instruct", "hf:mistralai/Mistral-7B-Instruct-v0.2", false},
        {"Mistral-7B", "hf:mistralai/Mistral-7B-Instruct-v0.2", false},
        {"llava:7b", "ollama:llava:7b", false},
        {"llava", "ollama:llava:7b", false},
        {"llava:34b-v1.6-q4_K_M", "ollama:llava:34b-v1.6-q4_K_M", false},
        {"llava-next:34b-v1.5-q4_K_M", "ollama:llava:34b-v1.6-q4_K_M", true},
        {"llava-next:34b", "ollama:llava:34b-v1.6-q4_K_M", true},
        {"nomic-embed-text", "ollama:nomic-embed-text", false},
        {"llama3.2", "ollama:llama3.2", false},
        {"sentence-transformers/all-MiniLM-L6-v2", "hf:sentence-transformers/all-MiniLM-L6-v2",
         false},
        {"all-MiniLM-L6-v2", "hf:sentence-transformers/all-MiniLM-L6-v2", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool mended = !cases[i].mended;
        const struct catalog_model *m =
            catalog_model(catalog_builtin(), str_from(cases[i].written), &mended);

        assert_non_null(m);
        assert_string_equal(m->ref, cases[i].ref);
        assert_int_equal(mended, cases[i].mended);
    }
}

static void every_worker_type_names_what_the_catalog_holds(void **state)
{
    static const char *const types[] = {"vllm",      "gpu-worker", "gpu-highmem", "ocr",
                                        "embedding", "cpu-worker", "all"};
    static const size_t models[] = {1, 4, 2, 1, 2, 2, 5};
    static const size_t with_optional[] = {1, 5, 2, 2, 2, 2, 6};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct fixture f;

        assert_int_equal(resolve(&f, NULL, types[i], false), 0);
        assert_int_equal(f.got.count, models[i]);
        assert_int_equal(f.got.left_out[0] != NULL, with_optional[i] != models[i]);
        arena_free(&f.arena);
        assert_int_equal(resolve(&f, NULL, types[i], true), 0);
        assert_int_equal(f.got.count, with_optional[i]);
        assert_null(f.got.left_out[0]);
        arena_free(&f.arena);
    }
}

static void words_keep_their_order_and_each_model_comes_once(void **state)
{
    struct fixture f;

    (void)state;
    assert_int_equal(
        resolve(&f,
                WORDS("org/x@v1", "vllm", "Mistral-7B", "hf:mistralai/Mistral-7B-Instruct-v0.2"),
                "ocr", false),
        0);
    assert_int_equal(f.got.count, 2);
    assert_string_equal(f.got.wants[0].ref.text, "hf:org/x@v1");
    assert_string_equal(f.got.wants[0].name, "hf:org/x@v1");
    assert_string_equal(f.got.wants[1].name, "mistral-7b-instruct");
    assert_null(f.got.wants[1].note);
    arena_free(&f.arena);
}

static void an_entry_can_be_had_at_another_revision(void **state)
{
    struct fixture f;

    (void)state;
    assert_int_equal(resolve(&f, WORDS("mistral-7b-instruct@refs/pr/3"), NULL, false), 0);
    assert_string_equal(f.got.wants[0].ref.text, "hf:mistralai/Mistral-7B-Instruct-v0.2@refs/pr/3");
    assert_string_equal(f.got.wants[0].ref.revision, "refs/pr/3");
    arena_free(&f.arena);
}

static void a_name_that_never_existed_is_told_of(void **state)
{
    struct fixture f;

    (void)state;
    assert_int_equal(resolve(&f, WORDS("llava-next:34b-v1.5-q4_K_M"), NULL, false), 0);
    assert_string_equal(f.got.wants[0].ref.text, "ollama:llava:34b-v1.6-q4_K_M");
    assert_string_equal(f.got.wants[0].note, "there is no llava-next:34b-v1.5-q4_K_M: "
                                             "ollama:llava:34b-v1.6-q4_K_M is taken for it");
    arena_free(&f.arena);
}

static void a_slip_in_a_type_is_a_model_s_name_and_a_hint(void **state)
{
    struct fixture f;

    (void)state;
    assert_int_equal(resolve(&f, WORDS("gpu-workr"), NULL, false), 0);
    assert_string_equal(f.got.wants[0].note,
                        "gpu-workr is taken for ollama:gpu-workr: the worker type "
                        "is called gpu-worker");
    arena_free(&f.arena);
    assert_int_equal(resolve(&f, WORDS("qwen3"), NULL, false), 0);
    assert_null(f.got.wants[0].note);
    arena_free(&f.arena);
}

static void a_type_in_another_case_is_refused_and_an_entry_is_not(void **state)
{
    struct fixture f;

    (void)state;
    assert_int_equal(resolve(&f, WORDS("Gpu-Worker"), NULL, false), -1);
    assert_int_equal(f.err.code, ERR_USAGE);
    assert_string_equal(f.err.msg,
                        "\"Gpu-Worker\" is no worker type: their names are in lower case");
    arena_free(&f.arena);
    assert_int_equal(resolve(&f, WORDS("MISTRAL-7B", "ollama:GPU-WORKER"), NULL, false), 0);
    assert_string_equal(f.got.wants[0].name, "mistral-7b-instruct");
    assert_string_equal(f.got.wants[1].ref.text, "ollama:GPU-WORKER");
    arena_free(&f.arena);
}

static void what_was_named_is_not_left_out(void **state)
{
    struct fixture f;

    (void)state;
    assert_int_equal(resolve(&f, WORDS("ocr", "gpu-worker"), NULL, false), 0);
    assert_string_equal(f.got.left_out[0], "llava-34b");
    assert_null(f.got.left_out[1]);
    arena_free(&f.arena);
    assert_int_equal(resolve(&f, WORDS("ocr", "gpu-highmem"), NULL, false), 0);
    assert_null(f.got.left_out[0]);
    arena_free(&f.arena);
}

static void nothing_named_is_an_error_with_the_list_of_types(void **state)
{
    struct fixture f;

    (void)state;
    assert_int_equal(resolve(&f, NULL, NULL, false), -1);
    assert_int_equal(f.err.code, ERR_USAGE);
    assert_string_equal(f.err.msg,
                        "no worker type and no model is named, and WORKER_TYPE is not set");
    assert_string_equal(f.err.hint, "name a model or one of the worker types vllm, gpu-worker, "
                                    "gpu-highmem, ocr, embedding, cpu-worker, all");
    arena_free(&f.arena);
    assert_int_equal(resolve(&f, WORDS("a b"), NULL, false), -1);
    assert_int_equal(f.err.code, ERR_USAGE);
    assert_null(f.got.wants);
    arena_free(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_the_guide_leads_to_its_entry),
        cmocka_unit_test(every_worker_type_names_what_the_catalog_holds),
        cmocka_unit_test(words_keep_their_order_and_each_model_comes_once),
        cmocka_unit_test(an_entry_can_be_had_at_another_revision),
        cmocka_unit_test(a_name_that_never_existed_is_told_of),
        cmocka_unit_test(a_slip_in_a_type_is_a_model_s_name_and_a_hint),
        cmocka_unit_test(a_type_in_another_case_is_refused_and_an_entry_is_not),
        cmocka_unit_test(what_was_named_is_not_left_out),
        cmocka_unit_test(nothing_named_is_an_error_with_the_list_of_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
