#include "json/json.h"

#include <inttypes.h>
#include <string.h>

#include "json/jansson_api.h"
#include "text/utf8.h"

/* Up to here a double holds every whole number. */
#define JSON_REAL_WHOLE_MAX 9007199254740992.0

/* jansson has macros of these names. */
#undef json_is_object
#undef json_is_array

/* struct json is jansson's json_t under a name of ours; jansson itself lacks the const. */
static json_t *handle(const struct json *v)
{
    union {
        const struct json *ours;
        json_t *theirs;
    } cast = {.ours = v};

    return cast.theirs;
}

static const struct json *of_handle(const json_t *j)
{
    return (const void *)j;
}

static bool has_type(const struct json *v, json_type type)
{
    return v != NULL && json_typeof(handle(v)) == type;
}

/*
 * Whether the nesting stays within JSON_DEPTH. Only brackets and strings matter for that; whatever
 * else is wrong with the text is for the parser to say.
 */
static bool is_shallow(struct str text)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{') && ++depth > JSON_DEPTH)
            return false;
        else if (!in_string && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return true;
}

struct json *json_parse(struct str text, size_t limit, const char *what, struct err *err)
{
    const struct jansson_api *api;
    json_error_t reason;
    json_t *doc;

    if (text.len > limit) {
        (void)err_set(err, ERR_LIMIT, "%s: %zu bytes of JSON, more than the %zu that we read", what,
                      text.len, limit);
        return NULL;
    }
    if (!is_shallow(text)) {
        (void)err_set(err, ERR_LIMIT, "%s: JSON nested deeper than %d levels", what, JSON_DEPTH);
        return NULL;
    }
    api = jansson_api(err);
    if (api == NULL)
        return NULL;
    doc = api->json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &reason);
    if (doc == NULL)
        (void)err_set(err, ERR_NET, "%s: broken JSON at line %d, column %d: %s", what, reason.line,
                      reason.column, reason.text);
    /* cppcheck-suppress returnDanglingLifetime ; a document does not keep the reason's address */
    return (struct json *)doc;
}

void json_free(struct json **doc)
{
    /* We never take further references, so the document's is the last. */
    if (*doc != NULL)
        jansson_loaded()->json_delete(handle(*doc));
    *doc = NULL;
}

bool json_is_object(const struct json *v)
{
    return has_type(v, JSON_OBJECT);
}

bool json_is_array(const struct json *v)
{
    return has_type(v, JSON_ARRAY);
}

size_t json_len(const struct json *array)
{
    return json_is_array(array) ? jansson_loaded()->json_array_size(handle(array)) : 0;
}

const struct json *json_at(const struct json *array, size_t i)
{
    return i < json_len(array) ? of_handle(jansson_loaded()->json_array_get(handle(array), i))
                               : NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    const struct json *v;

    if (!json_is_object(object))
        return NULL;
    v = of_handle(jansson_loaded()->json_object_get(handle(object), key));
    return has_type(v, JSON_NULL) ? NULL : v;
}

int json_each(const struct json *object,
              int (*fn)(void *ctx, struct str key, const struct json *value), void *ctx)
{
    const struct jansson_api *api = jansson_loaded();
    json_t *o = handle(object);

    if (!json_is_object(object))
        return 0;
    for (void *at = api->json_object_iter(o); at != NULL; at = api->json_object_iter_next(o, at)) {
        struct str key = str_from(api->json_object_iter_key(at));
        int stop = fn(ctx, key, of_handle(api->json_object_iter_value(at)));

        if (stop != 0)
            return stop;
    }
    return 0;
}

bool json_as_str(struct str *out, const struct json *v)
{
    const struct jansson_api *api = jansson_loaded();

    if (!has_type(v, JSON_STRING))
        return false;
    *out = (struct str){api->json_string_value(handle(v)), api->json_string_length(handle(v))};
    return true;
}

/* 1.0 and 1e3: JSON has one kind of number, and some writers know no other spelling. */
static bool real_as_u64(uint64_t *out, const struct json *v)
{
    double real = jansson_loaded()->json_real_value(handle(v));
    uint64_t whole;

    if (real < 0 || real > JSON_REAL_WHOLE_MAX)
        return false;
    whole = (uint64_t)real;
    if ((double)whole < real)
        return false;
    *out = whole;
    return true;
}

bool json_as_u64(uint64_t *out, const struct json *v)
{
    json_int_t n;

    if (has_type(v, JSON_REAL))
        return real_as_u64(out, v);
    if (!has_type(v, JSON_INTEGER))
        return false;
    n = jansson_loaded()->json_integer_value(handle(v));
    if (n < 0)
        return false;
    *out = (uint64_t)n;
    return true;
}

static int wrong(struct err *err, const char *key, const char *should)
{
    return err_set(err, ERR_NET, "\"%s\" should be %s", key, should);
}

int json_str(struct str *out, const struct json *object, const char *key, struct err *err)
{
    const struct json *v = json_get(object, key);

    return v == NULL || json_as_str(out, v) ? 0 : wrong(err, key, "a string");
}

int json_u64(uint64_t *out, const struct json *object, const char *key, struct err *err)
{
    const struct json *v = json_get(object, key);

    return v == NULL || json_as_u64(out, v) ? 0 : wrong(err, key, "a whole number from 0");
}

int json_bool(bool *out, const struct json *object, const char *key, struct err *err)
{
    const struct json *v = json_get(object, key);

    if (v == NULL)
        return 0;
    if (!has_type(v, JSON_TRUE) && !has_type(v, JSON_FALSE))
        return wrong(err, key, "true or false");
    *out = has_type(v, JSON_TRUE);
    return 0;
}

int json_need_str(struct str *out, const struct json *object, const char *key, struct err *err)
{
    if (json_get(object, key) == NULL)
        return err_set(err, ERR_NET, "\"%s\" is missing", key);
    return json_str(out, object, key, err);
}

int json_need_u64(uint64_t *out, const struct json *object, const char *key, struct err *err)
{
    if (json_get(object, key) == NULL)
        return err_set(err, ERR_NET, "\"%s\" is missing", key);
    return json_u64(out, object, key, err);
}

/* One ASCII character inside a string. */
static void put_char(struct buf *b, char c)
{
    static const char named[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    const char *at = c == '\0' ? NULL : strchr(named, c);

    if (at != NULL)
        buf_addf(b, "\\%c", letters[at - named]);
    else if ((unsigned char)c < 0x20 || c == 0x7f)
        buf_addf(b, "\\u%04x", (unsigned)(unsigned char)c);
    else
        buf_addc(b, c);
}

void json_put_str(struct buf *b, struct str s)
{
    buf_addc(b, '"');
    while (s.len > 0) {
        size_t len = utf8_next(NULL, s);

        if (len == 1)
            put_char(b, s.ptr[0]);
        else if (len > 1)
            buf_add(b, (struct str){s.ptr, len});
        else
            buf_addz(b, "\xef\xbf\xbd"); /* U+FFFD for each byte that is not UTF-8 */
        len = len == 0 ? 1 : len;
        s.ptr += len;
        s.len -= len;
    }
    buf_addc(b, '"');
}

void json_put_key(struct buf *b, const char *key)
{
    if (b->len > 0 && strchr("{[:", b->ptr[b->len - 1]) == NULL)
        buf_addc(b, ',');
    json_put_str(b, str_from(key));
    buf_addc(b, ':');
}

void json_put_member(struct buf *b, const char *key, struct str value)
{
    json_put_key(b, key);
    json_put_str(b, value);
}

void json_put_member_u64(struct buf *b, const char *key, uint64_t value)
{
    json_put_key(b, key);
    buf_addf(b, "%" PRIu64, value);
}

void json_put_member_list(struct buf *b, const char *key, const char *const *texts, size_t count)
{
    json_put_key(b, key);
    buf_addc(b, '[');
    for (size_t i = 0; i < count; i++) {
        buf_addz(b, i > 0 ? "," : "");
        json_put_str(b, str_from(texts[i]));
    }
    buf_addc(b, ']');
}

static int put_member(void *ctx, struct str key, const struct json *value)
{
    struct buf *b = ctx;

    if (b->ptr[b->len - 1] != '{')
        buf_addc(b, ',');
    json_put_str(b, key);
    buf_addc(b, ':');
    json_put_value(b, value);
    return 0;
}

static void put_number(struct buf *b, const struct json *v)
{
    const struct jansson_api *api = jansson_loaded();

    if (has_type(v, JSON_INTEGER))
        buf_addf(b, "%jd", (intmax_t)api->json_integer_value(handle(v)));
    else
        buf_addf(b, "%.17g", api->json_real_value(handle(v)));
}

static void put_elements(struct buf *b, const struct json *array)
{
    buf_addc(b, '[');
    for (size_t i = 0; i < json_len(array); i++) {
        buf_addz(b, i > 0 ? "," : "");
        json_put_value(b, json_at(array, i));
    }
    buf_addc(b, ']');
}

/* No deeper than json_parse() lets a document be. */
void json_put_value(struct buf *b, const struct json *v)
{
    struct str text;

    if (json_as_str(&text, v)) {
        json_put_str(b, text);
    } else if (json_is_array(v)) {
        put_elements(b, v);
    } else if (json_is_object(v)) {
        buf_addc(b, '{');
        (void)json_each(v, put_member, b);
        buf_addc(b, '}');
    } else if (has_type(v, JSON_INTEGER) || has_type(v, JSON_REAL)) {
        put_number(b, v);
    } else if (has_type(v, JSON_TRUE)) {
        buf_addz(b, "true");
    } else {
        buf_addz(b, has_type(v, JSON_FALSE) ? "false" : "null");
    }
}
