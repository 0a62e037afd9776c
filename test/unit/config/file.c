#include "config/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "text/buf.h"

/* Reads text as hostler.yaml; the error must be the expected one word for word. */
static void assert_refused(const char *text, const char *expected)
{
    ARENA_SCOPED a = {0};
    struct file_settings settings = {0};
    struct config_options options = {.connections = 7};
    struct err err = {0};

    assert_int_equal(file_parse(&settings, &options, &a, str_from(text), "f.yaml", &err), -1);
    assert_string_equal(err.msg, expected);
    assert_int_equal(err.code, ERR_USAGE);
    assert_null(settings.catalog.models);
    assert_int_equal(options.connections, 7);
}

static void read_good(struct file_settings *out, struct config_options *options, struct arena *a,
                      const char *text)
{
    struct err err = {0};

    if (file_parse(out, options, a, str_from(text), "f.yaml", &err) < 0)
        fail_msg("%s", err.msg);
}

static void the_documented_example_is_read(void **state)
{
    static const char text[] =
        "models:\n"
        "  mistral-7b-instruct:\n"
        "    source: hf:mistralai/Mistral-7B-Instruct-v0.2\n"
        "    aliases: [mistralai/Mistral-7B-Instruct-v0.2]\n"
        "    kind: llm                      # llm, vision, embedding\n"
        "    purpose: Text generation, analysis\n"
        "    variants: [hf:TheBloke/Mistral-7B-Instruct-v0.2-GPTQ]\n"
        "workers:\n"
        "  gpu-worker:\n"
        "    models: [mistral-7b-instruct, llava-7b, llama3.2, nomic-embed-text]\n"
        "    optional: [llava-34b]\n"
        "    engine: vllm                   # vllm, ollama, none\n"
        "    gpu: required\n"
        "    min_gpu_memory: 8GB\n"
        "defaults: { connections: 16, limit_rate: 0, log_level: INFO }\n";
    ARENA_SCOPED a = {0};
    struct file_settings s = {0};
    struct config_options options = {.limit_rate = 1};
    const struct catalog_worker *w;

    (void)state;
    read_good(&s, &options, &a, text);
    assert_int_equal(options.connections, 16);
    assert_int_equal(options.limit_rate, 0);
    assert_int_equal(s.log_level, REPORT_INFO);
    assert_int_equal(s.catalog.model_count, catalog_builtin()->model_count);
    assert_int_equal(s.catalog.worker_count, catalog_builtin()->worker_count);
    w = catalog_worker(&s.catalog, STR("gpu-worker"));
    assert_true(w->min_gpu_memory_bytes == 8000000000);
    assert_string_equal(w->models[2], "llama3.2");
    assert_null(w->models[4]);
    assert_string_equal(w->optional[0], "llava-34b");
}

static void a_new_model_and_worker_type_stand_beside_the_built_in_ones(void **state)
{
    ARENA_SCOPED a = {0};
    struct file_settings s = {0};
    struct config_options options = {0};
    const struct catalog_model *m;
    bool mended = true;

    (void)state;
    read_good(&s, &options, &a,
              "models:\n  ours:\n    source: hf:corp/ours@v1\n    aliases: [llava, Ours]\n"
              "workers:\n  night-shift:\n    models: [ours, nomic-embed-text]\n");
    m = catalog_model(&s.catalog, STR("ours"), &mended);
    assert_string_equal(m->ref, "hf:corp/ours@v1");
    assert_string_equal(m->kind, "llm");
    assert_false(mended);
    assert_ptr_equal(catalog_model(&s.catalog, STR("llava"), &mended), m);
    assert_string_equal(catalog_model(&s.catalog, STR("llava:7b"), &mended)->name, "llava-7b");
    assert_string_equal(catalog_worker(&s.catalog, STR("night-shift"))->gpu, "none");
    assert_non_null(catalog_worker(&s.catalog, STR("vllm")));
}

static void an_entry_of_a_built_in_name_changes_only_what_it_says(void **state)
{
    ARENA_SCOPED a = {0};
    struct file_settings s = {0};
    struct config_options options = {0};
    const struct catalog_model *m;
    const struct catalog_worker *w;
    bool mended;

    (void)state;
    read_good(&s, &options, &a,
              "models:\n  llava-34b:\n    source: ollama:llava:13b\n"
              "workers:\n  ocr:\n    min_gpu_memory: 512Mi\n");
    m = catalog_model(&s.catalog, STR("llava-34b"), &mended);
    assert_string_equal(m->ref, "ollama:llava:13b");
    assert_string_equal(m->kind, "vision");
    w = catalog_worker(&s.catalog, STR("ocr"));
    assert_true(w->min_gpu_memory_bytes == 512 << 20);
    assert_string_equal(w->models[0], "llava-7b");
}

static void defaults_take_every_option_that_is_meant_for_them(void **state)
{
    ARENA_SCOPED a = {0};
    struct file_settings s = {0};
    struct config_options options = {0};

    (void)state;
    read_good(&s, &options, &a,
              "defaults:\n  limit_rate: 5Mi\n  give_up: 1.5m\n  insecure_http: [a, 'b:80']\n"
              "  wait_for_others: yes\n  progress: plain\n  log_level: warning\n"
              "  log_format: JSON\n  log_file: /x/y\n");
    assert_true(options.limit_rate == 5 << 20);
    assert_true(options.give_up_ms == 90000);
    assert_int_equal(options.insecure_http.len, 2);
    assert_string_equal(options.insecure_http.at[1], "b:80");
    assert_true(options.wait_for_others);
    assert_int_equal(options.progress, REPORT_PROGRESS_PLAIN);
    assert_int_equal(s.log_level, REPORT_WARN);
    assert_true(s.log_json);
    assert_string_equal(s.log_file, "/x/y");
}

static void nothing_in_the_file_is_as_no_file(void **state)
{
    static const char *const texts[] = {"", "# nothing\n", "---\n",
                                        "models:\nworkers:\ndefaults:\n", "{}"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ARENA_SCOPED a = {0};
        struct file_settings s = {0};
        struct config_options options = {0};

        read_good(&s, &options, &a, texts[i]);
        assert_int_equal(s.catalog.model_count, catalog_builtin()->model_count);
    }
}

static void errors_name_file_line_column_and_what_is_wrong(void **state)
{
    static const struct {
        const char *text;
        const char *msg;
    } cases[] = {
        {"model: {}\n", "f.yaml:1:1: unknown key \"model\""},
        {"models:\n  x:\n    sourze: hf:a/b\n", "f.yaml:3:5: unknown key \"sourze\""},
        {"models:\n  x: {source: hf:a/b}\n  x: {source: hf:a/c}\n",
         "f.yaml:3:3: the key \"x\" is there already, in line 2"},
        {"models:\n  x: {source: hf:a/b, kind: audio}\n",
         "f.yaml:2:29: kind: \"audio\" is not one of llm, vision, embedding"},
        {"models:\n  x: {kind: llm}\n", "f.yaml:2:3: x has no source"},
        {"models: [a]\n", "f.yaml:1:9: models must be a mapping of keys and values, not a list"},
        {"models:\n  x: hf:a/b\n",
         "f.yaml:2:6: x must be a mapping of keys and values, not a text"},
        {"models:\n  x: {source: a/b}\n",
         "f.yaml:2:15: \"a/b\" has no scheme, which is hf: or ollama:"},
        {"models:\n  x: {source: hf:a/b, aliases: y}\n",
         "f.yaml:2:32: aliases must be a list, not a text"},
        {"models:\n  'x y': {source: hf:a/b}\n",
         "f.yaml:2:3: a name has 1 to 200 bytes, no blanks and no controls"},
        {"models:\n  x: {source: hf:a/b, aliases: [z]}\n  y: {source: hf:a/c, aliases: [Z]}\n",
         "f.yaml:3:33: \"Z\" is a name of x already"},
        {"workers:\n  w:\n    models: [nomic-embed-txt]\n",
         "f.yaml:3:14: there is no model \"nomic-embed-txt\""},
        {"workers:\n  w:\n    optional: [zzzzzz]\n", "f.yaml:3:16: there is no model \"zzzzzz\""},
        {"workers:\n  ocr: {min_gpu_memory: 8X}\n",
         "f.yaml:2:25: min_gpu_memory: \"8X\": not a size, which is like 5M, 1.5 GiB or 250kB"},
        {"defaults: {connections: -5}\n",
         "f.yaml:1:25: connections: \"-5\": not a whole number from 0 to 128"},
        {"defaults: {connections: [5]}\n", "f.yaml:1:25: connections must be a text, not a list"},
        {"defaults: {connectionz: 5}\n", "f.yaml:1:12: unknown key \"connectionz\""},
        {"defaults: {include: x}\n", "f.yaml:1:12: unknown key \"include\""},
        {"defaults: {log_level: loud}\n",
         "f.yaml:1:23: log_level: \"loud\" is not one of DEBUG, INFO, WARN, ERROR"},
        {"defaults: {insecure_http: [a, [b]]}\n",
         "f.yaml:1:31: insecure_http must be a text, not a list"},
        {"- a\n", "f.yaml:1:1: the file must be a mapping of keys and values, not a list"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i].text, cases[i].msg);
}

static void a_near_miss_is_answered_with_a_suggestion(void **state)
{
    ARENA_SCOPED a = {0};
    struct file_settings s = {0};
    struct config_options options = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(
        file_parse(&s, &options, &a, STR("workers:\n  w:\n    models: [lava-7b]\n"), "f", &err),
        -1);
    assert_string_equal(err.hint, "did you mean llava-7b?");
}

static void a_named_file_must_be_there_the_default_one_need_not(void **state)
{
    ARENA_SCOPED a = {0};
    struct file_settings s = {0};
    struct config_options options = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(file_load(&s, &options, &a, "/nowhere/h.yaml", NULL, &err), 0);
    assert_int_equal(s.catalog.model_count, catalog_builtin()->model_count);
    assert_int_equal(file_load(&s, &options, &a, "/nowhere/h.yaml", "--config", &err), -1);
    assert_string_equal(err.msg, "--config: /nowhere/h.yaml: No such file or directory");
    assert_int_equal(file_load(&s, &options, &a, "/", "--config", &err), -1);
    assert_string_equal(err.msg, "--config: / is not a file");
}

static void a_file_on_disk_is_read_and_a_huge_one_is_not(void **state)
{
    char path[] = "/tmp/hostler-test-XXXXXX";
    int fd = mkstemp(path);
    ARENA_SCOPED a = {0};
    struct file_settings s = {0};
    struct config_options options = {0};
    struct err err = {0};

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "defaults: {connections: 3}\n", 27), 27);
    assert_int_equal(file_load(&s, &options, &a, path, "--config", &err), 0);
    assert_int_equal(options.connections, 3);
    assert_int_equal(ftruncate(fd, 1048577), 0);
    assert_int_equal(file_load(&s, &options, &a, path, "--config", &err), -1);
    assert_non_null(strstr(err.msg, "is larger than 1048576 bytes"));
    (void)close(fd);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_example_is_read),
        cmocka_unit_test(a_new_model_and_worker_type_stand_beside_the_built_in_ones),
        cmocka_unit_test(an_entry_of_a_built_in_name_changes_only_what_it_says),
        cmocka_unit_test(defaults_take_every_option_that_is_meant_for_them),
        cmocka_unit_test(nothing_in_the_file_is_as_no_file),
        cmocka_unit_test(errors_name_file_line_column_and_what_is_wrong),
        cmocka_unit_test(a_near_miss_is_answered_with_a_suggestion),
        cmocka_unit_test(a_named_file_must_be_there_the_default_one_need_not),
        cmocka_unit_test(a_file_on_disk_is_read_and_a_huge_one_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
