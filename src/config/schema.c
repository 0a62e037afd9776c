#include "config/schema.h"

#include "model/ref.h"
#include "text/num.h"
#include "text/utf8.h"
#include "text/vec.h"

int schema_at(const struct schema_source *s, const struct yaml_node *node, struct err *err)
{
    return yaml_wrap(err, s->name, node);
}

int schema_want(const struct schema_source *s, const struct yaml_node *node, enum yaml_kind kind,
                const char *key, struct err *err)
{
    static const char *const names[] = {"a text", "a list", "a mapping of keys and values"};

    if (node->kind == kind)
        return 0;
    (void)err_set(err, ERR_USAGE, "%s must be %s, not %s", key, names[kind], names[node->kind]);
    return schema_at(s, node, err);
}

/* Fit to be shown, compared and typed. */
int schema_name(const struct schema_source *s, const struct yaml_node *node, struct err *err)
{
    bool good =
        node->text.len > 0 && node->text.len <= SCHEMA_NAME_MAX && utf8_is_valid(node->text);

    for (size_t i = 0; good && i < node->text.len; i++)
        good = (unsigned char)node->text.ptr[i] > ' ' && node->text.ptr[i] != 0x7f;
    if (good)
        return 0;
    (void)err_set(err, ERR_USAGE, "a name has 1 to %zu bytes, no blanks and no controls",
                  SCHEMA_NAME_MAX);
    return schema_at(s, node, err);
}

static int read_word(const char **out, const struct schema_source *s,
                     const struct schema_field *field, const struct yaml_node *node,
                     struct err *err)
{
    struct str words = str_from(field->words);
    struct str word;

    while (words.len > 0) {
        (void)str_cut(&words, ',', &word);
        word = str_trim(word);
        if (str_eq(word, node->text)) {
            *out = node->text.ptr;
            return 0;
        }
    }
    (void)err_set(err, ERR_USAGE, "%s: \"%.80s\" is not one of %s", field->key, node->text.ptr,
                  field->words);
    return schema_at(s, node, err);
}

static int check_reference(const struct schema_source *s, const struct yaml_node *node,
                           struct err *err)
{
    struct model_ref unused;

    if (!str_starts(node->text, STR("hf:")) && !str_starts(node->text, STR("ollama:"))) {
        (void)err_set(err, ERR_USAGE,
                      "\"%.80s\" has no scheme, which is hf: or ollama:", node->text.ptr);
        return schema_at(s, node, err);
    }
    if (ref_parse(&unused, s->arena, node->text, err) < 0)
        return schema_at(s, node, err);
    return 0;
}

static int read_list(const char *const **out, const struct schema_source *s,
                     const struct schema_field *field, const struct yaml_node *node,
                     struct err *err)
{
    VEC(const char *) all = {0};

    for (size_t i = 0; i < node->len; i++) {
        if (schema_want(s, node->at[i], YAML_TEXT, field->key, err) < 0 ||
            (field->type == SCHEMA_MODELS ? check_reference(s, node->at[i], err)
                                          : schema_name(s, node->at[i], err)) < 0)
            return -1;
        vec_push(s->arena, &all, node->at[i]->text.ptr);
    }
    vec_push(s->arena, &all, NULL);
    *out = all.at;
    return 0;
}

static int read_field(void *target, const struct schema_source *s, const struct schema_field *field,
                      const struct yaml_node *node, struct err *err)
{
    bool list = field->type == SCHEMA_NAMES || field->type == SCHEMA_MODELS;

    if (schema_want(s, node, list ? YAML_LIST : YAML_TEXT, field->key, err) < 0)
        return -1;
    switch (field->type) {
    case SCHEMA_WORD: return read_word(target, s, field, node, err);
    case SCHEMA_SIZE:
        if (num_parse_size(target, node->text, err) == 0)
            return 0;
        (void)err_wrap(err, "%s", field->key);
        return schema_at(s, node, err);
    case SCHEMA_NAMES:
    case SCHEMA_MODELS: return read_list(target, s, field, node, err);
    case SCHEMA_MODEL:
        if (check_reference(s, node, err) < 0)
            return -1;
        break;
    case SCHEMA_TEXT: break;
    }
    *(const char **)target = node->text.ptr;
    return 0;
}

int schema_unknown(const struct schema_source *s, const struct yaml_node *key,
                   struct nearest nearest, const char *known, struct err *err)
{
    (void)err_set(err, ERR_USAGE, "unknown key \"%.80s\"", key->text.ptr);
    (void)schema_at(s, key, err);
    if (nearest.best != NULL)
        return err_hint(err, "did you mean %s?", nearest.best);
    return known == NULL ? -1 : err_hint(err, "known there: %s", known);
}

/* Reads a mapping into a record by its table of fields. */
int schema_record(void *record, const struct schema_source *s, const struct schema_field *fields,
                  const struct yaml_node *map, struct err *err)
{
    for (size_t i = 0; i < map->len; i++) {
        struct nearest nearest = nearest_to(map->keys[i]->text);
        const struct schema_field *field = fields;

        for (; field->key != NULL && !str_eqz(map->keys[i]->text, field->key); field++)
            nearest_offer(&nearest, field->key);
        if (field->key == NULL)
            return schema_unknown(s, map->keys[i], nearest, NULL, err);
        if (read_field((char *)record + field->offset, s, field, map->at[i], err) < 0)
            return -1;
    }
    return 0;
}
