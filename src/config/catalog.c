#include "config/catalog.h"

#include "config/nearest.h"
#include "text/buf.h"
#include "text/vec.h"

#define WORDS_MAX ((size_t)1000)

static bool is_one_of(struct str name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (str_eq_nocase(name, str_from(*names)))
            return true;
    }
    return false;
}

const struct catalog_model *catalog_model(const struct catalog *c, struct str name,
                                          bool *ret_mended)
{
    for (size_t i = 0; i < c->model_count; i++) {
        const struct catalog_model *m = &c->models[i];
        bool mended = is_one_of(name, m->mended);

        if (mended || str_eq_nocase(name, str_from(m->name)) || is_one_of(name, m->aliases)) {
            *ret_mended = mended;
            return m;
        }
    }
    return NULL;
}

const struct catalog_worker *catalog_worker(const struct catalog *c, struct str name)
{
    for (size_t i = 0; i < c->worker_count; i++) {
        if (str_eqz(name, c->workers[i].name))
            return &c->workers[i];
    }
    return NULL;
}

const char *catalog_worker_names(struct arena *a, const struct catalog *c)
{
    struct buf b = buf_new(a, 4096);

    for (size_t i = 0; i < c->worker_count; i++)
        buf_addf(&b, "%s%s", i == 0 ? "" : ", ", c->workers[i].name);
    return b.ptr;
}

/* The work of catalog_resolve(). */
struct resolving {
    struct arena *arena;
    const struct catalog *catalog;
    VEC(struct catalog_want) wants;
    VEC(const char *) left_out;
};

static void add_want(struct resolving *r, const struct catalog_want *want)
{
    for (size_t i = 0; i < r->wants.len; i++) {
        if (strcmp(r->wants.at[i].ref.text, want->ref.text) == 0)
            return;
    }
    vec_push(r->arena, &r->wants, *want);
}

/* An entry, at the revision written after `@` if there was one. */
static int add_entry(struct resolving *r, const struct catalog_model *m, struct str written,
                     bool mended, struct str revision, struct err *err)
{
    struct catalog_want want = {.name = m->name};
    struct model_ref base;

    if (ref_parse(&base, r->arena, str_from(m->ref), err) < 0)
        return err_wrap(err, "catalog entry %s", m->name);
    want.ref = base;
    if (revision.len > 0 && ref_at(&want.ref, r->arena, &base, revision, err) < 0)
        return -1;
    if (mended)
        want.note = str_format(r->arena, "there is no %.*s: %s is taken for it", (int)written.len,
                               written.ptr, m->ref);
    add_want(r, &want);
    return 0;
}

static int add_named(struct resolving *r, const char *const *names, struct err *err)
{
    for (; *names != NULL; names++) {
        bool mended;
        const struct catalog_model *m = catalog_model(r->catalog, str_from(*names), &mended);

        if (m == NULL)
            return err_set(err, ERR_BUG, "the catalog names %s, which it does not hold", *names);
        if (add_entry(r, m, str_from(*names), mended, (struct str){0}, err) < 0)
            return -1;
    }
    return 0;
}

static int add_worker(struct resolving *r, const struct catalog_worker *w, bool optional,
                      struct err *err)
{
    if (add_named(r, w->models, err) < 0)
        return -1;
    if (optional)
        return add_named(r, w->optional, err);
    for (const char *const *name = w->optional; *name != NULL; name++)
        vec_push(r->arena, &r->left_out, *name);
    return 0;
}

/* `gpu-workr` is a model's name to the grammar; perhaps a worker type was meant. */
static const char *note_of(const struct resolving *r, struct str word, const struct model_ref *ref)
{
    struct nearest nearest = nearest_to(word);

    if (memchr(word.ptr, ':', word.len) != NULL || memchr(word.ptr, '/', word.len) != NULL)
        return NULL;
    for (size_t i = 0; i < r->catalog->worker_count; i++)
        nearest_offer(&nearest, r->catalog->workers[i].name);
    if (nearest.best == NULL)
        return NULL;
    return str_format(r->arena, "%.*s is taken for %s: the worker type is called %s", (int)word.len,
                      word.ptr, ref->text, nearest.best);
}

/*
 * `GPU-WORKER` would be a model's name too, of 20 GB perhaps; whoever writes it means the type.
 * Only the types: an entry of the catalog is known by its name in any case.
 */
static int refuse_case(const struct resolving *r, struct str word, struct err *err)
{
    for (size_t i = 0; i < r->catalog->worker_count; i++) {
        const char *name = r->catalog->workers[i].name;

        if (!str_eq_nocase(word, str_from(name)))
            continue;
        (void)err_set(err, ERR_USAGE, "\"%.*s\" is no worker type: their names are in lower case",
                      (int)word.len, word.ptr);
        return err_hint(err, "did you mean %s? A model of that name is written ollama:%.*s", name,
                        (int)word.len, word.ptr);
    }
    return 0;
}

static int add_reference(struct resolving *r, struct str word, struct err *err)
{
    struct catalog_want want = {0};

    if (refuse_case(r, word, err) < 0)
        return -1;
    if (ref_parse(&want.ref, r->arena, word, err) < 0)
        return -1;
    want.name = want.ref.text;
    want.note = note_of(r, word, &want.ref);
    add_want(r, &want);
    return 0;
}

static int add_word(struct resolving *r, struct str word, bool optional, struct err *err)
{
    const struct catalog_worker *worker = catalog_worker(r->catalog, word);
    struct str name;
    struct str revision = word;
    const struct catalog_model *m;
    bool mended = false;

    if (worker != NULL)
        return add_worker(r, worker, optional, err);
    (void)str_cut(&revision, '@', &name);
    m = catalog_model(r->catalog, name, &mended);
    if (m != NULL && (revision.len > 0 || name.len == word.len))
        return add_entry(r, m, name, mended, revision, err);
    return add_reference(r, word, err);
}

static bool is_wanted(const struct resolving *r, const char *name)
{
    for (size_t i = 0; i < r->wants.len; i++) {
        if (strcmp(r->wants.at[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Each name once, and none that another word brought in. */
static const char *const *really_left_out(struct resolving *r)
{
    VEC(const char *) names = {0};

    for (size_t i = 0; i < r->left_out.len; i++) {
        const char *name = r->left_out.at[i];
        bool known = is_wanted(r, name);

        for (size_t k = 0; k < names.len && !known; k++)
            known = strcmp(names.at[k], name) == 0;
        if (!known)
            vec_push(r->arena, &names, name);
    }
    vec_push(r->arena, &names, NULL);
    return names.at;
}

static int nothing_named(struct arena *a, const struct catalog *c, struct err *err)
{
    (void)err_set(err, ERR_USAGE,
                  "no worker type and no model is named, and WORKER_TYPE is not set");
    return err_hint(err, "name a model or one of the worker types %s", catalog_worker_names(a, c));
}

int catalog_resolve(struct catalog_choice *out, struct arena *a, const struct catalog *c,
                    const struct catalog_ask *ask, struct err *err)
{
    struct resolving r = {.arena = a, .catalog = c};
    const char *const fallback[] = {ask->worker_type, NULL};
    const char *const *words = ask->words;
    size_t count = 0;

    if (words == NULL || words[0] == NULL)
        words = fallback;
    if (words[0] == NULL)
        return nothing_named(a, c, err);
    for (; words[count] != NULL; count++) {
        if (count == WORDS_MAX)
            return err_set(err, ERR_USAGE, "more than %zu models are named", WORDS_MAX);
        if (add_word(&r, str_from(words[count]), ask->optional, err) < 0)
            return -1;
    }
    *out = (struct catalog_choice){
        .wants = r.wants.at, .count = r.wants.len, .left_out = really_left_out(&r)};
    return 0;
}
