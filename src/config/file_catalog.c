#include "config/file_catalog.h"

#include "text/vec.h"

static const struct schema_field model_fields[] = {
    {"source", SCHEMA_MODEL, offsetof(struct catalog_model, ref), NULL},
    {"aliases", SCHEMA_NAMES, offsetof(struct catalog_model, aliases), NULL},
    {"kind", SCHEMA_WORD, offsetof(struct catalog_model, kind), "llm, vision, embedding"},
    {"purpose", SCHEMA_TEXT, offsetof(struct catalog_model, purpose), NULL},
    {"variants", SCHEMA_MODELS, offsetof(struct catalog_model, variants), NULL},
    {0},
};

static const struct schema_field worker_fields[] = {
    {"models", SCHEMA_NAMES, offsetof(struct catalog_worker, models), NULL},
    {"optional", SCHEMA_NAMES, offsetof(struct catalog_worker, optional), NULL},
    {"engine", SCHEMA_WORD, offsetof(struct catalog_worker, engine), "vllm, ollama, none"},
    {"gpu", SCHEMA_WORD, offsetof(struct catalog_worker, gpu), "required, preferred, none"},
    {"min_gpu_memory", SCHEMA_SIZE, offsetof(struct catalog_worker, min_gpu_memory_bytes), NULL},
    {0},
};

/* The work of file_catalog(). */
struct reading {
    struct schema_source source;
    VEC(struct catalog_model) models;
    VEC(struct catalog_worker) workers;
    struct catalog merged;
};

static struct catalog_model model_before(const char *name)
{
    static const char *const none[] = {NULL};
    const struct catalog *c = catalog_builtin();

    for (size_t i = 0; i < c->model_count; i++) {
        if (strcmp(c->models[i].name, name) == 0)
            return c->models[i];
    }
    return (struct catalog_model){.name = name,
                                  .aliases = none,
                                  .kind = "llm",
                                  .purpose = "",
                                  .variants = none,
                                  .mended = none};
}

static struct catalog_worker worker_before(const char *name)
{
    static const char *const none[] = {NULL};
    const struct catalog_worker *known = catalog_worker(catalog_builtin(), str_from(name));

    if (known != NULL)
        return *known;
    return (struct catalog_worker){
        .name = name, .models = none, .optional = none, .engine = "none", .gpu = "none"};
}

static int read_model(struct reading *r, const struct yaml_node *key, const struct yaml_node *value,
                      struct err *err)
{
    struct catalog_model m = model_before(key->text.ptr);

    if (schema_name(&r->source, key, err) < 0 ||
        schema_want(&r->source, value, YAML_MAP, key->text.ptr, err) < 0 ||
        schema_record(&m, &r->source, model_fields, value, err) < 0)
        return -1;
    if (m.ref == NULL) {
        (void)err_set(err, ERR_USAGE, "%s has no source", key->text.ptr);
        return schema_at(&r->source, key, err);
    }
    vec_push(r->source.arena, &r->models, m);
    return 0;
}

static int read_worker(struct reading *r, const struct yaml_node *key,
                       const struct yaml_node *value, struct err *err)
{
    struct catalog_worker w = worker_before(key->text.ptr);

    if (schema_name(&r->source, key, err) < 0 ||
        schema_want(&r->source, value, YAML_MAP, key->text.ptr, err) < 0 ||
        schema_record(&w, &r->source, worker_fields, value, err) < 0)
        return -1;
    vec_push(r->source.arena, &r->workers, w);
    return 0;
}

typedef int read_entry(struct reading *r, const struct yaml_node *key,
                       const struct yaml_node *value, struct err *err);

static int read_section(struct reading *r, const struct yaml_node *root, const char *name,
                        read_entry *entry, struct err *err)
{
    const struct yaml_node *section = yaml_get(root, name);

    if (section == NULL || (section->kind == YAML_TEXT && section->text.len == 0))
        return 0;
    if (schema_want(&r->source, section, YAML_MAP, name, err) < 0)
        return -1;
    for (size_t i = 0; i < section->len; i++) {
        if (entry(r, section->keys[i], section->at[i], err) < 0)
            return -1;
    }
    return 0;
}

static void merge_catalog(struct reading *r)
{
    const struct catalog *c = catalog_builtin();

    for (size_t i = 0; i < c->model_count; i++) {
        bool changed = false;

        for (size_t k = 0; k < r->models.len; k++)
            changed = changed || strcmp(r->models.at[k].name, c->models[i].name) == 0;
        if (!changed)
            vec_push(r->source.arena, &r->models, c->models[i]);
    }
    for (size_t i = 0; i < c->worker_count; i++) {
        bool changed = false;

        for (size_t k = 0; k < r->workers.len; k++)
            changed = changed || strcmp(r->workers.at[k].name, c->workers[i].name) == 0;
        if (!changed)
            vec_push(r->source.arena, &r->workers, c->workers[i]);
    }
    r->merged = (struct catalog){
        .models = r->models.at,
        .model_count = r->models.len,
        .workers = r->workers.at,
        .worker_count = r->workers.len,
    };
}

/* The names in one list of a worker's: each must be a model's. */
static int check_list(const struct reading *r, const struct yaml_node *list, struct err *err)
{
    const struct catalog *c = &r->merged;

    for (size_t i = 0; list != NULL && i < list->len; i++) {
        struct nearest nearest = nearest_to(list->at[i]->text);
        bool mended;

        if (catalog_model(c, list->at[i]->text, &mended) != NULL)
            continue;
        for (size_t k = 0; k < c->model_count; k++)
            nearest_offer(&nearest, c->models[k].name);
        (void)err_set(err, ERR_USAGE, "there is no model \"%.80s\"", list->at[i]->text.ptr);
        (void)schema_at(&r->source, list->at[i], err);
        if (nearest.best != NULL)
            return err_hint(err, "did you mean %s?", nearest.best);
        return err_hint(err, "models: must have an entry of that name or alias");
    }
    return 0;
}

static int check_workers(const struct reading *r, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *workers = yaml_get(root, "workers");

    for (size_t i = 0; workers != NULL && i < workers->len; i++) {
        if (check_list(r, yaml_get(workers->at[i], "models"), err) < 0 ||
            check_list(r, yaml_get(workers->at[i], "optional"), err) < 0)
            return -1;
    }
    return 0;
}

/* The entry of this file that has that name or alias before the given one. */
static const char *owner_of(const struct yaml_node *models, size_t before, struct str name)
{
    for (size_t i = 0; i < before; i++) {
        const struct yaml_node *aliases = yaml_get(models->at[i], "aliases");

        if (str_eq_nocase(models->keys[i]->text, name))
            return models->keys[i]->text.ptr;
        for (size_t k = 0; aliases != NULL && k < aliases->len; k++) {
            if (str_eq_nocase(aliases->at[k]->text, name))
                return models->keys[i]->text.ptr;
        }
    }
    return NULL;
}

static int check_owner(const struct reading *r, const struct yaml_node *models, size_t before,
                       const struct yaml_node *name, struct err *err)
{
    const char *owner = owner_of(models, before, name->text);

    if (owner == NULL)
        return 0;
    (void)err_set(err, ERR_USAGE, "\"%.80s\" is a name of %.80s already", name->text.ptr, owner);
    return schema_at(&r->source, name, err);
}

/* No name leads to two entries of the file. */
static int check_aliases(const struct reading *r, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *models = yaml_get(root, "models");

    for (size_t i = 0; models != NULL && i < models->len; i++) {
        const struct yaml_node *aliases = yaml_get(models->at[i], "aliases");

        if (check_owner(r, models, i, models->keys[i], err) < 0)
            return -1;
        for (size_t k = 0; aliases != NULL && k < aliases->len; k++) {
            if (check_owner(r, models, i, aliases->at[k], err) < 0)
                return -1;
        }
    }
    return 0;
}

int file_catalog(struct catalog *out, const struct schema_source *source,
                 const struct yaml_node *root, struct err *err)
{
    struct reading r = {.source = *source};

    if (read_section(&r, root, "models", read_model, err) < 0 || check_aliases(&r, root, err) < 0 ||
        read_section(&r, root, "workers", read_worker, err) < 0)
        return -1;
    merge_catalog(&r);
    if (check_workers(&r, root, err) < 0)
        return -1;
    *out = r.merged;
    return 0;
}
