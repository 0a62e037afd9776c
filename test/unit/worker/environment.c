#include "worker/environment.h"

#include <string.h>

#include "../check.h"

static const struct config settled = {
    .volume_path = "/v",
    .hf_home = "/v/huggingface",
    .layout = {.hf_hub = "/v/huggingface/hub",
               .ollama_models = "/v/ollama",
               .vllm_cache = "/v/vllm"},
};

static size_t count_of(char *const *variables, const char *name)
{
    size_t len = strlen(name);
    size_t count = 0;

    for (; *variables != NULL; variables++)
        count += strncmp(*variables, name, len) == 0 && (*variables)[len] == '=';
    return count;
}

static char *const *of(struct arena *a, const char *const *given, const struct config *config)
{
    char **variables = arena_array(a, char *, 8);

    for (size_t i = 0; given[i] != NULL; i++)
        variables[i] = str_dup(a, str_from(given[i]));
    return environment_for_child(a, variables, config);
}

static void a_value_is_found_by_the_whole_name(void **state)
{
    char *variables[] = {(char[]){"AB=1"}, (char[]){"A=2"}, (char[]){"B="}, (char[]){"C=x=y"},
                         NULL};

    (void)state;
    assert_string_equal(environment_value(variables, "A"), "2");
    assert_string_equal(environment_value(variables, "AB"), "1");
    assert_string_equal(environment_value(variables, "B"), "");
    assert_string_equal(environment_value(variables, "C"), "x=y");
    assert_null(environment_value(variables, "D"));
}

static void the_stores_are_what_the_configuration_settled(void **state)
{
    static const char *const given[] = {"OLLAMA_MODELS=/elsewhere", "PATH=/bin", "HF_HOME=/x",
                                        NULL};
    ARENA_SCOPED a = {0};
    char *const *got = of(&a, given, &settled);

    (void)state;
    assert_string_equal(environment_value(got, "MODEL_CACHE_DIR"), "/v");
    assert_string_equal(environment_value(got, "HF_HOME"), "/v/huggingface");
    assert_string_equal(environment_value(got, "HF_HUB_CACHE"), "/v/huggingface/hub");
    assert_string_equal(environment_value(got, "OLLAMA_MODELS"), "/v/ollama");
    assert_string_equal(environment_value(got, "VLLM_CACHE"), "/v/vllm");
    assert_string_equal(environment_value(got, "PATH"), "/bin");
    assert_int_equal(count_of(got, "OLLAMA_MODELS"), 1);
    assert_int_equal(count_of(got, "HF_HOME"), 1);
    /* Nobody wants it, so nobody gets it. */
    assert_null(environment_value(got, "TRANSFORMERS_CACHE"));
}

static void it_is_offline_unless_somebody_said(void **state)
{
    static const struct {
        const char *given[2];
        const char *value;
    } rows[] = {
        {{NULL}, "1"},
        {{"HF_HUB_OFFLINE="}, "1"},
        {{"HF_HUB_OFFLINE=0"}, "0"},
        {{"HF_HUB_OFFLINE=yes"}, "yes"},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *const *got = of(&a, rows[i].given, &settled);

        assert_string_equal(environment_value(got, "HF_HUB_OFFLINE"), rows[i].value);
        assert_int_equal(count_of(got, "HF_HUB_OFFLINE"), 1);
    }
}

static void what_the_service_manager_says_is_for_us_alone(void **state)
{
    static const char *const given[] = {"NOTIFY_SOCKET=@x",     "WATCHDOG_USEC=1", "WATCHDOG_PID=1",
                                        "NOTIFY_SOCKET_DIR=/x", "WATCHDOG=1",      NULL};
    ARENA_SCOPED a = {0};
    char *const *got = of(&a, given, &settled);

    (void)state;
    assert_null(environment_value(got, "NOTIFY_SOCKET"));
    assert_null(environment_value(got, "WATCHDOG_USEC"));
    assert_null(environment_value(got, "WATCHDOG_PID"));
    assert_string_equal(environment_value(got, "NOTIFY_SOCKET_DIR"), "/x");
    assert_string_equal(environment_value(got, "WATCHDOG"), "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_by_the_whole_name),
        cmocka_unit_test(the_stores_are_what_the_configuration_settled),
        cmocka_unit_test(it_is_offline_unless_somebody_said),
        cmocka_unit_test(what_the_service_manager_says_is_for_us_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
