#include "coord/etcd_text.h"

#include <inttypes.h>

#include "text/base64.h"
#include "text/num.h"

#define LINE_MAX_BYTES ((size_t)64 << 20)
#define LINE_SHOWN     200

/* ------------------------------------------------------------------ what is said */

static void put_bytes(struct buf *out, const char *name, struct str bytes)
{
    json_put_key(out, name);
    buf_addc(out, '"');
    base64_put(out, bytes);
    buf_addc(out, '"');
}

static void put_int(struct buf *out, const char *name, uint64_t value)
{
    json_put_key(out, name);
    buf_addf(out, "\"%" PRIu64 "\"", value);
}

/* The first key that no longer begins so: our prefixes end with a byte that has a next one. */
static void put_end(struct buf *out, struct str prefix)
{
    ARENA_SCOPED a = {0};
    char *end = str_dup(&a, prefix);

    end[prefix.len - 1]++;
    put_bytes(out, "range_end", (struct str){end, prefix.len});
}

static void put_pair(struct buf *out, struct str key, struct str value, uint64_t lease)
{
    put_bytes(out, "key", key);
    put_bytes(out, "value", value);
    if (lease != 0)
        put_int(out, "lease", lease);
}

void etcd_put_put(struct buf *out, struct str key, struct str value, uint64_t lease)
{
    buf_addc(out, '{');
    put_pair(out, key, value, lease);
    buf_addc(out, '}');
}

void etcd_put_txn(struct buf *out, struct str key, uint64_t revision, struct str value,
                  uint64_t lease)
{
    buf_addz(out, "{\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\"");
    put_bytes(out, "key", key);
    put_int(out, "mod_revision", revision);
    buf_addz(out, "}],\"success\":[{");
    json_put_key(out, value.ptr != NULL ? "request_put" : "request_delete_range");
    buf_addc(out, '{');
    if (value.ptr != NULL)
        put_pair(out, key, value, lease);
    else
        put_bytes(out, "key", key);
    buf_addz(out, "}}],\"failure\":[{\"request_range\":{");
    put_bytes(out, "key", key);
    buf_addz(out, "}}]}");
}

void etcd_put_range(struct buf *out, struct str first, struct str prefix, unsigned limit,
                    uint64_t revision)
{
    buf_addc(out, '{');
    put_bytes(out, "key", first);
    put_end(out, prefix);
    put_int(out, "limit", limit);
    put_int(out, "revision", revision);
    buf_addc(out, '}');
}

void etcd_put_watch(struct buf *out, struct str prefix, uint64_t revision)
{
    buf_addz(out, "{\"create_request\":{\"fragment\":true");
    put_bytes(out, "key", prefix);
    put_end(out, prefix);
    put_int(out, "start_revision", revision);
    buf_addz(out, "}}");
}

/* ------------------------------------------------------------------ what is answered */

/* Absent is 0. */
static int read_int(uint64_t *out, const struct json *object, const char *key, struct err *err)
{
    const struct json *value = json_get(object, key);
    struct str digits;

    *out = 0;
    if (value == NULL || json_as_u64(out, value))
        return 0;
    if (json_as_str(&digits, value) && num_parse_u64(out, digits, UINT64_MAX, err) == 0)
        return 0;
    return err_set(err, ERR_NET, "\"%s\" should be a number", key);
}

static int read_bytes(struct str *out, struct arena *a, const struct json *object, const char *key,
                      struct err *err)
{
    struct str text = STR("");

    if (json_str(&text, object, key, err) < 0)
        return -1;
    if (!base64_read(out, a, text))
        return err_set(err, ERR_NET, "\"%s\" should be base64", key);
    return 0;
}

static int read_revision(uint64_t *out, const struct json *object, struct err *err)
{
    return read_int(out, json_get(object, "header"), "revision", err);
}

static int read_kv(struct etcd_kv *out, struct arena *a, const struct json *kv, struct err *err)
{
    if (read_bytes(&out->key, a, kv, "key", err) < 0 ||
        read_bytes(&out->value, a, kv, "value", err) < 0 ||
        read_int(&out->lease, kv, "lease", err) < 0 ||
        read_int(&out->revision, kv, "mod_revision", err) < 0)
        return -1;
    return 0;
}

static int read_kvs(struct etcd_answer *out, struct arena *a, const struct json *range,
                    struct err *err)
{
    const struct json *kvs = json_get(range, "kvs");
    size_t count = json_len(kvs);
    struct etcd_kv *all = arena_array(a, struct etcd_kv, count);

    for (size_t i = 0; i < count; i++) {
        if (read_kv(&all[i], a, json_at(kvs, i), err) < 0)
            return -1;
    }
    out->kvs = all;
    out->count = count;
    return json_bool(&out->more, range, "more", err);
}

int etcd_read_answer(struct etcd_answer *out, struct arena *a, const struct json *doc,
                     struct err *err)
{
    const struct json *first = json_at(json_get(doc, "responses"), 0);
    const struct json *range = first != NULL ? json_get(first, "response_range") : doc;
    struct etcd_answer answer = {0};

    if (read_revision(&answer.revision, doc, err) < 0 ||
        json_bool(&answer.succeeded, doc, "succeeded", err) < 0 ||
        read_kvs(&answer, a, range, err) < 0)
        return err_wrap(err, "etcd's answer");
    if (answer.revision == 0)
        return err_set(err, ERR_NET, "etcd's answer has no revision");
    *out = answer;
    return 0;
}

int etcd_read_lease(uint64_t *ret_id, uint64_t *ret_ttl_s, const struct json *doc, struct err *err)
{
    const struct json *result = json_get(doc, "result");
    uint64_t id;
    uint64_t ttl_s;

    if (result == NULL)
        result = doc;
    if (read_int(&id, result, "ID", err) < 0 || read_int(&ttl_s, result, "TTL", err) < 0)
        return err_wrap(err, "etcd's answer on a lease");
    if (id == 0)
        return err_set(err, ERR_NET, "etcd's answer on a lease names none");
    *ret_id = id;
    *ret_ttl_s = ttl_s;
    return 0;
}

static int read_event(struct etcd_kv *out, struct arena *a, const struct json *event,
                      struct err *err)
{
    struct str type = {0};

    if (json_str(&type, event, "type", err) < 0 || read_kv(out, a, json_get(event, "kv"), err) < 0)
        return -1;
    out->deleted = str_eqz(type, "DELETE");
    return 0;
}

static int read_result(struct etcd_heard *out, struct arena *a, const struct json *result,
                       struct err *err)
{
    const struct json *events = json_get(result, "events");
    size_t count = json_len(events);
    struct etcd_kv *all = arena_array(a, struct etcd_kv, count);
    uint64_t compact_revision;

    if (read_revision(&out->revision, result, err) < 0 ||
        json_bool(&out->created, result, "created", err) < 0 ||
        json_bool(&out->cancelled, result, "canceled", err) < 0 ||
        json_bool(&out->partial, result, "fragment", err) < 0 ||
        read_int(&compact_revision, result, "compact_revision", err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (read_event(&all[i], a, json_at(events, i), err) < 0)
            return -1;
    }
    out->compacted = compact_revision != 0;
    out->kvs = all;
    out->count = count;
    return 0;
}

int etcd_read_heard(struct etcd_heard *out, struct arena *a, struct str line, struct err *err)
{
    JSON_SCOPED *doc = json_parse(line, LINE_MAX_BYTES, "a line of etcd's watch", err);
    const struct json *result = json_get(doc, "result");
    struct etcd_heard heard = {0};

    if (doc == NULL)
        return -1;
    if (result == NULL)
        return err_set(err, ERR_NET, "etcd ends the watch: %s", str_printable(a, line, LINE_SHOWN));
    if (read_result(&heard, a, result, err) < 0)
        return err_wrap(err, "a line of etcd's watch");
    *out = heard;
    return 0;
}
