#include "coord/exchange.h"

#include "json/json.h"

#define ERROR_BYTES_MAX ((size_t)8192)

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool exchange_decode(struct str *out, struct arena *a, struct str text)
{
    char *decoded = arena_array(a, char, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            int high = i + 1 < text.len ? digit_of(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? digit_of(text.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return false;
        decoded[len++] = c;
    }
    *out = (struct str){decoded, len};
    return true;
}

/* A plus sign is a blank in forms; in our own requests it is written %2B. */
static bool decode_query(struct str *out, struct arena *a, struct str text)
{
    char *blanks = str_dup(a, text);

    for (size_t i = 0; i < text.len; i++)
        blanks[i] = blanks[i] == '+' ? ' ' : blanks[i];
    return exchange_decode(out, a, (struct str){blanks, text.len});
}

bool exchange_set_target(struct exchange *x, struct str target)
{
    struct str rest = str_copy(&x->arena, target);
    struct str item;
    struct str key;

    (void)str_cut(&rest, '?', &x->path);
    x->query_count = 0;
    while (rest.len > 0) {
        struct query_item *next = &x->query[x->query_count];

        (void)str_cut(&rest, '&', &item);
        if (item.len == 0)
            continue;
        if (x->query_count == EXCHANGE_QUERY_MAX)
            return false;
        (void)str_cut(&item, '=', &key);
        if (!decode_query(&next->key, &x->arena, key) ||
            !decode_query(&next->value, &x->arena, item))
            return false;
        x->query_count++;
    }
    return true;
}

struct str exchange_query(const struct exchange *x, const char *key, size_t n)
{
    for (size_t i = 0; i < x->query_count; i++) {
        if (str_eqz(x->query[i].key, key) && n-- == 0)
            return x->query[i].value;
    }
    return (struct str){0};
}

void exchange_answer(struct exchange *x, int status, struct str json)
{
    x->status = status;
    x->type = "application/json";
    x->text = json;
}

void exchange_refuse(struct exchange *x, int status, const char *code, const char *message,
                     const char *hint)
{
    struct buf b = buf_new(&x->arena, ERROR_BYTES_MAX);

    buf_addz(&b, "{\"error\":{");
    json_put_member(&b, "code", str_from(code));
    json_put_member(&b, "message", str_from(message));
    if (hint != NULL)
        json_put_member(&b, "hint", str_from(hint));
    buf_addz(&b, "}}\n");
    exchange_answer(x, status, buf_str(&b));
}

void exchange_refuse_err(struct exchange *x, const struct err *err)
{
    switch (err->code) {
    case ERR_NET:
    case ERR_LIMIT: exchange_refuse(x, 400, "bad_request", err->msg, NULL); return;
    case ERR_NONE:
    case ERR_USAGE:
    case ERR_NOT_FOUND:
    case ERR_AUTH:
    case ERR_DIGEST:
    case ERR_NO_SPACE:
    case ERR_WAIT:
    case ERR_VOLUME:
    case ERR_GPU:
    case ERR_UNHEALTHY:
    case ERR_BUG:
    case ERR_INTERRUPTED:
    case ERR_COUNT:
        x->retry_after_s = 5;
        exchange_refuse(x, 503, "unavailable", "the registry cannot take this now",
                        "ask another coordinator, or this one later; its log says why");
        return;
    }
}
