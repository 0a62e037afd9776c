#include "config/yaml.h"

#include <assert.h>
#include <pthread.h>
#include <yaml.h>

#include "sys/dl.h"
#include "text/vec.h"

struct yaml_api {
#define YAML(result, name, arguments) result(*name) arguments;
#include "config/yaml.def"
#undef YAML
};

/* Filled once and only read from then on. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct yaml_api api;
static struct err load_failure;

static void load(void)
{
    static const char *const sonames[] = {"libyaml-0.so.2", NULL};
    static const struct dl_symbol symbols[] = {
#define YAML(result, name, arguments) {#name, offsetof(struct yaml_api, name)},
#include "config/yaml.def"
#undef YAML
    };

    /* yaml_parse() shows the failure. */
    (void)!dl_load(&api, symbols, sizeof(symbols) / sizeof(symbols[0]), sonames, "libyaml-0-2",
                   &load_failure);
}

struct anchor {
    const char *name;
    struct yaml_node *node;
};

struct parsing {
    struct arena *arena;
    const char *name;
    yaml_parser_t parser;
    size_t nodes;
    bool aliased; /* anchors, aliases and merge keys are taken */
    VEC(struct anchor) anchors;
};

static struct yaml_node place_of(yaml_mark_t mark)
{
    return (struct yaml_node){.line = mark.line + 1, .column = mark.column + 1};
}

int yaml_wrap(struct err *err, const char *name, const struct yaml_node *node)
{
    return err_wrap(err, "%s:%zu:%zu", name, node->line, node->column);
}

static int refuse(const struct parsing *p, yaml_mark_t mark, const char *what, struct err *err)
{
    struct yaml_node place = place_of(mark);

    (void)err_set(err, ERR_USAGE, "%s", what);
    return yaml_wrap(err, p->name, &place);
}

static int next_event(yaml_event_t *out, struct parsing *p, struct err *err)
{
    const char *what;

    if (api.yaml_parser_parse(&p->parser, out) == 1)
        return 0;
    what = p->parser.problem == NULL ? "not YAML" : p->parser.problem;
    /* A byte that is no character has an offset, not yet a line. */
    return refuse(p, p->parser.error == YAML_READER_ERROR ? p->parser.mark : p->parser.problem_mark,
                  what, err);
}

/* What configuration has no need of, and what only makes it hard to read. */
static int refuse_decoration(const struct parsing *p, const yaml_event_t *e,
                             const unsigned char *anchor, const unsigned char *tag, struct err *err)
{
    if (anchor != NULL && !p->aliased)
        return refuse(p, e->start_mark, "anchors are not taken here", err);
    if (tag != NULL)
        return refuse(p, e->start_mark, "tags are not taken here", err);
    return 0;
}

static int new_node(struct yaml_node **out, struct parsing *p, const yaml_event_t *e,
                    enum yaml_kind kind, struct err *err)
{
    struct yaml_node *node;

    if (++p->nodes > YAML_NODES_MAX)
        return refuse(p, e->start_mark, "too many values", err);
    node = arena_new(p->arena, struct yaml_node);
    *node = place_of(e->start_mark);
    node->kind = kind;
    node->weight = 1;
    *out = node;
    return 0;
}

/* From here on aliases of that name mean this node. */
static void put_anchor(struct parsing *p, const char *name, struct yaml_node *node)
{
    struct anchor anchor = {name, node};

    if (name != NULL)
        vec_push(p->arena, &p->anchors, anchor);
}

static const char *anchor_of(const struct parsing *p, const unsigned char *anchor)
{
    return anchor == NULL ? NULL : str_dup(p->arena, str_from((const char *)anchor));
}

static int take_alias(struct yaml_node **out, struct parsing *p, const yaml_event_t *e,
                      struct err *err)
{
    const char *name = (const char *)e->data.alias.anchor;

    if (!p->aliased)
        return refuse(p, e->start_mark, "aliases are not taken here", err);
    for (size_t i = p->anchors.len; i-- > 0;) {
        if (strcmp(p->anchors.at[i].name, name) != 0)
            continue;
        *out = p->anchors.at[i].node;
        p->nodes += (*out)->weight;
        return p->nodes > YAML_NODES_MAX ? refuse(p, e->start_mark, "too many values", err) : 0;
    }
    return refuse(p, e->start_mark, "an alias of no anchor that comes before it", err);
}

static int take_scalar(struct yaml_node **out, struct parsing *p, const yaml_event_t *e,
                       struct err *err)
{
    struct str value = {(const char *)e->data.scalar.value, e->data.scalar.length};
    struct yaml_node *node = NULL;

    if (refuse_decoration(p, e, e->data.scalar.anchor, e->data.scalar.tag, err) < 0 ||
        new_node(&node, p, e, YAML_TEXT, err) < 0)
        return -1;
    if (memchr(value.ptr, '\0', value.len) != NULL)
        return refuse(p, e->start_mark, "a NUL is in this text", err);
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        (str_eqz(value, "~") || str_eqz(value, "null")))
        value.len = 0;
    node->text = str_from(str_dup(p->arena, value));
    put_anchor(p, anchor_of(p, e->data.scalar.anchor), node);
    *out = node;
    return 0;
}

static int take_key(const struct yaml_node *map, const struct parsing *p,
                    const struct yaml_node *key, struct err *err)
{
    if (key->kind != YAML_TEXT || key->text.len == 0) {
        (void)err_set(err, ERR_USAGE, "a key must be a text");
        return yaml_wrap(err, p->name, key);
    }
    for (size_t i = 0; i < map->len; i++) {
        if (!str_eq(map->keys[i]->text, key->text))
            continue;
        (void)err_set(err, ERR_USAGE, "the key \"%.80s\" is there already, in line %zu",
                      key->text.ptr, map->keys[i]->line);
        return yaml_wrap(err, p->name, key);
    }
    return 0;
}

/* A collection that is open, and what has come of it. */
struct open_node {
    struct yaml_node *node;
    const char *anchor;
    VEC(struct yaml_node *) keys;
    VEC(struct yaml_node *) at;
};

struct tree {
    struct open_node open[YAML_DEPTH_MAX];
    size_t depth;
    struct yaml_node *root;
};

/* Puts a whole node into the collection that is open, as a key or as a value. */
static int attach(struct tree *t, const struct parsing *p, struct yaml_node *node, struct err *err)
{
    struct open_node *top;

    if (t->depth == 0) {
        t->root = node;
        return 0;
    }
    top = &t->open[t->depth - 1];
    assert(top->node != NULL);
    if (top->node->kind == YAML_MAP && top->keys.len == top->at.len) {
        if (take_key(top->node, p, node, err) < 0)
            return -1;
        vec_push(p->arena, &top->keys, node);
    } else {
        vec_push(p->arena, &top->at, node);
    }
    /* Kept up to date, so that a repeated key is seen when it comes. */
    top->node->keys = top->keys.at;
    top->node->at = top->at.at;
    top->node->len = top->node->kind == YAML_MAP ? top->keys.len : top->at.len;
    top->node->weight += node->weight;
    return 0;
}

/* The entries of a map that the open one has not. */
static void merge_map(struct open_node *top, const struct parsing *p, const struct yaml_node *from)
{
    for (size_t i = 0; i < from->len; i++) {
        size_t k = 0;

        while (k < top->keys.len && !str_eq(top->keys.at[k]->text, from->keys[i]->text))
            k++;
        if (k < top->keys.len)
            continue;
        vec_push(p->arena, &top->keys, from->keys[i]);
        vec_push(p->arena, &top->at, from->at[i]);
    }
}

/* `<<: *x`, `<<: [*x, *y]`: in the place of that key. */
static int merge(struct open_node *top, const struct parsing *p, struct err *err)
{
    struct yaml_node *node = top->node;
    size_t k = 0;

    assert(node != NULL);
    while (k < top->keys.len && !str_eqz(top->keys.at[k]->text, "<<"))
        k++;
    if (!p->aliased || node->kind != YAML_MAP || k == top->keys.len)
        return 0;
    for (size_t i = 0; i < (top->at.at[k]->kind == YAML_LIST ? top->at.at[k]->len : 1); i++) {
        const struct yaml_node *from =
            top->at.at[k]->kind == YAML_LIST ? top->at.at[k]->at[i] : top->at.at[k];

        if (from->kind != YAML_MAP) {
            (void)err_set(err, ERR_USAGE, "only mappings can be merged");
            return yaml_wrap(err, p->name, top->keys.at[k]);
        }
        merge_map(top, p, from);
    }
    for (size_t i = k + 1; i < top->keys.len; i++) {
        top->keys.at[i - 1] = top->keys.at[i];
        top->at.at[i - 1] = top->at.at[i];
    }
    node->keys = top->keys.at;
    node->at = top->at.at;
    node->len = top->keys.len - 1;
    return 0;
}

static int close_collection(struct tree *t, struct parsing *p, struct err *err)
{
    struct open_node *top = &t->open[--t->depth];

    if (merge(top, p, err) < 0)
        return -1;
    put_anchor(p, top->anchor, top->node);
    return attach(t, p, top->node, err);
}

static int open_collection(struct tree *t, struct parsing *p, const yaml_event_t *e,
                           enum yaml_kind kind, struct err *err)
{
    const unsigned char *anchor =
        kind == YAML_MAP ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
    struct yaml_node *node = NULL;

    if (t->depth == YAML_DEPTH_MAX)
        return refuse(p, e->start_mark, "too many levels", err);
    if (t->depth > 0 && t->open[t->depth - 1].node->kind == YAML_MAP &&
        t->open[t->depth - 1].keys.len == t->open[t->depth - 1].at.len)
        return refuse(p, e->start_mark, "a key must be a text", err);
    if (new_node(&node, p, e, kind, err) < 0)
        return -1;
    t->open[t->depth++] = (struct open_node){.node = node, .anchor = anchor_of(p, anchor)};
    return 0;
}

static int take_event(struct tree *t, struct parsing *p, const yaml_event_t *e, struct err *err)
{
    struct yaml_node *node = NULL;

    switch (e->type) {
    case YAML_SCALAR_EVENT: return take_scalar(&node, p, e, err) < 0 ? -1 : attach(t, p, node, err);
    case YAML_SEQUENCE_START_EVENT:
        if (refuse_decoration(p, e, e->data.sequence_start.anchor, e->data.sequence_start.tag,
                              err) < 0)
            return -1;
        return open_collection(t, p, e, YAML_LIST, err);
    case YAML_MAPPING_START_EVENT:
        if (refuse_decoration(p, e, e->data.mapping_start.anchor, e->data.mapping_start.tag, err) <
            0)
            return -1;
        return open_collection(t, p, e, YAML_MAP, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_collection(t, p, err);
    case YAML_ALIAS_EVENT: return take_alias(&node, p, e, err) < 0 ? -1 : attach(t, p, node, err);
    case YAML_DOCUMENT_START_EVENT:
        return t->root == NULL ? 0 : refuse(p, e->start_mark, "a second document begins here", err);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: return 0;
    }
    return 0;
}

static int read_all(struct tree *t, struct parsing *p, struct err *err)
{
    bool more = true;
    int r = 0;

    while (more && r == 0) {
        yaml_event_t e;

        if (next_event(&e, p, err) < 0)
            return -1;
        more = e.type != YAML_STREAM_END_EVENT;
        r = take_event(t, p, &e, err);
        api.yaml_event_delete(&e);
    }
    return r;
}

static int parse(const struct yaml_node **out, struct parsing *p, struct str text, struct err *err)
{
    struct tree t = {0};
    int r;

    if (text.len > YAML_BYTES_MAX)
        return err_set(err, ERR_USAGE, "%s: larger than %zu bytes", p->name, YAML_BYTES_MAX);
    (void)pthread_once(&once, load);
    if (load_failure.code != ERR_NONE) {
        *err = load_failure;
        return -1;
    }
    if (api.yaml_parser_initialize(&p->parser) == 0)
        return err_set(err, ERR_BUG, "libyaml found no memory");
    api.yaml_parser_set_input_string(&p->parser, (const unsigned char *)text.ptr, text.len);
    r = read_all(&t, p, err);
    api.yaml_parser_delete(&p->parser);
    if (r < 0)
        return -1;
    if (t.root != NULL && t.root->kind == YAML_TEXT && t.root->text.len == 0)
        t.root = NULL;
    *out = t.root;
    return 0;
}

int yaml_parse(const struct yaml_node **out, struct arena *a, struct str text, const char *name,
               struct err *err)
{
    struct parsing p = {.arena = a, .name = name};

    return parse(out, &p, text, err);
}

int yaml_parse_aliased(const struct yaml_node **out, struct arena *a, struct str text,
                       const char *name, struct err *err)
{
    struct parsing p = {.arena = a, .name = name, .aliased = true};

    return parse(out, &p, text, err);
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; i < map->len; i++) {
        if (str_eqz(map->keys[i]->text, key))
            return map->at[i];
    }
    return NULL;
}
