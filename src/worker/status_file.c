#include "worker/status_file.h"

#include <inttypes.h>

#include "digest/digest.h"
#include "store/sealed.h"
#include "text/vec.h"

static const struct {
    const char *key;
    bool is_number;
    size_t offset;
} fields[] = {
    {"reason", false, offsetof(struct status, reason)},
    {"type", false, offsetof(struct status, type)},
    {"id", false, offsetof(struct status, id)},
    {"host", false, offsetof(struct status, host)},
    {"boot", false, offsetof(struct status, boot)},
    {"pid", true, offsetof(struct status, pid)},
    {"namespace", true, offsetof(struct status, pid_namespace)},
    {"start", true, offsetof(struct status, start_ticks)},
    {"command", true, offsetof(struct status, command_pid)},
    {"restarts", true, offsetof(struct status, restarts)},
    {"since", true, offsetof(struct status, since_unix_ms)},
    {"beat", true, offsetof(struct status, beat_ms)},
    {"filling", false, offsetof(struct status, model)},
    {"bytes", true, offsetof(struct status, bytes)},
    {"total", true, offsetof(struct status, total)},
    {"bps", true, offsetof(struct status, bps)},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

struct str status_format(struct arena *a, const struct status *s)
{
    struct buf b = buf_new(a, STATUS_BYTES_MAX);

    buf_addf(&b, "hostler-status %u\nstate %s\n", STATUS_FORMAT, fleet_state_name(s->state));
    for (size_t i = 0; i < FIELDS; i++) {
        const char *field = (const char *)s + fields[i].offset;

        buf_addf(&b, "%s ", fields[i].key);
        if (fields[i].is_number)
            buf_addf(&b, "%" PRIu64, *(const uint64_t *)(const void *)field);
        else
            sealed_put(&b, str_from(*(const char *const *)(const void *)field));
        buf_addc(&b, '\n');
    }
    for (size_t i = 0; i < s->model_count; i++) {
        buf_addz(&b, "model ");
        sealed_put(&b, str_from(s->models[i]));
        buf_addc(&b, '\n');
    }
    buf_addf(&b, "end %08x\n", digest_crc32c(0, b.ptr, b.len));
    return buf_str(&b);
}

static bool take_state(struct status *s, struct str *body)
{
    struct str line;
    struct str key;

    (void)str_cut(body, '\n', &line);
    return str_cut(&line, ' ', &key) && str_eqz(key, "state") && fleet_state_parse(&s->state, line);
}

/* "<key> <value>" of the i-th field, and nothing behind it. */
static bool take_field(struct status *s, struct arena *a, struct str *body, size_t i)
{
    char *field = (char *)s + fields[i].offset;
    struct str line;
    struct str key;
    struct str text;

    (void)str_cut(body, '\n', &line);
    if (!str_cut(&line, ' ', &key) || !str_eqz(key, fields[i].key))
        return false;
    if (fields[i].is_number)
        return sealed_number((uint64_t *)(void *)field, &line) && line.len == 0;
    if (!sealed_word(&text, a, &line) || line.len > 0)
        return false;
    *(const char **)(void *)field = str_dup(a, text);
    return true;
}

static bool take_models(struct status *s, struct arena *a, struct str body)
{
    VEC(const char *) models = {0};

    while (body.len > 0) {
        struct str line;
        struct str key;
        struct str text;

        (void)str_cut(&body, '\n', &line);
        if (models.len == STATUS_MODELS || !str_cut(&line, ' ', &key) || !str_eqz(key, "model") ||
            !sealed_word(&text, a, &line) || line.len > 0)
            return false;
        vec_push(a, &models, str_dup(a, text));
    }
    s->model_count = models.len;
    vec_push(a, &models, NULL);
    s->models = models.at;
    return true;
}

bool status_parse(struct status *out, struct arena *a, struct str text)
{
    struct status s = {0};
    struct str body;

    if (text.len > STATUS_BYTES_MAX || !sealed_check(&body, text, "status", STATUS_FORMAT) ||
        !take_state(&s, &body))
        return false;
    for (size_t i = 0; i < FIELDS; i++) {
        if (!take_field(&s, a, &body, i))
            return false;
    }
    if (!take_models(&s, a, body))
        return false;
    *out = s;
    return true;
}
