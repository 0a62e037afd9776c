#include "worker/ready.h"

#include <string.h>

#include "../check.h"

/* A command, and what the rest of it is: what is not named is not there. */
struct given {
    const char *words[8];
    const char *variables[2];
    const char *engine;
    struct config config;
    struct catalog_choice choice;
    bool beside; /* one of --with, which --ready-* are not about */
};

static int checks_of(struct ready_checks *out, struct arena *a, const struct given *g,
                     struct err *err)
{
    char **argv = arena_array(a, char *, 9);
    char **variables = arena_array(a, char *, 3);
    struct ready_of of = {
        .argv = argv, .variables = variables, .engine = g->engine, .named = !g->beside};

    for (size_t i = 0; i < 8 && g->words[i] != NULL; i++)
        argv[i] = str_dup(a, str_from(g->words[i]));
    for (size_t i = 0; i < 2 && g->variables[i] != NULL; i++)
        variables[i] = str_dup(a, str_from(g->variables[i]));
    return ready_checks_of(out, a, &g->config, &g->choice, &of, err);
}

/* The one check of it. */
static struct ready_check only(struct arena *a, const struct given *g)
{
    struct ready_checks checks = {0};
    struct err err = {0};

    if (checks_of(&checks, a, g, &err) < 0)
        fail_msg("%s: %s", g->words[0], err.msg);
    assert_int_equal(checks.len, 1);
    return checks.at[0];
}

static void what_is_not_known_is_ready_when_it_has_started(void **state)
{
    static const struct given rows[] = {
        {.words = {"sleep", "5"}},
        {.words = {"sleep", "5"}, .engine = "none"},
        {.words = {"/opt/vllm/sleep"}},
        {.words = {"vllmx", "serve"}},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ready_checks checks = {.len = 7};
        struct err err = {0};

        assert_int_equal(checks_of(&checks, &a, &rows[i], &err), 0);
        assert_int_equal(checks.len, 0);
    }
}

static void vllm_is_asked_where_its_flags_say(void **state)
{
    static const struct {
        struct given of;
        const char *url;
    } rows[] = {
        {{.words = {"vllm", "serve"}}, "http://127.0.0.1:8000"},
        {{.words = {"/opt/bin/vllm", "serve", "--port", "81"}}, "http://127.0.0.1:81"},
        {{.words = {"python3", "-m", "x", "--port=82"}, .engine = "vllm"}, "http://127.0.0.1:82"},
        {{.words = {"vllm", "--host", "0.0.0.0"}}, "http://127.0.0.1:8000"},
        {{.words = {"vllm", "--host", "::"}}, "http://127.0.0.1:8000"},
        {{.words = {"vllm", "--host", "::1", "--port", "83"}}, "http://[::1]:83"},
        {{.words = {"vllm", "--host=10.0.0.1"}}, "http://10.0.0.1:8000"},
        {{.words = {"vllm", "--portion", "1", "--port", "84"}}, "http://127.0.0.1:84"},
        /* The name of the command says more than the worker's type does. */
        {{.words = {"vllm", "serve"}, .engine = "ollama"}, "http://127.0.0.1:8000"},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ready_check check = only(&a, &rows[i].of);

        assert_int_equal(check.kind, READY_VLLM);
        assert_string_equal(check.url, rows[i].url);
    }
}

static void the_names_that_vllm_serves_the_model_by_must_be_listed_and_no_others(void **state)
{
    static const struct {
        struct given of;
        const char *names[3];
    } rows[] = {
        {{.words = {"vllm", "serve", "org/model"}}, {"org/model"}},
        {{.words = {"vllm", "serve", "org/model", "--served-model-name", "A"}}, {"A"}},
        {{.words = {"python3", "-m", "api", "--model", "/models/m"}, .engine = "vllm"},
         {"/models/m"}},
        {{.words = {"vllm", "serve", "--model=/models/m"}}, {"/models/m"}},
        {{.words = {"vllm", "serve", "--model-impl", "auto"}}, {NULL}},
        {{.words = {"vllm", "serve"}}, {NULL}},
        {{.words = {"vllm", "--served-model-name", "A", "B"}}, {"A", "B"}},
        {{.words = {"vllm", "--served-model-name", "A", "B", "--port", "9"}}, {"A", "B"}},
        {{.words = {"vllm", "--served-model-name=A", "B"}}, {"A"}},
        {{.words = {"vllm", "--served-model-name"}}, {NULL}},
        {{.words = {"vllm", "--served-model-name-x", "A"}}, {NULL}},
        {{.words = {"vllm", "--served-model-names=A"}}, {NULL}},
        {{.words = {"vllm", "--served-model-name-x", "A", "--served-model-name", "B"}}, {"B"}},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ready_check check = only(&a, &rows[i].of);
        size_t k = 0;

        for (; rows[i].names[k] != NULL; k++) {
            if (check.names[k] == NULL)
                fail_msg("row %zu: %s is missing", i, rows[i].names[k]);
            assert_string_equal(check.names[k], rows[i].names[k]);
        }
        if (check.names[k] != NULL)
            fail_msg("row %zu: %s is too many", i, check.names[k]);
    }
}

static void ollama_is_asked_where_its_own_variable_says(void **state)
{
    static const struct {
        struct given of;
        const char *url;
    } rows[] = {
        {{.words = {"ollama", "serve"}}, "http://there:11434"},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST="}}, "http://there:11434"},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=:1234"}}, "http://127.0.0.1:1234"},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=0.0.0.0"}}, "http://127.0.0.1:11434"},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=[::1]"}}, "http://[::1]:11434"},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=[::1]:11500"}}, "http://[::1]:11500"},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=::1"}}, "http://[::1]:11434"},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=http://host"}}, "http://host:80"},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=https://h/"}}, "https://h:443"},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct given of = rows[i].of;
        struct ready_check check;

        of.config.ollama_url = "http://there:11434";
        check = only(&a, &of);
        assert_int_equal(check.kind, READY_OLLAMA);
        assert_string_equal(check.url, rows[i].url);
    }
}

static void models_of_ollama_are_awaited_with_their_tags_and_no_others(void **state)
{
    struct catalog_want wants[2] = {0};
    struct given of = {.words = {"ollama", "serve"},
                       .config = {.ollama_url = "http://h:1"},
                       .choice = {.wants = wants, .count = 2}};
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct ready_check check;

    (void)state;
    assert_int_equal(ref_parse(&wants[0].ref, &a, STR("ollama:llava:7b"), &err), 0);
    assert_int_equal(ref_parse(&wants[1].ref, &a, STR("hf:org/name"), &err), 0);
    check = only(&a, &of);
    assert_string_equal(check.names[0], "llava:7b");
    assert_null(check.names[1]);
    assert_int_equal(check.preload_ms, 0);
    of.config.options.preload = true;
    of.config.options.start_timeout_ms = 1234;
    assert_int_equal(only(&a, &of).preload_ms, 1234);
}

static void what_the_operator_names_takes_the_place_of_what_is_known(void **state)
{
    struct given of = {.words = {"vllm", "serve"},
                       .config = {.options = {.ready_http = "http://h:1/up",
                                              .ready_tcp = 65535,
                                              .ready_cmd = "test -e 'a b'"}}};
    struct ready_checks checks;
    ARENA_SCOPED a = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(checks_of(&checks, &a, &of, &err), 0);
    assert_int_equal(checks.len, 3);
    assert_int_equal(checks.at[0].kind, READY_HTTP);
    assert_string_equal(checks.at[0].url, "http://h:1/up");
    assert_int_equal(checks.at[1].kind, READY_TCP);
    assert_int_equal(checks.at[1].port, 65535);
    assert_int_equal(checks.at[2].kind, READY_CMD);
    assert_string_equal(checks.at[2].argv[2], "a b");
    of.beside = true;
    assert_int_equal(only(&a, &of).kind, READY_VLLM);
}

static void an_address_that_is_none_is_an_error_of_usage_that_names_where_it_stood(void **state)
{
    static const struct {
        struct given of;
        const char *named;
    } rows[] = {
        {{.words = {"x"}, .config = {.options = {.ready_http = "h:1"}}}, "--ready-http: "},
        {{.words = {"x"}, .config = {.options = {.ready_cmd = "'"}}}, "--ready-cmd: "},
        {{.words = {"vllm", "--port", "x"}}, "the address of vllm (--host, --port): "},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=a b"}},
         "the address of ollama (OLLAMA_HOST): "},
        {{.words = {"ollama"}, .variables = {"OLLAMA_HOST=ftp://h"}},
         "the address of ollama (OLLAMA_HOST): "},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ready_checks checks = {.len = 7};
        struct err err = {0};

        assert_int_equal(checks_of(&checks, &a, &rows[i].of, &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
        if (strncmp(err.msg, rows[i].named, strlen(rows[i].named)) != 0)
            fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(checks.len, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_ready_when_it_has_started),
        cmocka_unit_test(vllm_is_asked_where_its_flags_say),
        cmocka_unit_test(the_names_that_vllm_serves_the_model_by_must_be_listed_and_no_others),
        cmocka_unit_test(ollama_is_asked_where_its_own_variable_says),
        cmocka_unit_test(models_of_ollama_are_awaited_with_their_tags_and_no_others),
        cmocka_unit_test(what_the_operator_names_takes_the_place_of_what_is_known),
        cmocka_unit_test(an_address_that_is_none_is_an_error_of_usage_that_names_where_it_stood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
