#include "config/config.h"

#include <limits.h>
#include <unistd.h>

#include "config/certificates.h"
#include "config/command_line.h"
#include "config/environment.h"
#include "config/file.h"
#include "config/gpu.h"
#include "config/log.h"
#include "config/place.h"
#include "sys/secret.h"
#include "text/vec.h"

#define DEFAULT_FILE       "/etc/hostler/hostler.yaml"
#define HOST_MAX           ((size_t)253)
#define GIVE_UP_MS         UINT64_C(120000)
#define GIVE_UP_RUN_MS     UINT64_C(1800000)
#define GIVE_UP_ASK_MS     UINT64_C(30000) /* somebody waits for a table */
#define TAKEOVER_MS        UINT64_C(15000)
#define TTL_MS             UINT64_C(15000)
#define KEEP_LOST_MS       UINT64_C(3600000)
#define REQUEST_TIMEOUT_MS UINT64_C(30000)

#define START_TIMEOUT_MS UINT64_C(1800000)
#define STOP_TIMEOUT_MS  UINT64_C(30000)
#define GPU_TIMEOUT_MS   UINT64_C(15000)

/* What config_load() works with. */
struct loading {
    struct arena *arena;
    const struct config_input *input;
    struct command_line line;
    struct environment e;
    struct file_settings file;
    struct places places;
    VEC(const char *) warnings;
};

static uint64_t give_up_of(const char *command)
{
    if (strcmp(command, "run") == 0)
        return GIVE_UP_RUN_MS;
    return strcmp(command, "plan") == 0 || strcmp(command, "inspect") == 0 ? GIVE_UP_ASK_MS
                                                                           : GIVE_UP_MS;
}

static struct config_options default_options(const char *command)
{
    return (struct config_options){
        .progress = REPORT_PROGRESS_AUTO,
        .wait_ms = UINT64_MAX,
        .give_up_ms = give_up_of(command),
        .takeover_ms = TAKEOVER_MS,
        .listen = "127.0.0.1:8700",
        .data_dir = "/var/lib/hostler",
        .registry = "sqlite",
        .ttl_ms = TTL_MS,
        .keep_lost_ms = KEEP_LOST_MS,
        .max_workers = 20000,
        .max_connections = 16384,
        .request_timeout_ms = REQUEST_TIMEOUT_MS,
        .rate = 5000,
        .read_ahead = UINT64_MAX,
        .start_timeout_ms = START_TIMEOUT_MS,
        .stop_timeout_ms = STOP_TIMEOUT_MS,
        .gpu_timeout_ms = GPU_TIMEOUT_MS,
        .reserve = UINT64_MAX,
    };
}

/* Reads the file that a flag or variable names, else the default one if it is there. */
static int load_file(struct loading *l, struct config_options *options, struct err *err)
{
    struct str flag = command_line_value(&l->line, "config");
    const char *variable = environment_get(l->arena, l->input->environ, "HOSTLER_CONFIG");
    const char *fallback = l->input->default_file;

    if (flag.ptr != NULL)
        return file_load(&l->file, options, l->arena, str_dup(l->arena, flag), "--config", err);
    if (variable != NULL)
        return file_load(&l->file, options, l->arena, variable, "HOSTLER_CONFIG", err);
    return file_load(&l->file, options, l->arena, fallback != NULL ? fallback : DEFAULT_FILE, NULL,
                     err);
}

static int load_options(struct loading *l, struct config_options *out, struct err *err)
{
    struct config_options options = default_options(l->input->command);

    if (load_file(l, &options, err) < 0 ||
        environment_apply(&options, l->arena, l->input->environ, err) < 0 ||
        command_line_apply(&options, l->arena, &l->line, err) < 0)
        return -1;
    *out = options;
    return 0;
}

static int find_host(const char **out, struct loading *l, struct err *err)
{
    char name[HOST_NAME_MAX + 1] = {0};
    const char *host = l->e.at[VAR_HOSTLER_HOST];

    if (host == NULL)
        host = l->e.at[VAR_NODE_NAME];
    if (host == NULL) {
        if (gethostname(name, sizeof(name) - 1) < 0)
            return err_sys(err, ERR_USAGE, "the name of this host");
        host = str_dup(l->arena, str_from(name[0] != '\0' ? name : "localhost"));
    }
    if (strlen(host) > HOST_MAX)
        return err_set(err, ERR_USAGE, "HOSTLER_HOST: longer than %zu bytes", HOST_MAX);
    *out = host;
    return 0;
}

static int check_worker_type(const struct loading *l, const struct catalog *catalog,
                             struct err *err)
{
    const char *type = l->e.at[VAR_WORKER_TYPE];

    if (type == NULL || catalog_worker(catalog, str_from(type)) != NULL)
        return 0;
    (void)err_set(err, ERR_USAGE, "WORKER_TYPE: \"%.80s\" is no worker type", type);
    return err_hint(err, "it takes one of %s", catalog_worker_names(l->arena, catalog));
}

/* These two are shared with other programs, which take more: never an error. */
static void set_log(struct config *c, struct loading *l)
{
    const char *level = l->e.at[VAR_LOG_LEVEL];
    const char *format = l->e.at[VAR_LOG_FORMAT];
    const char *file = l->e.at[VAR_LOG_FILE];

    c->log_level = l->file.log_level;
    c->log_json = l->file.log_json;
    if (level != NULL && !log_level_parse(&c->log_level, str_from(level))) {
        c->log_level = REPORT_INFO;
        vec_push(l->arena, &l->warnings,
                 str_format(l->arena,
                            "LOG_LEVEL: \"%.40s\" is not one of DEBUG, INFO, WARN, ERROR: "
                            "INFO is taken",
                            level));
    }
    if (format != NULL && !log_format_parse(&c->log_json, str_from(format))) {
        c->log_json = false;
        vec_push(l->arena, &l->warnings,
                 str_format(l->arena,
                            "LOG_FORMAT: \"%.40s\" is not one of text, json: text is taken",
                            format));
    }
    if (c->options.verbose)
        c->log_level = REPORT_DEBUG;
    if (file == NULL)
        file = l->file.log_file;
    c->log_file = file != NULL ? file : LOG_FILE_DEFAULT;
    c->log_file_named = file != NULL;
}

static int set_net(struct config *c, const struct loading *l, struct err *err)
{
    const struct config_options *o = &c->options;

    c->net = (struct net_config){
        .user_agent = "hostler/" HOSTLER_VERSION,
        .insecure_http = o->insecure_http.at,
        .connections = (unsigned)o->connections,
        .connections_fixed = o->connections > 0,
        .limit_rate_bps = o->limit_rate,
        .first_byte_ms = o->first_byte_ms,
        .give_up_ms = o->give_up_ms,
    };
    return certificates_set(&c->net, l->arena, &l->e, err);
}

static const char *without_slash(struct arena *a, const char *url)
{
    struct str s = str_from(url);

    while (s.len > 0 && s.ptr[s.len - 1] == '/')
        s.len--;
    return str_dup(a, s);
}

static void set_source(struct config *c, struct loading *l)
{
    const char *hub = l->e.at[VAR_HF_ENDPOINT];
    const char *registry = l->e.at[VAR_OLLAMA_REGISTRY];

    c->source.net = NULL; /* pull gives its own copy */
    c->source.hf_endpoint = hub == NULL ? "https://huggingface.co" : without_slash(l->arena, hub);
    c->source.ollama_registry =
        registry == NULL ? "https://registry.ollama.ai" : without_slash(l->arena, registry);
}

static void set_ollama(struct config *c, const struct loading *l)
{
    const char *url = l->e.at[VAR_OLLAMA_URL];

    c->ollama_url = url != NULL ? url : "http://localhost:11434";
    c->ollama_url_named = url != NULL;
}

/* Where the token is to be looked for, once it is needed. */
static int set_token(struct config *c, struct loading *l, struct err *err)
{
    struct arena *a = l->arena;
    char *const *variables = l->input->environ;
    const char *const *at = l->e.at;
    struct hf_token_env env = {
        .hf_token = at[VAR_HF_TOKEN],
        .hugging_face_hub_token = at[VAR_HUGGING_FACE_HUB_TOKEN],
        .hf_home_preset = l->places.hf_home,
        .xdg_cache_home = environment_get(a, variables, "XDG_CACHE_HOME"),
        .home = environment_get(a, variables, "HOME"),
        .disable_implicit = at[VAR_HF_HUB_DISABLE_IMPLICIT_TOKEN],
    };

    if ((at[VAR_HF_TOKEN_PATH] != NULL &&
         place_expand(&env.hf_token_path, a, variables, at[VAR_HF_TOKEN_PATH], "HF_TOKEN_PATH",
                      err) < 0) ||
        (at[VAR_HF_HOME] != NULL &&
         place_expand(&env.hf_home, a, variables, at[VAR_HF_HOME], "HF_HOME", err) < 0))
        return -1;
    if (env.hf_token != NULL || env.hugging_face_hub_token != NULL)
        secret_held(); /* in the environment, whether it is used or not */
    c->source.hf_token = env;
    return 0;
}

static void set_layout(struct config *c, const struct loading *l)
{
    c->layout = (struct layout_config){
        .hf_hub = l->places.hf_hub,
        .vllm_cache = l->places.vllm,
        .transformers_cache = l->places.transformers,
        .ollama_models = l->places.ollama,
        .no_shared_blobs = environment_is_on(l->e.at[VAR_HF_HUB_DISABLE_SHARED_BLOBS]) ||
                           environment_is_on(l->e.at[VAR_HF_HUB_DISABLE_XET]),
    };
}

/* Several URLs stand one behind the other with commas; the environment has checked each. */
static void set_coordinator(struct config *c, struct loading *l)
{
    const char *urls = l->e.at[VAR_COORDINATOR_URL];
    struct str rest = str_from(urls != NULL ? urls : "");
    VEC(const char *) all = {0};
    struct str url;

    while (rest.len > 0) {
        (void)str_cut(&rest, ',', &url);
        url = str_trim(url);
        if (url.len > 0)
            vec_push(l->arena, &all, without_slash(l->arena, str_dup(l->arena, url)));
    }
    vec_push(l->arena, &all, NULL);
    c->coordinator = (struct coordinator_config){
        .urls = {.at = all.at, .len = all.len - 1},
        .token = l->e.at[VAR_COORDINATOR_TOKEN],
        .token_file = l->e.at[VAR_COORDINATOR_TOKEN_FILE],
    };
    if (c->coordinator.token != NULL)
        secret_held();
}

static void set_offline(struct config *c, const struct loading *l)
{
    const char *hub = l->e.at[VAR_HF_HUB_OFFLINE];

    if (hub == NULL)
        hub = l->e.at[VAR_TRANSFORMERS_OFFLINE];
    c->offline_all = c->options.offline;
    c->offline_hf = c->offline_all || environment_is_on(hub);
}

static int load_all(struct config *c, struct loading *l, struct err *err)
{
    struct arena *a = l->arena;

    if (environment_read(&l->e, a, l->input->environ, err) < 0 ||
        load_options(l, &c->options, err) < 0 || check_worker_type(l, &l->file.catalog, err) < 0 ||
        place_all(&l->places, a, l->input->environ, &l->e, c->options.volume, err) < 0 ||
        find_host(&c->host, l, err) < 0)
        return -1;
    c->catalog = l->file.catalog;
    c->file = l->file.path;
    c->worker_type = l->e.at[VAR_WORKER_TYPE];
    c->worker_id = l->e.at[VAR_WORKER_ID];
    c->runtime_dir = l->e.at[VAR_HOSTLER_RUNTIME_DIR];
    c->hf_home = l->places.hf_home;
    c->volume_path = l->places.volume;
    c->volume_named = l->places.volume_named;
    c->args = l->line.args;
    set_offline(c, l);
    set_log(c, l);
    set_source(c, l);
    set_ollama(c, l);
    set_layout(c, l);
    set_coordinator(c, l);
    gpu_set(&c->gpu, a, &l->e);
    if (set_net(c, l, err) < 0 || set_token(c, l, err) < 0)
        return -1;
    vec_push(a, &l->warnings, NULL);
    c->warnings = (struct config_list){.at = l->warnings.at, .len = l->warnings.len - 1};
    return 0;
}

int config_load(struct config *out, struct arena *a, const struct config_input *input,
                struct err *err)
{
    struct loading l = {.arena = a, .input = input, .file = file_none()};
    struct config c = {0};

    if (command_line_parse(&l.line, a, input, err) < 0)
        return -1;
    c.help = l.line.help;
    if (!c.help && load_all(&c, &l, err) < 0)
        return -1;
    *out = c;
    return 0;
}
