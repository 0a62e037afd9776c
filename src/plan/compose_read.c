#include "plan/compose_read.h"

#include <string.h>

#include "text/num.h"
#include "text/vec.h"
#include "worker/words.h"

#define LINES_ON ((size_t)60) /* a text of a file is not looked for further than that */

typedef VEC(struct compose_pair) pair_list;
typedef VEC(const char *) word_list;

static const struct yaml_node *get(const struct yaml_node *map, const char *key)
{
    return map != NULL && map->kind == YAML_MAP ? yaml_get(map, key) : NULL;
}

static struct str text_of(const struct yaml_node *node)
{
    return node != NULL && node->kind == YAML_TEXT ? node->text : (struct str){"", 0};
}

/* "NAME=value", or the members of a map. */
static void read_pairs(pair_list *out, struct arena *a, const struct yaml_node *node, char sep)
{
    for (size_t i = 0; node != NULL && i < node->len && node->kind != YAML_TEXT; i++) {
        struct compose_pair pair = {.line = node->at[i]->line};

        if (node->kind == YAML_MAP) {
            pair.name = node->keys[i]->text;
            pair.line = node->keys[i]->line;
            pair.value = text_of(node->at[i]);
        } else if (node->at[i]->kind == YAML_TEXT) {
            pair.value = node->at[i]->text;
            (void)str_cut(&pair.value, sep, &pair.name);
        }
        vec_push(a, out, pair);
    }
}

/* Long form of a volume: {type, source, target}. */
static void read_volumes(pair_list *out, struct arena *a, const struct yaml_node *node)
{
    for (size_t i = 0; node != NULL && node->kind == YAML_LIST && i < node->len; i++) {
        const struct yaml_node *at = node->at[i];
        struct compose_pair pair = {.line = at->line};

        if (at->kind == YAML_TEXT) {
            struct str rest = at->text;

            (void)str_cut(&rest, ':', &pair.name);
            (void)str_cut(&rest, ':', &pair.value);
        } else {
            pair.name = text_of(get(at, "source"));
            pair.value = text_of(get(at, "target"));
        }
        vec_push(a, out, pair);
    }
}

/* As a list, or as one text that is cut as a shell does; what cannot be cut is one word. */
static void read_words(word_list *out, struct arena *a, const struct yaml_node *node)
{
    char *const *words;
    struct err ignored;

    if (node == NULL)
        return;
    for (size_t i = 0; node->kind == YAML_LIST && i < node->len; i++) {
        if (node->at[i]->kind == YAML_TEXT)
            vec_push(a, out, str_dup(a, node->at[i]->text));
    }
    if (node->kind != YAML_TEXT || node->text.len == 0)
        return;
    if (words_cut(&words, a, str_dup(a, node->text), &ignored) < 0) {
        vec_push(a, out, str_dup(a, node->text));
        return;
    }
    for (size_t i = 0; words[i] != NULL; i++)
        vec_push(a, out, words[i]);
}

static struct compose_device read_device(const struct yaml_node *node, size_t line)
{
    const struct yaml_node *ids = get(node, "device_ids");
    const struct yaml_node *count = get(node, "count");
    const struct yaml_node *can = get(node, "capabilities");
    struct compose_device device = {.line = line, .count_line = line, .count = text_of(count)};

    if (count != NULL)
        device.count_line = count->line;
    device.has_ids = ids != NULL;
    for (size_t i = 0; ids != NULL && ids->kind == YAML_LIST && i < ids->len &&
                       device.id_count < sizeof(device.ids) / sizeof(device.ids[0]);
         i++)
        device.ids[device.id_count++] = text_of(ids->at[i]);
    device.is_gpu = str_eqz(text_of(get(node, "driver")), "nvidia");
    for (size_t i = 0; can != NULL && can->kind == YAML_LIST && i < can->len; i++)
        device.is_gpu |= str_eqz(text_of(can->at[i]), "gpu");
    return device;
}

static void read_deploy(struct compose_service *s, struct arena *a, const struct yaml_node *node)
{
    const struct yaml_node *resources = get(get(node, "deploy"), "resources");
    const struct yaml_node *limit = get(get(resources, "limits"), "memory");
    const struct yaml_node *devices = get(get(resources, "reservations"), "devices");
    VEC(struct compose_device) all = {0};

    s->memory_limit_line = limit != NULL ? limit->line : 0;
    for (size_t i = 0; devices != NULL && devices->kind == YAML_LIST && i < devices->len; i++) {
        struct compose_device device = read_device(devices->at[i], devices->at[i]->line);

        if (device.is_gpu)
            vec_push(a, &all, device);
    }
    s->devices = all.at;
    s->device_count = all.len;
}

static struct compose_service read_service(struct arena *a, const struct yaml_node *key,
                                           const struct yaml_node *node)
{
    const struct yaml_node *command = get(node, "command");
    struct compose_service s = {.name = key->text, .line = key->line};
    pair_list environment = {0}, volumes = {0};
    word_list words = {0};

    s.image = text_of(get(node, "image"));
    s.runtime = text_of(get(node, "runtime"));
    read_words(&words, a, get(node, "entrypoint"));
    read_words(&words, a, command);
    vec_push(a, &words, NULL);
    s.words = words.at;
    s.command_line = command != NULL ? command->line : key->line;
    s.command_text = command != NULL && command->kind == YAML_TEXT;
    read_pairs(&environment, a, get(node, "environment"), '=');
    s.environment = environment.at;
    s.environment_count = environment.len;
    read_volumes(&volumes, a, get(node, "volumes"));
    s.volumes = volumes.at;
    s.volume_count = volumes.len;
    s.has_gpus = get(node, "gpus") != NULL;
    s.ipc = str_eqz(text_of(get(node, "ipc")), "host");
    s.shm = get(node, "shm_size") != NULL;
    read_deploy(&s, a, node);
    return s;
}

static void read_project(struct compose *out, struct arena *a, const struct yaml_node *top)
{
    const struct yaml_node *volumes = get(top, "volumes");
    pair_list all = {0};

    for (size_t i = 0; volumes != NULL && volumes->kind == YAML_MAP && i < volumes->len; i++) {
        struct compose_pair pair = {.name = volumes->keys[i]->text,
                                    .value = text_of(get(volumes->at[i], "name")),
                                    .line = volumes->keys[i]->line};

        vec_push(a, &all, pair);
    }
    out->volumes = all.at;
    out->volume_count = all.len;
}

int compose_read(struct compose *out, struct arena *a, struct str text, const char *name,
                 struct err *err)
{
    const struct yaml_node *top = NULL;
    const struct yaml_node *services;
    VEC(struct compose_service) all = {0};

    if (yaml_parse_aliased(&top, a, text, name, err) < 0)
        return -1;
    *out = (struct compose){.text = text};
    services = get(top, "services");
    for (size_t i = 0; services != NULL && services->kind == YAML_MAP && i < services->len &&
                       i < COMPOSE_SERVICES;
         i++) {
        struct compose_service service = read_service(a, services->keys[i], services->at[i]);

        vec_push(a, &all, service);
    }
    out->services = all.at;
    out->count = all.len;
    read_project(out, a, top);
    return 0;
}

const struct compose_pair *compose_variable(const struct compose_service *service, const char *name)
{
    for (size_t i = 0; i < service->environment_count; i++) {
        if (str_eqz(service->environment[i].name, name))
            return &service->environment[i];
    }
    return NULL;
}

uint32_t compose_share(const struct compose_service *service)
{
    const char *value = words_value(service->words, "--gpu-memory-utilization");
    uint32_t share;
    struct err ignored;

    return value != NULL && num_parse_share(&share, str_from(value), &ignored) == 0 ? share : 0;
}

size_t compose_line(const struct compose *compose, size_t from, const char *text)
{
    struct str rest = compose->text;
    struct str line;

    for (size_t n = 1; rest.len > 0 && n < from + LINES_ON; n++) {
        (void)str_cut(&rest, '\n', &line);
        if (n >= from && line.len > 0 && memmem(line.ptr, line.len, text, strlen(text)) != NULL)
            return n;
    }
    return from;
}
