#include "worker/environment.h"

#include <string.h>

#include "text/vec.h"

struct variables {
    VEC(char *) all;
};

static bool is_named(const char *variable, const char *name)
{
    size_t len = strlen(name);

    return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

const char *environment_value(char *const *variables, const char *name)
{
    for (; *variables != NULL; variables++) {
        if (is_named(*variables, name))
            return *variables + strlen(name) + 1;
    }
    return NULL;
}

static void set(struct variables *v, struct arena *a, const char *name, const char *value)
{
    char *text;

    if (value == NULL)
        return;
    text = str_format(a, "%s=%s", name, value);
    for (size_t i = 0; i < v->all.len; i++) {
        if (is_named(v->all.at[i], name)) {
            v->all.at[i] = text;
            return;
        }
    }
    vec_push(a, &v->all, text);
}

static bool is_for_us(const char *variable)
{
    return is_named(variable, "NOTIFY_SOCKET") || is_named(variable, "WATCHDOG_USEC") ||
           is_named(variable, "WATCHDOG_PID");
}

char *const *environment_for_child(struct arena *a, char *const *variables,
                                   const struct config *config)
{
    const char *offline = environment_value(variables, "HF_HUB_OFFLINE");
    struct variables v = {0};

    for (; *variables != NULL; variables++) {
        if (!is_for_us(*variables))
            vec_push(a, &v.all, *variables);
    }
    set(&v, a, "MODEL_CACHE_DIR", config->volume_path);
    set(&v, a, "HF_HOME", config->hf_home);
    set(&v, a, "HF_HUB_CACHE", config->layout.hf_hub);
    set(&v, a, "TRANSFORMERS_CACHE", config->layout.transformers_cache);
    set(&v, a, "OLLAMA_MODELS", config->layout.ollama_models);
    set(&v, a, "VLLM_CACHE", config->layout.vllm_cache);
    if (offline == NULL || offline[0] == '\0')
        set(&v, a, "HF_HUB_OFFLINE", "1");
    vec_push(a, &v.all, NULL);
    return v.all.at;
}
