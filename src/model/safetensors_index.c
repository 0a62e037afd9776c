#include "model/safetensors_index.h"

#include <stdlib.h>
#include <string.h>

#include "json/json.h"
#include "text/relpath.h"
#include "text/vec.h"

#define SHOWN_MAX ((size_t)120)

struct reading {
    struct arena *arena;
    VEC(const char *) names; /* of shards, each as often as it comes anew */
    struct str last;         /* tensors of one shard mostly follow each other */
    struct err *err;
};

static int by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Drops names that come twice. */
static void settle(struct reading *r)
{
    size_t kept = 0;

    if (r->names.len == 0)
        return;
    qsort(r->names.at, r->names.len, sizeof(*r->names.at), by_name);
    for (size_t i = 0; i < r->names.len; i++) {
        if (kept == 0 || strcmp(r->names.at[i], r->names.at[kept - 1]) != 0)
            r->names.at[kept++] = r->names.at[i];
    }
    r->names.len = kept;
}

static int add_shard(void *ctx, struct str key, const struct json *value)
{
    struct reading *r = ctx;
    struct err ignored;
    struct str name;

    if (!json_as_str(&name, value) || relpath_check(name, &ignored) < 0 ||
        memchr(name.ptr, '/', name.len) != NULL)
        return err_set(r->err, ERR_LIMIT, "weight_map: \"%s\" lies in no file of this folder",
                       str_printable(r->arena, key, SHOWN_MAX));
    if (str_eq(name, r->last))
        return 0;
    r->last = str_copy(r->arena, name);
    vec_push(r->arena, &r->names, r->last.ptr);
    if (r->names.len > SAFETENSORS_INDEX_SHARDS_MAX)
        settle(r);
    if (r->names.len > SAFETENSORS_INDEX_SHARDS_MAX)
        return err_set(r->err, ERR_LIMIT, "weight_map: more than %zu files",
                       SAFETENSORS_INDEX_SHARDS_MAX);
    return 0;
}

int safetensors_index_parse(struct safetensors_index *out, struct arena *a, struct str text,
                            struct err *err)
{
    struct reading r = {.arena = a, .err = err};
    JSON_SCOPED *doc = json_parse(text, SAFETENSORS_INDEX_BYTES_MAX, "index of shards", err);
    const struct json *map;

    if (doc == NULL) {
        if (err->code == ERR_NET) /* a file of a volume is not better the second time */
            err->code = ERR_LIMIT;
        return -1;
    }
    map = json_get(doc, "weight_map");
    if (!json_is_object(map))
        return err_set(err, ERR_LIMIT, "index of shards: it has no weight_map");
    if (json_each(map, add_shard, &r) != 0)
        return err_wrap(err, "index of shards");
    settle(&r);
    *out = (struct safetensors_index){r.names.at, r.names.len};
    return 0;
}
