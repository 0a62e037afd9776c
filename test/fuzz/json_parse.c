/* Reads any text as JSON and asks every question of every value; what is written back must parse.
 */
#include <stdlib.h>

#include "json/json.h"

#define LIMIT ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
    struct arena arena;
    size_t depth;
};

static void ask(struct walk *w, const struct json *v);

/* A key is written and read back as itself. */
static void check_key(struct walk *w, struct str key)
{
    struct arena_mark mark = arena_mark(&w->arena);
    struct buf b = buf_new(&w->arena, 8 * LIMIT);
    struct err err = {0};
    struct str got;
    struct json *doc;

    buf_addc(&b, '[');
    json_put_str(&b, key);
    buf_addc(&b, ']');
    doc = json_parse(buf_str(&b), 8 * LIMIT, "key", &err);
    if (doc == NULL || !json_as_str(&got, json_at(doc, 0)) || !str_eq(got, key))
        abort();
    json_free(&doc);
    arena_rewind(&w->arena, mark);
}

static int ask_member(void *ctx, struct str key, const struct json *v)
{
    check_key(ctx, key);
    ask(ctx, v);
    return 0;
}

static void ask(struct walk *w, const struct json *v)
{
    struct err err = {0};
    struct str text;
    uint64_t n;
    bool flag;

    if (++w->depth > JSON_DEPTH + 1)
        abort();
    (void)!json_str(&text, v, "path", &err);
    (void)!json_u64(&n, v, "size", &err);
    (void)!json_bool(&flag, v, "gated", &err);
    (void)!json_need_str(&text, v, "oid", &err);
    if (json_as_str(&text, v))
        check_key(w, text);
    if (json_as_u64(&n, v) && n > INT64_MAX)
        abort();
    for (size_t i = 0; i < json_len(v); i++)
        ask(w, json_at(v, i));
    (void)json_each(v, ask_member, w);
    w->depth--;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct walk w = {0};
    struct json *doc = json_parse((struct str){(const char *)data, size}, LIMIT, "input", &err);

    if (doc == NULL)
        return 0;
    ask(&w, doc);
    json_free(&doc);
    arena_free(&w.arena);
    return 0;
}
