#include "plan/headers.h"

#include <stdio.h>
#include <string.h>

#include "model/config_json.h"
#include "model/gguf.h"
#include "model/safetensors.h"
#include "model/safetensors_index.h"
#include "text/vec.h"

#define CARD_MAX ((uint64_t)64 << 10) /* of a README, where its licence may stand */

typedef VEC(size_t) file_list;

struct reading {
    struct arena *arena;
    const struct headers_from *from;
    struct model_facts facts;
    struct err *err;
};

static struct str path_of(const struct reading *r, size_t file)
{
    return str_from(r->from->files[file].path);
}

static bool find(const struct reading *r, size_t *ret_file, const char *path)
{
    for (size_t i = 0; i < r->from->count; i++) {
        if (strcmp(r->from->files[i].path, path) == 0) {
            *ret_file = i;
            return true;
        }
    }
    return false;
}

static int first(struct reading *r, struct str *out, size_t file, uint64_t bytes)
{
    return r->from->first(r->from->ctx, out, r->arena, file, bytes, r->err);
}

static const char *what_of(struct reading *r, size_t file)
{
    return str_format(r->arena, "%s: %s", r->from->name, r->from->files[file].path);
}

/* A small file, if it is there. */
static int read_json(struct reading *r, const char *path,
                     int (*read)(struct model_facts *, struct arena *, struct str, const char *,
                                 struct err *))
{
    struct str text;
    size_t file;

    if (!find(r, &file, path))
        return 0;
    if (r->from->files[file].bytes > CONFIG_JSON_MAX)
        return err_set(r->err, ERR_LIMIT, "%s: it has %llu bytes, more than %zu", what_of(r, file),
                       (unsigned long long)r->from->files[file].bytes, CONFIG_JSON_MAX);
    if (first(r, &text, file, CONFIG_JSON_MAX) < 0)
        return -1;
    return read(&r->facts, r->arena, text, what_of(r, file), r->err);
}

static bool is_top(struct str path)
{
    return memchr(path.ptr, '/', path.len) == NULL;
}

static void list_ending(file_list *out, struct reading *r, const char *head, const char *ending)
{
    for (size_t i = 0; i < r->from->count; i++) {
        struct str path = path_of(r, i);

        if (is_top(path) && str_ends(path, str_from(ending)) && str_starts(path, str_from(head)) &&
            !str_starts(path, STR("consolidated")))
            vec_push(r->arena, out, i);
    }
}

/* The shards of the index, all of which must be there. */
static int list_shards(file_list *out, struct reading *r)
{
    struct safetensors_index index;
    struct str text;
    size_t file;

    if (!find(r, &file, "model.safetensors.index.json"))
        return 0;
    if (first(r, &text, file, SAFETENSORS_INDEX_BYTES_MAX) < 0)
        return -1;
    if (safetensors_index_parse(&index, r->arena, text, r->err) < 0)
        return err_wrap(r->err, "%s", what_of(r, file));
    for (size_t i = 0; i < index.shard_count; i++) {
        if (!find(r, &file, index.shards[i]))
            return err_set(r->err, ERR_NOT_FOUND, "%s: %s of its index is not there", r->from->name,
                           index.shards[i]);
        vec_push(r->arena, out, file);
    }
    return 0;
}

static int read_safetensors(struct reading *r, size_t file)
{
    uint64_t bytes = r->from->files[file].bytes;
    const char *what = what_of(r, file);
    struct str head;
    uint64_t size;

    if (first(r, &head, file, HEADERS_FIRST) < 0 ||
        safetensors_size(&size, head, bytes, what, r->err) < 0)
        return -1;
    if (size > head.len && first(r, &head, file, size) < 0)
        return -1;
    if (head.len < size)
        return err_set(r->err, ERR_LIMIT, "%s: %zu bytes of a head of %llu came", what, head.len,
                       (unsigned long long)size);
    head.len = (size_t)size;
    return safetensors_read(&r->facts, r->arena, head, bytes, what, r->err);
}

static int read_gguf(struct reading *r, size_t file)
{
    struct gguf_file gguf = {.what = what_of(r, file), .bytes = r->from->files[file].bytes};
    uint64_t need = GGUF_FIRST;

    while (need > 0) {
        if (first(r, &gguf.head, file, need) < 0 ||
            gguf_read(&r->facts, r->arena, &need, &gguf, r->err) < 0)
            return -1;
    }
    return 0;
}

static void expect(struct reading *r, const file_list *files)
{
    if (r->from->expect != NULL)
        r->from->expect(r->from->ctx, files->at, files->len);
}

/* Pickles are programs, and none is run: their sizes must do. */
static int read_pickles(struct reading *r)
{
    file_list files = {0};

    list_ending(&files, r, "", ".bin");
    if (files.len == 0)
        list_ending(&files, r, "", ".pt");
    for (size_t i = 0; i < files.len; i++) {
        if (!facts_add_tensor(&r->facts, "pickle", 0, r->from->files[files.at[i]].bytes))
            return err_set(r->err, ERR_LIMIT, "%s: its files have more than 2^64 bytes",
                           r->from->name);
    }
    if (files.len == 0)
        return err_set(r->err, ERR_NOT_FOUND, "%s: no weights that are understood are in it",
                       r->from->name);
    facts_odd(
        &r->facts, r->arena,
        "%s: its weights are pickles, which are not looked into: their files' sizes are taken",
        r->from->name);
    r->facts.load_bytes = r->facts.tensor_bytes;
    return 0;
}

static int read_weights(struct reading *r)
{
    file_list files = {0};

    if (list_shards(&files, r) < 0)
        return -1;
    if (files.len == 0)
        list_ending(&files, r, "model", ".safetensors");
    if (files.len == 0)
        list_ending(&files, r, "", ".safetensors");
    expect(r, &files);
    for (size_t i = 0; i < files.len; i++) {
        if (read_safetensors(r, files.at[i]) < 0)
            return -1;
    }
    safetensors_load_bytes(&r->facts);
    if (files.len > 0)
        return 0;
    list_ending(&files, r, "", ".gguf");
    if (files.len == 1)
        return read_gguf(r, files.at[0]);
    return read_pickles(r);
}

/* "license: apache-2.0" between the first two lines of "---" of its README. */
static int read_licence(struct reading *r)
{
    struct str text, line;
    size_t file;

    if (!find(r, &file, "README.md"))
        return 0;
    if (first(r, &text, file, CARD_MAX) < 0)
        return -1;
    (void)str_cut(&text, '\n', &line);
    if (!str_eqz(str_trim(line), "---"))
        return 0;
    while (text.len > 0) {
        struct str key;

        (void)str_cut(&text, '\n', &line);
        if (str_eqz(str_trim(line), "---"))
            break;
        if (!str_cut(&line, ':', &key) || !str_eqz(key, "license"))
            continue;
        (void)snprintf(r->facts.licence, sizeof(r->facts.licence), "%s",
                       str_printable(r->arena, str_trim(line), FACTS_WORD - 1));
        break;
    }
    return 0;
}

int headers_hub(struct model_facts *out, struct arena *a, const struct headers_from *from,
                struct err *err)
{
    struct reading r = {.arena = a, .from = from, .err = err};

    if (read_json(&r, "config.json", config_json_read) < 0 ||
        read_json(&r, "quantize_config.json", config_json_read_quant) < 0 || read_weights(&r) < 0 ||
        read_licence(&r) < 0)
        return -1;
    if (r.facts.shape.layers == 0 && !r.facts.shape.guessed) {
        r.facts.shape.guessed = true;
        facts_odd(&r.facts, a, "%s: it has no config.json: the weights alone are known",
                  from->name);
    }
    config_json_params(&r.facts);
    *out = r.facts;
    return 0;
}

int headers_ollama(struct model_facts *out, struct arena *a, const struct headers_from *from,
                   struct err *err)
{
    struct reading r = {.arena = a, .from = from, .err = err};
    file_list files = {0};

    for (size_t i = 0; i < from->count; i++)
        vec_push(a, &files, i);
    expect(&r, &files);
    for (size_t i = 0; i < from->count; i++) {
        if (read_gguf(&r, i) < 0)
            return -1;
    }
    if (r.facts.tensor_bytes == 0)
        return err_set(err, ERR_NOT_FOUND, "%s: no weights are in it", from->name);
    *out = r.facts;
    return 0;
}
