#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"

#define MAX_ARGS 16

/* One configuration from words of the command line and of the environment, each list ends NULL. */
struct fixture {
    struct arena arena;
    char *argv[MAX_ARGS];
    struct config_input input;
    struct config config;
    struct err err;
    int result;
};

static void load_as(struct fixture *f, const char *command, const char *const *argv,
                    const char *const *environment)
{
    char **variables;
    size_t n = 0;

    *f = (struct fixture){0};
    f->input = (struct config_input){
        .command = command, .argv = f->argv, .default_file = "/nowhere/hostler.yaml"};
    for (; argv[f->input.argc] != NULL; f->input.argc++)
        f->argv[f->input.argc] = str_dup(&f->arena, str_from(argv[f->input.argc]));
    while (environment[n] != NULL)
        n++;
    variables = arena_array(&f->arena, char *, n + 1);
    for (size_t i = 0; i < n; i++)
        variables[i] = str_dup(&f->arena, str_from(environment[i]));
    f->input.environ = variables;
    f->result = config_load(&f->config, &f->arena, &f->input, &f->err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__ NULL})

static void load(struct fixture *f, const char *const *argv, const char *const *environment)
{
    load_as(f, "pull", argv, environment);
    if (f->result < 0)
        fail_msg("%s", f->err.msg);
}

static void assert_refused(const char *const *argv, const char *const *environment,
                           const char *message, const char *hint)
{
    struct fixture f;

    load_as(&f, "pull", argv, environment);
    assert_int_equal(f.result, -1);
    assert_int_equal(f.err.code, ERR_USAGE);
    assert_string_equal(f.err.msg, message);
    assert_string_equal(f.err.hint, hint);
    assert_null(f.config.volume_path);
    arena_free(&f.arena);
}

static void without_a_word_the_defaults_hold(void **state)
{
    struct fixture f;
    char host[256] = {0};

    (void)state;
    load(&f, WORDS(), WORDS());
    assert_string_equal(f.config.volume_path, "/models");
    assert_false(f.config.volume_named);
    assert_string_equal(f.config.layout.hf_hub, "/models/huggingface/hub");
    assert_string_equal(f.config.layout.vllm_cache, "/models/vllm");
    assert_null(f.config.layout.transformers_cache);
    assert_false(f.config.layout.no_shared_blobs);
    assert_string_equal(f.config.source.hf_endpoint, "https://huggingface.co");
    assert_string_equal(f.config.source.ollama_registry, "https://registry.ollama.ai");
    assert_null(f.config.worker_type);
    assert_int_equal(f.config.log_level, REPORT_INFO);
    assert_false(f.config.log_json);
    assert_string_equal(f.config.log_file, "/var/log/model-download.log");
    assert_false(f.config.log_file_named);
    assert_true(f.config.options.wait_ms == UINT64_MAX);
    assert_true(f.config.options.give_up_ms == 120000);
    assert_true(f.config.options.takeover_ms == 15000);
    assert_true(f.config.net.give_up_ms == 120000);
    assert_false(f.config.net.connections_fixed);
    assert_int_equal(f.config.args.len, 0);
    assert_int_equal(f.config.warnings.len, 0);
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    assert_string_equal(f.config.host, host);
    arena_free(&f.arena);
}

static void run_is_more_patient_than_pull(void **state)
{
    struct fixture f;

    (void)state;
    load_as(&f, "run", WORDS(), WORDS());
    assert_true(f.config.options.give_up_ms == 1800000);
    arena_free(&f.arena);
}

static void flags_win_over_environment_over_file_over_defaults(void **state)
{
    char path[] = "/tmp/hostler-test-XXXXXX";
    char variable[64];
    int fd = mkstemp(path);
    static const char text[] = "defaults: {connections: 3, limit_rate: 3M, wait: 3s}\n";
    struct fixture f;

    (void)state;
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    (void)snprintf(variable, sizeof(variable), "HOSTLER_CONFIG=%s", path);
    load(&f, WORDS("--connections", "1", ),
         WORDS(variable, "HOSTLER_CONNECTIONS=2", "HOSTLER_LIMIT_RATE=2M", ));
    assert_int_equal(f.config.options.connections, 1);
    assert_string_equal(f.config.file, path);
    assert_int_equal(f.config.options.limit_rate, 2000000);
    assert_int_equal(f.config.options.wait_ms, 3000);
    assert_int_equal(f.config.net.connections, 1);
    assert_true(f.config.net.connections_fixed);
    assert_int_equal(f.config.net.limit_rate_bps, 2000000);
    arena_free(&f.arena);
    (void)close(fd);
    (void)unlink(path);
}

static void options_stand_anywhere_until_two_dashes(void **state)
{
    struct fixture f;

    (void)state;
    load(&f,
         WORDS("a", "--update", "b", "-qj4", "--include=*.json", "--include", "x", "--", "-c", ),
         WORDS());
    assert_true(f.config.options.update);
    assert_true(f.config.options.quiet);
    assert_int_equal(f.config.options.connections, 4);
    assert_int_equal(f.config.options.include.len, 2);
    assert_string_equal(f.config.options.include.at[0], "*.json");
    assert_string_equal(f.config.options.include.at[1], "x");
    assert_null(f.config.options.include.at[2]);
    assert_int_equal(f.config.args.len, 3);
    assert_string_equal(f.config.args.at[0], "a");
    assert_string_equal(f.config.args.at[1], "b");
    assert_string_equal(f.config.args.at[2], "-c");
    arena_free(&f.arena);
}

static void lists_have_commas_in_the_environment_and_flags_replace_them(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS("--exclude", "a,b", "--debug", "net,store", ),
         WORDS("HOSTLER_INCLUDE= *.json , *.txt,", "HOSTLER_EXCLUDE=z", ));
    assert_int_equal(f.config.options.include.len, 2);
    assert_string_equal(f.config.options.include.at[1], "*.txt");
    assert_int_equal(f.config.options.exclude.len, 1);
    assert_string_equal(f.config.options.exclude.at[0], "a,b");
    assert_int_equal(f.config.options.debug.len, 2);
    arena_free(&f.arena);
}

static void every_option_has_its_variable_and_a_flag_can_be_taken_back(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS("--offline=no", ),
         WORDS("HOSTLER_OFFLINE=1", "HOSTLER_JSON=yes", "HOSTLER_QUIET=on", "HOSTLER_DRY_RUN=TRUE",
               "HOSTLER_ALL_FILES=1", "HOSTLER_FORCE=1", "HOSTLER_OPTIONAL=1",
               "HOSTLER_WAIT_FOR_OTHERS=1", "HOSTLER_UPDATE=1", "HOSTLER_REVISION=v1",
               "HOSTLER_WAIT=5m", "HOSTLER_GIVE_UP=1h", "HOSTLER_TAKEOVER=500ms",
               "HOSTLER_FIRST_BYTE=45s", "HOSTLER_PROGRESS=bar", "HOSTLER_OLLAMA_VIA=api",
               "HOSTLER_VOLUME=/v", "HOSTLER_INSECURE_HTTP=a,b:1", "HOSTLER_VERBOSE=1",
               "HOSTLER_DEBUG=net", ));
    assert_false(f.config.options.offline);
    assert_false(f.config.offline_all);
    assert_true(f.config.options.json && f.config.options.quiet && f.config.options.dry_run);
    assert_true(f.config.options.all_files && f.config.options.force && f.config.options.optional);
    assert_true(f.config.options.wait_for_others && f.config.options.update);
    assert_string_equal(f.config.options.revision, "v1");
    assert_true(f.config.options.wait_ms == 300000);
    assert_true(f.config.options.give_up_ms == 3600000);
    assert_true(f.config.options.takeover_ms == 500);
    assert_true(f.config.net.first_byte_ms == 45000);
    assert_int_equal(f.config.options.progress, REPORT_PROGRESS_BAR);
    assert_int_equal(f.config.options.ollama_via, OLLAMA_VIA_API);
    assert_string_equal(f.config.volume_path, "/v");
    assert_string_equal(f.config.net.insecure_http[1], "b:1");
    assert_int_equal(f.config.log_level, REPORT_DEBUG);
    arena_free(&f.arena);
}

static void a_bad_flag_is_named_with_what_it_takes(void **state)
{
    static const struct {
        const char *word;
        const char *message;
        const char *hint;
    } cases[] = {
        {"--updaet", "pull does not know --updaet", "did you mean --update? See hostler help pull"},
        {"--zzz=1", "pull does not know --zzz", "see hostler help pull"},
        {"-z", "pull does not know -z", "see hostler help pull"},
        {"--connections", "--connections needs a value", ""},
        {"-j", "-j needs a value", ""},
        {"--help=1", "--help takes no value", ""},
        {"-j999", "--connections: \"999\": not a whole number from 0 to 128", ""},
        {"--limit-rate=fast",
         "--limit-rate: \"fast\": not a size, which is like 5M, 1.5 GiB or 250kB", ""},
        {"--wait=long",
         "--wait: \"long\": not a duration, which is like 500ms, 30s, 1.5m, 2h or 1d", ""},
        {"--offline=perhaps",
         "--offline: \"perhaps\": not one of true, false, yes, no, on, off, 1, 0", ""},
        {"--progress=loud", "--progress: \"loud\": not one of auto, bar, plain, none", ""},
        {"--ollama-via=ftp", "--ollama-via: \"ftp\": not one of auto, store, api", ""},
        {"--volume=", "--volume: \"\": nothing is named", ""},
        {"--include=", "--include: \"\": nothing is named", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(WORDS(cases[i].word, ), WORDS(), cases[i].message, cases[i].hint);
}

static void a_flag_of_another_command_is_unknown_to_this(void **state)
{
    struct fixture f;

    (void)state;
    load_as(&f, "ls", WORDS("--dry-run", ), WORDS());
    assert_int_equal(f.result, -1);
    assert_string_equal(f.err.msg, "ls does not know --dry-run");
    arena_free(&f.arena);
    load_as(&f, "ls", WORDS("-q", ), WORDS());
    assert_int_equal(f.result, 0);
    arena_free(&f.arena);
}

static void a_bad_variable_is_named_with_what_it_takes(void **state)
{
    static const char comment[] = "in an env file a comment needs a line of its own; "
                                  "quotes are kept too";
    static const char types[] =
        "it takes one of vllm, gpu-worker, gpu-highmem, ocr, embedding, cpu-worker, all";
    static const struct {
        const char *variable;
        const char *message;
        const char *hint;
    } cases[] = {
        {"HOSTLER_CONNECTIONS=many",
         "HOSTLER_CONNECTIONS: \"many\": not a whole number from 0 to 128", ""},
        {"WORKER_TYPE=gpu", "WORKER_TYPE: \"gpu\" is no worker type", types},
        {"ENABLE_GPU=maybe", "ENABLE_GPU: \"maybe\": not one of auto, true, false, 1, 0, yes, no",
         ""},
        {"MIN_GPU_MEMORY_GB=8GB",
         "MIN_GPU_MEMORY_GB: \"8GB\": not a number of gigabytes, which is like 8 or 0.5", ""},
        {"MODEL_CACHE_DIR=/models              # Main cache directory",
         "MODEL_CACHE_DIR: its value has a blank and a # in it, as if a comment stood behind it",
         comment},
        {"HF_TOKEN=secret # mine",
         "HF_TOKEN: its value has a blank and a # in it, as if a comment stood behind it", comment},
        {"HOSTLER_WAIT=5m\t# no longer",
         "HOSTLER_WAIT: its value has a blank and a # in it, as if a comment stood behind it",
         comment},
        {"LOG_LEVEL=INFO   # DEBUG, INFO, WARN, ERROR",
         "LOG_LEVEL: its value has a blank and a # in it, as if a comment stood behind it",
         comment},
        {"HOSTLER_CONFIG=/nowhere/x.yaml",
         "HOSTLER_CONFIG: /nowhere/x.yaml: No such file or directory", ""},
        {"HF_HOME=~/hf", "HF_HOME: ~/hf: HOME is not set", "write the whole path"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(WORDS(), WORDS(cases[i].variable, ), cases[i].message, cases[i].hint);
}

static void a_running_ollama_is_the_default_one_or_the_one_named(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS("--volume=/v", ), WORDS());
    assert_string_equal(f.config.ollama_url, "http://localhost:11434");
    assert_false(f.config.ollama_url_named);
    assert_string_equal(f.config.layout.ollama_models, "/v/ollama");
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("OLLAMA_URL=gpu1:1", "OLLAMA_MODELS=/o/m/", ));
    assert_string_equal(f.config.ollama_url, "gpu1:1");
    assert_true(f.config.ollama_url_named);
    assert_string_equal(f.config.layout.ollama_models, "/o/m");
    arena_free(&f.arena);
}

static void good_values_of_the_guide_are_taken(void **state)
{
    static const char *const good[] = {
        "ENABLE_GPU=auto",  "ENABLE_GPU=True",           "ENABLE_GPU=0",
        "ENABLE_GPU=no",    "MIN_GPU_MEMORY_GB=8",       "MIN_GPU_MEMORY_GB=0.5",
        "WORKER_TYPE=ocr",  "OLLAMA_URL=http://h:11434", "OLLAMA_URL=localhost:11434",
        "WORKER_TYPE=",     "MODEL_CACHE_DIR=/m#1",      "HOSTLER_CONNECTIONS=",
        "COORDINATOR_URL=", "NVIDIA_VISIBLE_DEVICES=all"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct fixture f;

        load(&f, WORDS(), WORDS(good[i], ));
        arena_free(&f.arena);
    }
}

static void urls_are_looked_at_early(void **state)
{
    static const char *const bad[] = {"HF_ENDPOINT=ftp://x/", "OLLAMA_URL=http://", "OLLAMA_URL=:x",
                                      "COORDINATOR_URL=http://user@h/"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fixture f;
        size_t len = strcspn(bad[i], "=");

        load_as(&f, "pull", WORDS(), WORDS(bad[i], ));
        assert_int_equal(f.result, -1);
        assert_int_equal(strncmp(f.err.msg, bad[i], len), 0);
        arena_free(&f.arena);
    }
}

static void the_volume_s_flag_wins_over_every_store(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS("--volume", "/v/", ),
         WORDS("MODEL_CACHE_DIR=/m", "HF_HOME=/h", "HF_HUB_CACHE=/c", "VLLM_CACHE=/l",
               "TRANSFORMERS_CACHE=/h", ));
    assert_string_equal(f.config.volume_path, "/v");
    assert_true(f.config.volume_named);
    assert_string_equal(f.config.layout.hf_hub, "/v/huggingface/hub");
    assert_string_equal(f.config.layout.vllm_cache, "/v/vllm");
    assert_null(f.config.layout.transformers_cache);
    arena_free(&f.arena);
    load(&f, WORDS("--volume", "/v", ), WORDS("TRANSFORMERS_CACHE=/v/huggingface", ));
    assert_string_equal(f.config.layout.transformers_cache, "/v/huggingface");
    arena_free(&f.arena);
}

static void stores_follow_the_variables_as_their_readers_do(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS(), WORDS("MODEL_CACHE_DIR=/m", "TRANSFORMERS_CACHE=/m/huggingface/", ));
    assert_string_equal(f.config.layout.hf_hub, "/m/huggingface/hub");
    assert_string_equal(f.config.layout.transformers_cache, "/m/huggingface");
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("HF_HOME=$BASE/hf", "BASE=/b", "TRANSFORMERS_CACHE=/b/hf/hub", ));
    assert_string_equal(f.config.volume_path, "/models");
    assert_string_equal(f.config.layout.hf_hub, "/b/hf/hub");
    assert_null(f.config.layout.transformers_cache);
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("HF_HOME=/h", "HUGGINGFACE_HUB_CACHE=/old", ));
    assert_string_equal(f.config.layout.hf_hub, "/old");
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("HUGGINGFACE_HUB_CACHE=/old", "HF_HUB_CACHE=/new", ));
    assert_string_equal(f.config.layout.hf_hub, "/new");
    arena_free(&f.arena);
}

static void offline_has_three_switches(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS(), WORDS("HF_HUB_OFFLINE=Yes", ));
    assert_true(f.config.offline_hf && !f.config.offline_all);
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("TRANSFORMERS_OFFLINE=1", ));
    assert_true(f.config.offline_hf && !f.config.offline_all);
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("HF_HUB_OFFLINE=0", "TRANSFORMERS_OFFLINE=1", ));
    assert_false(f.config.offline_hf);
    arena_free(&f.arena);
    load(&f, WORDS("--offline", ), WORDS());
    assert_true(f.config.offline_hf && f.config.offline_all);
    arena_free(&f.arena);
}

static void the_log_is_shared_so_strange_values_are_warnings(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS(), WORDS("LOG_LEVEL=TRACE", "LOG_FORMAT=xml", "LOG_FILE=/l", ));
    assert_int_equal(f.config.log_level, REPORT_INFO);
    assert_false(f.config.log_json);
    assert_string_equal(f.config.log_file, "/l");
    assert_true(f.config.log_file_named);
    assert_int_equal(f.config.warnings.len, 2);
    assert_string_equal(f.config.warnings.at[0], "LOG_LEVEL: \"TRACE\" is not one of DEBUG, INFO, "
                                                 "WARN, ERROR: INFO is taken");
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("LOG_LEVEL=warning", "LOG_FORMAT=JSON", ));
    assert_int_equal(f.config.log_level, REPORT_WARN);
    assert_true(f.config.log_json);
    arena_free(&f.arena);
}

static void a_host_is_called_as_it_is_told(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS(), WORDS("NODE_NAME=node-3", ));
    assert_string_equal(f.config.host, "node-3");
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("NODE_NAME=node-3", "HOSTLER_HOST=gpu-7", ));
    assert_string_equal(f.config.host, "gpu-7");
    arena_free(&f.arena);
}

static void certificates_come_from_the_first_that_is_named(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS(), WORDS("SSL_CERT_FILE=/f", "SSL_CERT_DIR=/d", "CURL_CA_BUNDLE=/b", ));
    assert_string_equal(f.config.net.ca_file, "/f");
    assert_null(f.config.net.ca_dir);
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("SSL_CERT_DIR=/d", "REQUESTS_CA_BUNDLE=/b", ));
    assert_null(f.config.net.ca_file);
    assert_string_equal(f.config.net.ca_dir, "/d");
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("CURL_CA_BUNDLE=/c", "REQUESTS_CA_BUNDLE=/tmp", ));
    assert_string_equal(f.config.net.ca_dir, "/tmp");
    arena_free(&f.arena);
    load(&f, WORDS(), WORDS("CURL_CA_BUNDLE=/c", ));
    assert_string_equal(f.config.net.ca_file, "/c");
    arena_free(&f.arena);
}

static void an_extra_authority_stands_beside_the_others(void **state)
{
    char base[] = "/tmp/hostler-base-XXXXXX";
    char extra[] = "/tmp/hostler-extra-XXXXXX";
    int fds[] = {mkstemp(base), mkstemp(extra)};
    char variables[2][64];
    struct fixture f;

    (void)state;
    (void)snprintf(variables[0], sizeof(variables[0]), "SSL_CERT_FILE=%s", base);
    (void)snprintf(variables[1], sizeof(variables[1]), "HOSTLER_EXTRA_CA=%s", extra);
    assert_int_equal(write(fds[0], "BASE", 4), 4);
    load_as(&f, "pull", WORDS(), WORDS(variables[0], variables[1], ));
    assert_int_equal(f.result, -1);
    assert_non_null(strstr(f.err.msg, "holds no certificate in PEM"));
    arena_free(&f.arena);
    assert_int_equal(write(fds[1], "-----BEGIN X", 12), 12);
    load(&f, WORDS(), WORDS(variables[0], variables[1], ));
    assert_string_equal(f.config.net.ca_text.ptr, "-----BEGIN X\nBASE\n");
    arena_free(&f.arena);
    (void)unlink(extra);
    load_as(&f, "pull", WORDS(), WORDS(variables[0], variables[1], ));
    assert_int_equal(f.result, -1);
    assert_non_null(strstr(f.err.msg, "HOSTLER_EXTRA_CA: /tmp/hostler-extra-"));
    arena_free(&f.arena);
    (void)unlink(base);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void help_wins_over_what_else_is_wrong(void **state)
{
    struct fixture f;

    (void)state;
    load(&f, WORDS("--help", "x", ), WORDS("WORKER_TYPE=bogus", ));
    assert_true(f.config.help);
    arena_free(&f.arena);
}

static void a_broken_configuration_is_reported_as_far_as_it_is_understood(void **state)
{
    struct report_options o = {0};
    struct fixture f;

    (void)state;
    load_as(&f, "pull", WORDS("--bogus", "--json", ),
            WORDS("LOG_FORMAT=json", "LOG_FILE=/x # comment", ));
    assert_int_equal(f.result, -1);
    config_report_anyway(&o, &f.arena, &f.input);
    assert_true(o.json_events);
    assert_true(o.json_log);
    assert_string_equal(o.log_file, "/var/log/model-download.log");
    arena_free(&f.arena);
    load_as(&f, "pull", WORDS("--bogus", "--", "--json", ), WORDS("HOSTLER_JSON=perhaps", ));
    config_report_anyway(&o, &f.arena, &f.input);
    assert_false(o.json_events);
    arena_free(&f.arena);
    load(&f, WORDS("-q", "--json", "--debug=net", ), WORDS("LOG_FILE=/l", ));
    config_report(&o, &f.config);
    assert_true(o.quiet && o.json_events && o.log_file_named);
    assert_string_equal(o.debug[0], "net");
    arena_free(&f.arena);
}

static void help_and_completion_come_from_the_table(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 65536);

    (void)state;
    config_print_help(&b, "pull");
    assert_non_null(strstr(b.ptr, "\n  -j, --connections N         connections to one host "
                                  "(default: adapts, at most 16)\n"));
    assert_non_null(strstr(b.ptr, "Options of all commands:\n"));
    buf_truncate(&b, 0);
    config_print_help(&b, "ls");
    assert_null(strstr(b.ptr, "--connections"));
    assert_non_null(strstr(b.ptr, "--volume DIR"));
    buf_truncate(&b, 0);
    config_print_environment(&b);
    assert_non_null(strstr(b.ptr, "\n  OLLAMA_MODELS               the Ollama store (default: "
                                  "$MODEL_CACHE_DIR/ollama)\n"));
    for (const char *line = b.ptr; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_in_range(strcspn(line, "\n"), 1, 100);
    buf_truncate(&b, 0);
    config_print_flags(&b, "ls");
    assert_string_equal(b.ptr, "--json --quiet --verbose --debug --config --volume --progress "
                               "--help");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_word_the_defaults_hold),
        cmocka_unit_test(run_is_more_patient_than_pull),
        cmocka_unit_test(flags_win_over_environment_over_file_over_defaults),
        cmocka_unit_test(options_stand_anywhere_until_two_dashes),
        cmocka_unit_test(lists_have_commas_in_the_environment_and_flags_replace_them),
        cmocka_unit_test(every_option_has_its_variable_and_a_flag_can_be_taken_back),
        cmocka_unit_test(a_bad_flag_is_named_with_what_it_takes),
        cmocka_unit_test(a_flag_of_another_command_is_unknown_to_this),
        cmocka_unit_test(a_bad_variable_is_named_with_what_it_takes),
        cmocka_unit_test(a_running_ollama_is_the_default_one_or_the_one_named),
        cmocka_unit_test(good_values_of_the_guide_are_taken),
        cmocka_unit_test(urls_are_looked_at_early),
        cmocka_unit_test(the_volume_s_flag_wins_over_every_store),
        cmocka_unit_test(stores_follow_the_variables_as_their_readers_do),
        cmocka_unit_test(offline_has_three_switches),
        cmocka_unit_test(the_log_is_shared_so_strange_values_are_warnings),
        cmocka_unit_test(a_host_is_called_as_it_is_told),
        cmocka_unit_test(certificates_come_from_the_first_that_is_named),
        cmocka_unit_test(an_extra_authority_stands_beside_the_others),
        cmocka_unit_test(help_wins_over_what_else_is_wrong),
        cmocka_unit_test(a_broken_configuration_is_reported_as_far_as_it_is_understood),
        cmocka_unit_test(help_and_completion_come_from_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
