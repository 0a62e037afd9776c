#include "worker/ready.h"

#include <string.h>

#include "text/url.h"
#include "text/vec.h"
#include "worker/address.h"
#include "worker/environment.h"
#include "worker/model_path.h"
#include "worker/words.h"

#define VLLM_PORT "8000"

/* The work of ready_checks_of(). */
struct making {
    struct arena *arena;
    const struct config *config;
    const struct catalog_choice *choice;
    const struct ready_of *of;
    VEC(struct ready_check) checks;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* The value of `--flag VALUE` or `--flag=VALUE`; NULL: it is not there. */
static const char *value_of(char *const *argv, const char *flag)
{
    size_t len = strlen(flag);

    for (; *argv != NULL; argv++) {
        if (strncmp(*argv, flag, len) != 0)
            continue;
        if ((*argv)[len] == '=')
            return *argv + len + 1;
        if ((*argv)[len] == '\0')
            return argv[1];
    }
    return NULL;
}

static int check_url(struct arena *a, const char *url, const char *name, struct err *err)
{
    struct url parsed;

    if (url_parse(&parsed, a, str_from(url), err) == 0)
        return 0;
    err->code = ERR_USAGE;
    return err_wrap(err, "%s", name);
}

/* `serve MODEL` or --model; NULL: CMD does not say it. */
static const char *given_model(char *const *argv)
{
    for (size_t i = 0; argv[i] != NULL && argv[i + 1] != NULL; i++) {
        if (strcmp(argv[i], "serve") == 0 && argv[i + 1][0] != '-')
            return argv[i + 1];
    }
    return value_of(argv, "--model");
}

/*
 * All words behind --served-model-name, which takes several (`=` takes one); without it vLLM serves
 * the model by the name it is given. None: any will do.
 */
static const char *const *served_names(struct arena *a, char *const *argv)
{
    static const char flag[] = "--served-model-name";
    VEC(const char *) names = {0};
    size_t i = 0;

    while (argv[i] != NULL && strcmp(argv[i], flag) != 0 &&
           !str_starts(str_from(argv[i]), STR("--served-model-name=")))
        i++;
    if (argv[i] != NULL && argv[i][sizeof(flag) - 1] == '=')
        vec_push(a, &names, argv[i] + sizeof(flag));
    else if (argv[i] != NULL)
        for (i++; argv[i] != NULL && argv[i][0] != '-'; i++)
            vec_push(a, &names, argv[i]);
    else if (given_model(argv) != NULL)
        vec_push(a, &names, given_model(argv));
    vec_push(a, &names, NULL);
    return names.at;
}

static int add_vllm(struct making *m, struct err *err)
{
    const char *port = value_of(m->of->argv, "--port");
    const char *host = address_reachable(value_of(m->of->argv, "--host"));
    struct ready_check check = {.kind = READY_VLLM, .names = served_names(m->arena, m->of->argv)};
    bool bare = strchr(host, ':') != NULL && host[0] != '[';

    check.url = str_format(m->arena, "http://%s%s%s:%s", bare ? "[" : "", host, bare ? "]" : "",
                           port != NULL ? port : VLLM_PORT);
    vec_push(m->arena, &m->checks, check);
    return check_url(m->arena, check.url, "the address of vllm (--host, --port)", err);
}

/* Where it listens; where OLLAMA_HOST does not say, OLLAMA_URL has a default. */
static const char *ollama_address(const struct making *m)
{
    const char *host = environment_value(m->of->variables, "OLLAMA_HOST");

    if (host == NULL || host[0] == '\0')
        return m->config->ollama_url;
    return address_of_ollama(m->arena, host);
}

static int add_ollama(struct making *m, struct err *err)
{
    struct ready_check check = {.kind = READY_OLLAMA, .url = ollama_address(m)};
    VEC(const char *) names = {0};

    for (size_t i = 0; i < m->choice->count; i++) {
        const struct catalog_want *want = &m->choice->wants[i];
        const char *name = model_name(m->arena, want);

        if (strcmp(want->ref.source, "ollama") != 0)
            continue;
        if (!want->ref.revision_named && strchr(name, ':') == NULL)
            name = str_format(m->arena, "%s:%s", name, want->ref.revision);
        vec_push(m->arena, &names, name);
    }
    vec_push(m->arena, &names, NULL);
    check.names = names.at;
    if (m->config->options.preload)
        check.preload_ms = m->config->options.start_timeout_ms;
    vec_push(m->arena, &m->checks, check);
    return check_url(m->arena, check.url, "the address of ollama (OLLAMA_HOST)", err);
}

static int add_named(struct making *m, struct err *err)
{
    const struct config_options *o = &m->config->options;
    struct ready_check check = {0};

    if (o->ready_http != NULL) {
        check = (struct ready_check){.kind = READY_HTTP, .url = o->ready_http};
        if (check_url(m->arena, check.url, "--ready-http", err) < 0)
            return -1;
        vec_push(m->arena, &m->checks, check);
    }
    if (o->ready_tcp > 0) {
        check = (struct ready_check){.kind = READY_TCP, .port = (uint16_t)o->ready_tcp};
        vec_push(m->arena, &m->checks, check);
    }
    if (o->ready_cmd != NULL) {
        check = (struct ready_check){.kind = READY_CMD};
        if (words_cut(&check.argv, m->arena, o->ready_cmd, err) < 0)
            return err_wrap(err, "--ready-cmd");
        vec_push(m->arena, &m->checks, check);
    }
    return 0;
}

int ready_checks_of(struct ready_checks *out, struct arena *a, const struct config *config,
                    const struct catalog_choice *choice, const struct ready_of *of, struct err *err)
{
    struct making m = {.arena = a, .config = config, .choice = choice, .of = of};
    const char *name = base_name(of->argv[0]);
    const char *engine = of->engine != NULL ? of->engine : "none";

    if (of->named && add_named(&m, err) < 0)
        return -1;
    /* Its own name says more of a command than the worker's type does. */
    if (m.checks.len == 0) {
        if (strcmp(name, "vllm") == 0 || strcmp(name, "ollama") == 0)
            engine = name;
        if (strcmp(engine, "vllm") == 0 && add_vllm(&m, err) < 0)
            return -1;
        if (strcmp(engine, "ollama") == 0 && add_ollama(&m, err) < 0)
            return -1;
    }
    *out = (struct ready_checks){m.checks.at, m.checks.len};
    return 0;
}
