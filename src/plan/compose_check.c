#include "plan/compose_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/fit.h"
#include "text/num.h"
#include "text/vec.h"
#include "worker/words.h"

#define TEXT_BYTES  700
#define GPUS        64  /* that a service can claim by number */
#define WHOLE_SHARE 850 /* thousandths of a GPU: beside it nothing else runs */
#define SHARE       920 /* vLLM's own */
#define SHOWN       ((size_t)60)

struct checking {
    struct arena *arena;
    const struct compose *compose;
    const struct compose_check_ask *ask;
    VEC(struct compose_fault) faults;
};

static const char *shown(struct checking *c, struct str text)
{
    return str_printable(c->arena, text, SHOWN);
}

__attribute__((format(printf, 5, 6))) static void
tell(struct checking *c, size_t line, const char *code, const char *mend, const char *fmt, ...)
{
    struct compose_fault fault = {.line = line, .code = code, .mend = mend};
    char text[TEXT_BYTES];
    va_list args;

    if (c->faults.len >= COMPOSE_FAULTS_MAX)
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fault.text = str_dup(c->arena, str_from(text));
    vec_push(c->arena, &c->faults, fault);
}

static bool holds(struct str text, const char *word)
{
    return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static bool is_vllm(const struct compose_service *s)
{
    return holds(s->image, "vllm") || holds(s->name, "vllm");
}

static bool is_ollama(const struct compose_service *s)
{
    return holds(s->image, "ollama") ||
           (s->words[0] != NULL && s->words[1] != NULL && strstr(s->words[0], "ollama") != NULL &&
            strcmp(s->words[1], "serve") == 0);
}

static bool has_device(const struct compose_service *s)
{
    return s->device_count > 0 || s->has_gpus || str_eqz(s->runtime, "nvidia");
}

static uint64_t tensor_parallel(const struct compose_service *s)
{
    uint64_t n = words_number(s->words, "--tensor-parallel-size");

    return n != 0 ? n : words_number(s->words, "-tp");
}

/* ---- the faults of one service ---- */

static void ignored_devices(struct checking *c, const struct compose_service *s)
{
    const struct compose_pair *seen = compose_variable(s, "NVIDIA_VISIBLE_DEVICES");

    for (size_t i = 0; seen != NULL && i < s->device_count; i++) {
        if (s->devices[i].count.len > 0)
            tell(c, seen->line, "visible-devices-ignored",
                 "name the GPU by `device_ids: [\"GPU-<uuid>\"]` (hostler gpus has the UUIDs), "
                 "without count and without the variable",
                 "%s: NVIDIA_VISIBLE_DEVICES=%s does not count: docker sets its own behind it, and "
                 "by `count: %s` these are %s",
                 shown(c, s->name), shown(c, seen->value), shown(c, s->devices[i].count),
                 str_eqz(s->devices[i].count, "all") ? "all GPUs" : "the first ones");
    }
}

static void no_device(struct checking *c, const struct compose_service *s)
{
    const struct compose_pair *seen = compose_variable(s, "NVIDIA_VISIBLE_DEVICES");

    if (has_device(s) || seen == NULL || str_eqz(seen->value, "none") ||
        str_eqz(seen->value, "void"))
        return;
    tell(c, seen->line, "no-device",
         "reserve it: deploy.resources.reservations.devices with driver: nvidia, device_ids and "
         "capabilities: [gpu]",
         "%s: it names a GPU by NVIDIA_VISIBLE_DEVICES=%s and reserves none: with docker's usual "
         "runtime it gets no GPU at all",
         shown(c, s->name), shown(c, seen->value));
}

static void which_devices(struct checking *c, const struct compose_service *s)
{
    for (size_t i = 0; i < s->device_count; i++) {
        const struct compose_device *d = &s->devices[i];

        if (d->count.len == 0 && !d->has_ids)
            tell(c, d->line, "neither-count-nor-ids", "write `device_ids: [\"GPU-<uuid>\"]`",
                 "%s: neither count nor device_ids: docker from 27.3 on gives it no GPU",
                 shown(c, s->name));
        if (d->count.len > 0 && d->has_ids)
            tell(c, d->count_line, "count-and-ids", "keep device_ids, drop count",
                 "%s: count and device_ids exclude each other: docker refuses to start it",
                 shown(c, s->name));
    }
}

static void comment_in_command(struct checking *c, const struct compose_service *s)
{
    size_t line = s->command_line;

    for (size_t i = 0; s->command_text && s->words[i] != NULL; i++) {
        const char *next = s->words[i + 1];

        if (s->words[i][0] != '#')
            continue;
        line = compose_line(c->compose, line,
                            next == NULL ? s->words[i]
                                         : str_format(c->arena, "%s %s", s->words[i], next));
        tell(c, line, "comment-in-command",
             "write the command as a list, and the comment outside of it",
             "%s: `%s %s` is no comment inside a text of YAML: the words reach the program as "
             "arguments",
             shown(c, s->name), shown(c, str_from(s->words[i])),
             next != NULL ? shown(c, str_from(next)) : "");
        line++;
    }
}

static void shared_memory(struct checking *c, const struct compose_service *s)
{
    uint64_t tp = tensor_parallel(s);

    if (tp <= 1)
        return;
    if (!s->ipc && !s->shm)
        tell(c, compose_line(c->compose, s->command_line, "tensor-parallel"), "tp-without-shm",
             "write `ipc: host`, or `shm_size: 2gb`",
             "%s: --tensor-parallel-size %llu needs shared memory, and docker gives 64 MiB: NCCL "
             "fails",
             shown(c, s->name), (unsigned long long)tp);
    if (s->memory_limit_line != 0)
        tell(c, s->memory_limit_line, "memory-limit-with-tp",
             "leave the limit out, or give it the size of the weights and more",
             "%s: this limits the host's memory, through which the weights go to %llu GPUs",
             shown(c, s->name), (unsigned long long)tp);
}

static void context_length(struct checking *c, const struct compose_service *s)
{
    if (is_ollama(s) && compose_variable(s, "OLLAMA_CONTEXT_LENGTH") == NULL)
        tell(c, s->line, "no-context-length", "set OLLAMA_CONTEXT_LENGTH=4096, or what is needed",
             "%s: without OLLAMA_CONTEXT_LENGTH Ollama takes 4096, 32768 or 262144 tokens by the "
             "GPU's size, and asks for the memory of as many",
             shown(c, s->name));
}

static void hf_home(struct checking *c, const struct compose_service *s)
{
    static const char *const homes[] = {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE",
                                        "TRANSFORMERS_CACHE"};
    bool found = words_value(s->words, "--download-dir") != NULL;

    for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++)
        found |= compose_variable(s, homes[i]) != NULL;
    for (size_t i = 0; is_vllm(s) && !found && i < s->volume_count; i++) {
        if (!holds(s->volumes[i].value, "model") || holds(s->volumes[i].value, ".cache"))
            continue;
        tell(c, s->volumes[i].line, "volume-without-hf-home",
             str_format(c->arena, "set HF_HOME=%s/huggingface", shown(c, s->volumes[i].value)),
             "%s: %s is mounted, and nothing tells vLLM to keep its models there: it downloads "
             "them into the container, again at each start",
             shown(c, s->name), shown(c, s->volumes[i].value));
        return;
    }
}

static void ollama_client(struct checking *c, const struct compose_service *s)
{
    const struct compose_pair *models = compose_variable(s, "OLLAMA_MODELS");
    const struct compose_pair *url = compose_variable(s, "OLLAMA_URL");
    bool server = false;

    if (url == NULL)
        url = compose_variable(s, "OLLAMA_BASE_URL");
    for (size_t i = 0; i < c->compose->count; i++)
        server |= is_ollama(&c->compose->services[i]);
    if (models == NULL || is_ollama(s) || (url == NULL && !server))
        return;
    tell(c, models->line, "ollama-models-on-client",
         "set it on the service that runs `ollama serve`, with the volume mounted there",
         "%s: OLLAMA_MODELS says where the server keeps its models, and this service is a client "
         "of it",
         shown(c, s->name));
}

/* A spelling of a model that never existed. */
static void no_such_model(struct checking *c, const struct compose_service *s, struct str text,
                          size_t line)
{
    bool mended = false;
    const struct catalog_model *model = catalog_model(c->ask->catalog, text, &mended);

    if (model != NULL && mended)
        tell(c, line, "no-such-model", str_format(c->arena, "write %s", model->ref),
             "%s: there is no model %s", shown(c, s->name), shown(c, text));
}

static void mended_tags(struct checking *c, const struct compose_service *s)
{
    for (size_t w = 0; s->words[w] != NULL; w++)
        no_such_model(c, s, str_from(s->words[w]),
                      compose_line(c->compose, s->command_line, s->words[w]));
    for (size_t i = 0; i < s->environment_count; i++)
        no_such_model(c, s, s->environment[i].value, s->environment[i].line);
}

/* The model that vLLM is started with; NULL: none is named, or a path that nobody can plan. */
static const char *model_of(const struct compose_service *s)
{
    const char *model = words_value(s->words, "--model");

    for (size_t i = 0; model == NULL && s->words[i] != NULL; i++) {
        if (strcmp(s->words[i], "serve") == 0)
            model = s->words[i + 1];
    }
    return model == NULL || model[0] == '-' || model[0] == '/' ? NULL : model;
}

static void does_not_fit(struct checking *c, const struct compose_service *s)
{
    const char *model = is_vllm(s) ? model_of(s) : NULL;
    const char *mend = NULL;
    const char *why;

    if (model == NULL || c->ask->fit == NULL)
        return;
    why = c->ask->fit(c->ask->ctx, &mend, s, model);
    if (why != NULL)
        tell(c, compose_line(c->compose, s->command_line, model), "does-not-fit",
             mend != NULL ? mend : "hostler plan shows what would", "%s: %s", shown(c, s->name),
             why);
}

/* ---- the faults of several together ---- */

/* GPUs by number that a service claims, as bits; by UUID nobody can tell. */
static uint64_t claimed(const struct compose_service *s)
{
    const struct compose_pair *seen = compose_variable(s, "NVIDIA_VISIBLE_DEVICES");
    struct str list = seen != NULL && s->device_count == 0 ? seen->value : (struct str){"", 0};
    uint64_t bits = 0, n;
    struct err ignored;
    struct str one;

    for (size_t i = 0; i < s->device_count; i++) {
        const struct compose_device *d = &s->devices[i];

        if (str_eqz(d->count, "all"))
            return UINT64_MAX;
        if (d->count.len > 0 && num_parse_u64(&n, d->count, GPUS - 1, &ignored) == 0)
            bits |= (UINT64_C(1) << n) - 1;
        for (size_t k = 0; k < d->id_count; k++) {
            if (num_parse_u64(&n, d->ids[k], GPUS - 1, &ignored) == 0)
                bits |= UINT64_C(1) << n;
        }
    }
    if (str_eqz(list, "all"))
        return UINT64_MAX;
    while (list.len > 0) {
        (void)str_cut(&list, ',', &one);
        if (num_parse_u64(&n, one, GPUS - 1, &ignored) == 0)
            bits |= UINT64_C(1) << n;
    }
    return bits;
}

/* Thousandths of each GPU that it takes at once; 0: as much as it happens to need. */
static uint32_t share_of(const struct compose_service *s)
{
    uint32_t named = compose_share(s);

    if (!is_vllm(s))
        return 0;
    return named != 0 ? named : FIT_UTILIZATION;
}

/* Of all GPUs that somebody claims the first that two want. */
static void double_booked(struct checking *c)
{
    for (size_t i = 0; i < c->compose->count; i++) {
        const struct compose_service *one = &c->compose->services[i];
        uint64_t all = claimed(one);

        for (size_t k = 0; k < c->compose->count; k++) {
            const struct compose_service *other = &c->compose->services[k];
            uint64_t both = all & claimed(other);
            uint32_t sum = share_of(one) + share_of(other);

            if (i == k || both == 0 || share_of(one) < share_of(other) ||
                (share_of(one) == share_of(other) && i > k))
                continue;
            if (share_of(one) < WHOLE_SHARE && sum <= 1000)
                continue;
            tell(c, other->line, "double-booked",
                 "give each a GPU of its own, or each a share: hostler plan reckons them",
                 "%s: GPU %d is taken by %s already, of which vLLM has %u %% at its start",
                 shown(c, other->name), __builtin_ctzll(both), shown(c, one->name),
                 share_of(one) / 10);
        }
    }
}

/* "-v model_cache:" of a docker run in the same file makes a volume beside that of the project. */
static void foreign_volume(struct checking *c)
{
    struct str rest = c->compose->text;
    struct str line;

    for (size_t n = 1; rest.len > 0; n++) {
        (void)str_cut(&rest, '\n', &line);
        for (size_t i = 0; i < c->compose->volume_count; i++) {
            const struct compose_pair *v = &c->compose->volumes[i];
            const char *mount = str_format(c->arena, "-v %s:", shown(c, v->name));

            if (v->value.len > 0 || !holds(line, "docker run") || !holds(line, mount))
                continue;
            tell(c, n, "foreign-volume",
                 str_format(c->arena, "write <project>_%s, as `docker volume ls` lists it",
                            shown(c, v->name)),
                 "docker run -v %s: makes a new, empty volume: the project's is called "
                 "<project>_%s",
                 shown(c, v->name), shown(c, v->name));
        }
    }
}

static int by_line(const void *x, const void *y)
{
    const struct compose_fault *a = x, *b = y;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return strcmp(a->code, b->code);
}

void compose_check(struct compose_faults *out, struct arena *a, const struct compose *compose,
                   const struct compose_check_ask *ask)
{
    static void (*const of_service[])(struct checking *, const struct compose_service *) = {
        ignored_devices, no_device, which_devices, comment_in_command, shared_memory,
        context_length,  hf_home,   ollama_client, mended_tags,        does_not_fit,
    };
    struct checking c = {.arena = a, .compose = compose, .ask = ask};

    for (size_t i = 0; i < compose->count; i++) {
        for (size_t k = 0; k < sizeof(of_service) / sizeof(of_service[0]); k++)
            of_service[k](&c, &compose->services[i]);
    }
    double_booked(&c);
    foreign_volume(&c);
    if (c.faults.len > 0)
        qsort(c.faults.at, c.faults.len, sizeof(*c.faults.at), by_line);
    *out = (struct compose_faults){.at = c.faults.at, .count = c.faults.len};
}
