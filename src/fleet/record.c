#include "fleet/record.h"

#include <string.h>

#include "sys/clock.h"
#include "text/url.h"
#include "text/utf8.h"

struct fleet_record fleet_record_new(void)
{
    return (struct fleet_record){.id = "",
                                 .instance = "",
                                 .type = "",
                                 .host = "",
                                 .version = "",
                                 .url = "",
                                 .state = FLEET_STARTING,
                                 .reason = "",
                                 .gpus = STR("[]")};
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

bool fleet_text_ok(struct str text, size_t max)
{
    if (text.len > max)
        return false;
    while (text.len > 0) {
        uint32_t code;
        size_t len = utf8_next(&code, text);

        if (len == 0 || is_control(code))
            return false;
        text.ptr += len;
        text.len -= len;
    }
    return true;
}

/* Absent: *out keeps its value. */
static int read_text(const char **out, struct arena *a, const struct json *object, const char *key,
                     size_t max, struct err *err)
{
    struct str text = {0};

    if (json_str(&text, object, key, err) < 0)
        return -1;
    if (text.ptr == NULL)
        return 0;
    if (text.len > max)
        return err_set(err, ERR_LIMIT, "\"%s\" is longer than %zu bytes", key, max);
    if (!fleet_text_ok(text, max))
        return err_set(err, ERR_NET, "\"%s\" has a control character in it", key);
    *out = str_dup(a, text);
    return 0;
}

static bool is_instance(const char *text)
{
    for (; *text != '\0'; text++) {
        bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');

        if (!letter && (*text < '0' || *text > '9') && *text != '-' && *text != '_')
            return false;
    }
    return true;
}

static int read_instance(const char **out, struct arena *a, const struct json *object,
                         struct err *err)
{
    const char *instance = *out;

    if (read_text(&instance, a, object, "instance", FLEET_INSTANCE_MAX, err) < 0)
        return -1;
    if (!is_instance(instance))
        return err_set(err, ERR_NET, "\"instance\" should be letters, digits, - and _");
    *out = instance;
    return 0;
}

static int read_url(const char **out, struct arena *a, const struct json *object, struct err *err)
{
    const char *url = *out;
    struct url parsed;

    if (read_text(&url, a, object, "url", FLEET_URL_MAX, err) < 0)
        return -1;
    if (url[0] != '\0' && url_parse(&parsed, a, str_from(url), err) < 0)
        return err_wrap(err, "\"url\"");
    *out = url;
    return 0;
}

static int read_state(enum fleet_state *out, const struct json *object, struct err *err)
{
    struct str text = {0};

    if (json_str(&text, object, "state", err) < 0)
        return -1;
    if (text.ptr != NULL && !fleet_state_parse(out, text))
        return err_set(err, ERR_NET, "\"state\" should be a state of a worker, such as running");
    return 0;
}

static int read_models(struct fleet_record *r, struct arena *a, const struct json *object,
                       struct err *err)
{
    const struct json *models = json_get(object, "models");
    size_t count = json_len(models);
    struct fleet_model *all;

    if (models == NULL)
        return 0;
    if (!json_is_array(models))
        return err_set(err, ERR_NET, "\"models\" should be a list");
    if (count > FLEET_MODELS_MAX)
        return err_set(err, ERR_LIMIT, "\"models\" has more than %zu", FLEET_MODELS_MAX);
    all = arena_array(a, struct fleet_model, count);
    for (size_t i = 0; i < count; i++) {
        const struct json *one = json_at(models, i);

        all[i] = (struct fleet_model){.name = "", .revision = ""};
        if (!json_is_object(one))
            return err_set(err, ERR_NET, "\"models\" should hold objects");
        if (read_text(&all[i].name, a, one, "name", FLEET_MODEL_MAX, err) < 0 ||
            read_text(&all[i].revision, a, one, "revision", FLEET_REVISION_MAX, err) < 0)
            return err_wrap(err, "\"models\"");
        if (all[i].name[0] == '\0')
            return err_set(err, ERR_NET, "\"models\" has one without a name");
    }
    r->models = all;
    r->model_count = count;
    return 0;
}

struct reading_labels {
    struct arena *arena;
    struct fleet_label *all;
    size_t count;
    struct err *err;
};

static int read_label(void *ctx, struct str key, const struct json *value)
{
    struct reading_labels *l = ctx;
    struct str text;

    if (l->count == FLEET_LABELS_MAX)
        return err_set(l->err, ERR_LIMIT, "\"labels\" has more than %zu", FLEET_LABELS_MAX);
    if (key.len == 0 || !fleet_text_ok(key, FLEET_KEY_MAX))
        return err_set(l->err, ERR_LIMIT, "\"labels\" has a key that is not 1 to %zu bytes of text",
                       FLEET_KEY_MAX);
    if (!json_as_str(&text, value) || !fleet_text_ok(text, FLEET_VALUE_MAX))
        return err_set(l->err, ERR_LIMIT,
                       "\"labels\" has a value that is not a text of at most %zu bytes",
                       FLEET_VALUE_MAX);
    l->all[l->count++] =
        (struct fleet_label){.key = str_dup(l->arena, key), .value = str_dup(l->arena, text)};
    return 0;
}

static int read_labels(struct fleet_record *r, struct arena *a, const struct json *object,
                       struct err *err)
{
    const struct json *labels = json_get(object, "labels");
    struct reading_labels l = {.arena = a, .err = err};

    if (labels == NULL)
        return 0;
    if (!json_is_object(labels))
        return err_set(err, ERR_NET, "\"labels\" should be an object");
    l.all = arena_array(a, struct fleet_label, FLEET_LABELS_MAX);
    if (json_each(labels, read_label, &l) != 0)
        return -1;
    r->labels = l.all;
    r->label_count = l.count;
    return 0;
}

/* The entries are passed on as they are: who shows them reads them. */
static int read_gpus(struct fleet_record *r, struct arena *a, const struct json *object,
                     struct err *err)
{
    const struct json *gpus = json_get(object, "gpus");
    struct buf text = buf_new(a, FLEET_GPUS_BYTES);

    if (gpus == NULL)
        return 0;
    if (!json_is_array(gpus))
        return err_set(err, ERR_NET, "\"gpus\" should be a list");
    if (json_len(gpus) > FLEET_GPUS_MAX)
        return err_set(err, ERR_LIMIT, "\"gpus\" has more than %zu", FLEET_GPUS_MAX);
    for (size_t i = 0; i < json_len(gpus); i++) {
        if (!json_is_object(json_at(gpus, i)))
            return err_set(err, ERR_NET, "\"gpus\" should hold objects");
    }
    json_put_value(&text, gpus);
    if (text.cut)
        return err_set(err, ERR_LIMIT, "\"gpus\" is longer than %zu bytes", FLEET_GPUS_BYTES);
    r->gpus = buf_str(&text);
    return 0;
}

static int read_holds(struct fleet_record *r, struct arena *a, const struct json *object,
                      struct err *err)
{
    const struct json *holds = json_get(object, "holds");
    size_t count = json_len(holds);
    struct fleet_hold *all;

    if (holds == NULL)
        return 0;
    if (!json_is_array(holds))
        return err_set(err, ERR_NET, "\"holds\" should be a list");
    if (count > FLEET_HOLDS_MAX)
        return err_set(err, ERR_LIMIT, "\"holds\" has more than %zu", FLEET_HOLDS_MAX);
    all = arena_array(a, struct fleet_hold, count);
    for (size_t i = 0; i < count; i++) {
        const struct json *one = json_at(holds, i);

        all[i] = (struct fleet_hold){.uuid = ""};
        if (!json_is_object(one))
            return err_set(err, ERR_NET, "\"holds\" should hold objects");
        if (read_text(&all[i].uuid, a, one, "uuid", FLEET_UUID_MAX, err) < 0 ||
            json_u64(&all[i].mib, one, "mib", err) < 0 ||
            json_u64(&all[i].planned_mib, one, "planned_mib", err) < 0)
            return err_wrap(err, "\"holds\"");
    }
    r->holds = all;
    r->hold_count = count;
    return 0;
}

static int read_progress(struct fleet_progress *out, const struct json *object, struct err *err)
{
    const struct json *progress = json_get(object, "progress");

    if (progress == NULL)
        return 0;
    if (!json_is_object(progress))
        return err_set(err, ERR_NET, "\"progress\" should be an object");
    if (json_u64(&out->bytes, progress, "bytes", err) < 0 ||
        json_u64(&out->total, progress, "total", err) < 0 ||
        json_u64(&out->bps, progress, "bps", err) < 0)
        return err_wrap(err, "\"progress\"");
    return 0;
}

/* All members but the state, which a listing spells its own way. */
static int read_members(struct fleet_record *r, struct arena *a, const struct json *object,
                        struct err *err)
{
    const struct {
        const char **out;
        const char *key;
        size_t max;
    } texts[] = {
        {&r->id, "id", FLEET_ID_MAX},
        {&r->type, "type", FLEET_TYPE_MAX},
        {&r->host, "host", FLEET_HOST_MAX},
        {&r->version, "version", FLEET_VERSION_MAX},
        {&r->reason, "reason", FLEET_REASON_MAX},
    };

    if (!json_is_object(object))
        return err_set(err, ERR_NET, "it should be an object");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (read_text(texts[i].out, a, object, texts[i].key, texts[i].max, err) < 0)
            return -1;
    }
    if (read_instance(&r->instance, a, object, err) < 0 || read_url(&r->url, a, object, err) < 0 ||
        read_models(r, a, object, err) < 0 || read_labels(r, a, object, err) < 0 ||
        read_gpus(r, a, object, err) < 0 || read_holds(r, a, object, err) < 0)
        return -1;
    return read_progress(&r->progress, object, err);
}

int fleet_record_read(struct fleet_record *record, struct arena *a, const struct json *object,
                      struct err *err)
{
    struct fleet_record r = *record;

    if (read_members(&r, a, object, err) < 0 || read_state(&r.state, object, err) < 0)
        return -1;
    *record = r;
    return 0;
}

int fleet_record_check(const struct fleet_record *record, struct err *err)
{
    const struct {
        const char *text;
        const char *key;
    } needed[] = {{record->id, "id"}, {record->instance, "instance"}, {record->host, "host"}};

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (needed[i].text[0] == '\0')
            return err_set(err, ERR_NET, "\"%s\" is missing", needed[i].key);
    }
    return 0;
}

static size_t room_of(const char *text)
{
    return strlen(text) + 1 + sizeof(max_align_t);
}

size_t fleet_record_bytes(const struct fleet_record *r)
{
    size_t bytes = room_of(r->id) + room_of(r->instance) + room_of(r->type) + room_of(r->host) +
                   room_of(r->version) + room_of(r->url) + room_of(r->reason) + r->gpus.len + 1 +
                   4 * sizeof(max_align_t) + r->model_count * sizeof(*r->models) +
                   r->label_count * sizeof(*r->labels) + r->hold_count * sizeof(*r->holds);

    for (size_t i = 0; i < r->model_count; i++)
        bytes += room_of(r->models[i].name) + room_of(r->models[i].revision);
    for (size_t i = 0; i < r->label_count; i++)
        bytes += room_of(r->labels[i].key) + room_of(r->labels[i].value);
    for (size_t i = 0; i < r->hold_count; i++)
        bytes += room_of(r->holds[i].uuid);
    return bytes;
}

static const char *copy(struct arena *a, const char *text)
{
    return str_dup(a, str_from(text));
}

void fleet_record_copy(struct fleet_record *out, struct arena *a, const struct fleet_record *record)
{
    struct fleet_model *models = arena_array(a, struct fleet_model, record->model_count);
    struct fleet_label *labels = arena_array(a, struct fleet_label, record->label_count);
    struct fleet_hold *holds = arena_array(a, struct fleet_hold, record->hold_count);
    struct fleet_record r = *record;

    r.id = copy(a, r.id);
    r.instance = copy(a, r.instance);
    r.type = copy(a, r.type);
    r.host = copy(a, r.host);
    r.version = copy(a, r.version);
    r.url = copy(a, r.url);
    r.reason = copy(a, r.reason);
    r.gpus = str_copy(a, r.gpus);
    for (size_t i = 0; i < r.model_count; i++)
        models[i] = (struct fleet_model){.name = copy(a, r.models[i].name),
                                         .revision = copy(a, r.models[i].revision)};
    for (size_t i = 0; i < r.label_count; i++)
        labels[i] = (struct fleet_label){.key = copy(a, r.labels[i].key),
                                         .value = copy(a, r.labels[i].value)};
    for (size_t i = 0; i < r.hold_count; i++) {
        holds[i] = r.holds[i];
        holds[i].uuid = copy(a, holds[i].uuid);
    }
    r.models = models;
    r.labels = labels;
    r.holds = holds;
    *out = r;
}

int fleet_listed_read(struct fleet_listed *out, struct arena *a, const struct json *object,
                      struct err *err)
{
    struct fleet_listed l = {.record = fleet_record_new()};
    struct str state = {0};
    struct str since = {0};

    if (read_members(&l.record, a, object, err) < 0 || fleet_record_check(&l.record, err) < 0 ||
        json_need_str(&state, object, "state", err) < 0 ||
        json_need_str(&since, object, "since", err) < 0 ||
        json_need_u64(&l.last_beat_s, object, "last_beat_s", err) < 0)
        return -1;
    l.lost = str_eqz(state, FLEET_LOST);
    if (!l.lost && !fleet_state_parse(&l.record.state, state))
        return err_set(err, ERR_NET, "\"state\" should be a state of a worker, or lost");
    if (!clock_parse_unix_ms(&l.since_unix_ms, since))
        return err_set(err, ERR_NET, "\"since\" should be a time like 2026-11-23T08:31:02.114Z");
    *out = l;
    return 0;
}
