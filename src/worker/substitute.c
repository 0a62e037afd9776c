#include "worker/substitute.h"

#include <string.h>

#include "config/nearest.h"
#include "model/ref.h"
#include "text/buf.h"
#include "text/vec.h"

#define WORD_MAX ((size_t)1 << 20)
#define SHOWN    80

static const struct {
    const char *head;
    enum substitute_kind kind;
} heads[] = {{"{path:", SUBSTITUTE_PATH},     {"{name:", SUBSTITUTE_NAME},
             {"{u:", SUBSTITUTE_UTILIZATION}, {"{ctx:", SUBSTITUTE_CONTEXT},
             {"{tp:", SUBSTITUTE_TP},         {"{gpus:", SUBSTITUTE_GPUS}};

#define ARGS "{vllm-args"

#define HEADS (sizeof(heads) / sizeof(heads[0]))

/* By a name of the catalog, in any spelling, else as a reference. */
static const struct catalog_want *find_want(const struct substitution *s, struct str name)
{
    ARENA_SCOPED scratch = {0};
    struct err ignored = {0};
    struct model_ref ref = {0};
    bool mended;
    const struct catalog_model *m = catalog_model(s->catalog, name, &mended);
    bool parsed = ref_parse(&ref, &scratch, name, &ignored) == 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct catalog_want *want = &s->wants[i];

        if ((m != NULL && strcmp(want->name, m->name) == 0) ||
            (parsed && strcmp(want->ref.text, ref.text) == 0))
            return want;
    }
    return NULL;
}

static int refuse(const struct substitution *s, const char *head, struct str name, struct err *err)
{
    struct nearest nearest = nearest_to(name);
    ARENA_SCOPED scratch = {0};
    struct buf all = buf_new(&scratch, 200);

    for (size_t i = 0; i < s->count; i++) {
        nearest_offer(&nearest, s->wants[i].name);
        nearest_offer(&nearest, s->wants[i].ref.text);
        buf_addf(&all, "%s%s", i == 0 ? "" : ", ", s->wants[i].name);
    }
    (void)err_set(err, ERR_USAGE, "%s%s}: no model of this worker", head,
                  str_printable(&scratch, name, SHOWN));
    if (nearest.best != NULL)
        return err_hint(err, "did you mean %s%s}? This worker has %s", head, nearest.best,
                        buf_str(&all).ptr);
    if (s->count == 0)
        return err_hint(err, "this worker has no models");
    return err_hint(err, "this worker has %s", buf_str(&all).ptr);
}

/* The engine of the plan that serves a model, or the only one where none is named. */
static const struct planned_engine *find_engine(const struct substitution *s, const char *head,
                                                struct str name, struct err *err)
{
    const struct catalog_want *want = name.len > 0 ? find_want(s, name) : NULL;

    if (name.len > 0 && want == NULL) {
        (void)refuse(s, head, name, err);
        return NULL;
    }
    if (s->planned == NULL) {
        (void)err_set(err, ERR_USAGE, "%s}: there is no plan to take it from", head);
        (void)err_hint(err, "run with --plan auto, or write the setting itself");
        return NULL;
    }
    for (size_t i = 0; i < s->planned->count; i++) {
        if (want != NULL ? strcmp(s->planned->at[i].model, want->name) == 0
                         : s->planned->count == 1)
            return &s->planned->at[i];
    }
    (void)err_set(err, ERR_USAGE, "%s}: %s", head,
                  want != NULL ? "the plan has no engine of its own for this model"
                               : "the plan has several engines: name the model");
    return NULL;
}

/* Nothing is planned yet, and the model, if one is named, is one of the worker's. */
static bool is_known_later(const struct substitution *s, struct str name)
{
    return s->planned == NULL && s->will_plan && (name.len == 0 || find_want(s, name) != NULL);
}

static const char *setting_of(const struct planned_engine *engine, enum substitute_kind kind)
{
    switch (kind) {
    case SUBSTITUTE_UTILIZATION: return engine->utilization;
    case SUBSTITUTE_CONTEXT: return engine->context;
    case SUBSTITUTE_TP: return engine->tp;
    case SUBSTITUTE_GPUS: return engine->gpus;
    case SUBSTITUTE_PATH:
    case SUBSTITUTE_NAME: break;
    }
    return "";
}

/* What stands for a brace; NULL with err where it cannot be told. */
static const char *text_for(const struct substitution *s, struct arena *a, size_t head,
                            struct str name, struct err *err)
{
    const struct catalog_want *want;

    if (heads[head].kind >= SUBSTITUTE_UTILIZATION) {
        const struct planned_engine *engine;

        if (is_known_later(s, name))
            return "";
        engine = find_engine(s, heads[head].head, name, err);
        return engine == NULL ? NULL : setting_of(engine, heads[head].kind);
    }
    want = find_want(s, name);
    if (want == NULL) {
        (void)refuse(s, heads[head].head, name, err);
        return NULL;
    }
    return s->text == NULL ? "" : s->text(s->ctx, a, heads[head].kind, want, err);
}

/* One brace, at the start of *rest: its text goes to b. False: it is none of ours. */
static int take_brace(bool *ret_ours, struct buf *b, struct str *rest, const struct substitution *s,
                      struct err *err)
{
    *ret_ours = false;
    for (size_t i = 0; i < HEADS; i++) {
        struct str head = str_from(heads[i].head);
        const char *end = memchr(rest->ptr, '}', rest->len);
        const char *text;
        struct str name;

        if (!str_starts(*rest, head) || end == NULL)
            continue;
        name = (struct str){rest->ptr + head.len, (size_t)(end - rest->ptr) - head.len};
        text = text_for(s, b->arena, i, name, err);
        if (text == NULL)
            return -1;
        buf_addz(b, text);
        *rest = (struct str){end + 1, rest->len - (size_t)(end + 1 - rest->ptr)};
        *ret_ours = true;
        return 0;
    }
    return 0;
}

static int put_in(char **out, struct arena *a, const char *word, const struct substitution *s,
                  struct err *err)
{
    struct buf b = buf_new(a, WORD_MAX);
    struct str rest = str_from(word);

    while (rest.len > 0) {
        bool ours = false;

        if (rest.ptr[0] == '{' && take_brace(&ours, &b, &rest, s, err) < 0)
            return -1;
        if (ours)
            continue;
        buf_addc(&b, rest.ptr[0]);
        rest = (struct str){rest.ptr + 1, rest.len - 1};
    }
    if (b.cut)
        return err_set(err, ERR_USAGE, "a word of the command has more than %zu bytes", WORD_MAX);
    *out = str_dup(a, buf_str(&b));
    return 0;
}

typedef VEC(char *) word_list;

/* A word that is `{vllm-args}` or `{vllm-args:MODEL}` and nothing else. */
static int put_args(bool *ret_ours, word_list *all, struct arena *a, const char *word,
                    const struct substitution *s, struct err *err)
{
    struct str rest = str_from(word);
    const struct planned_engine *engine;

    *ret_ours = str_starts(rest, STR(ARGS)) && str_ends(rest, STR("}"));
    if (!*ret_ours)
        return 0;
    rest = (struct str){rest.ptr + sizeof(ARGS) - 1, rest.len - sizeof(ARGS)};
    if (rest.len > 0 && rest.ptr[0] != ':') {
        *ret_ours = false;
        return 0;
    }
    if (rest.len > 0)
        rest = (struct str){rest.ptr + 1, rest.len - 1};
    if (is_known_later(s, rest))
        return 0;
    engine = find_engine(s, ARGS, rest, err);
    if (engine == NULL)
        return -1;
    for (size_t i = 0; engine->args[i] != NULL; i++)
        vec_push(a, all, str_dup(a, str_from(engine->args[i])));
    return 0;
}

int substitute(char *const **out, struct arena *a, char *const *words, const struct substitution *s,
               struct err *err)
{
    word_list all = {0};

    for (; *words != NULL; words++) {
        char *word = *words;
        bool ours = false;

        if (strchr(word, '{') != NULL && (put_args(&ours, &all, a, *words, s, err) < 0 ||
                                          (!ours && put_in(&word, a, *words, s, err) < 0)))
            return -1;
        if (!ours)
            vec_push(a, &all, word);
    }
    vec_push(a, &all, NULL);
    *out = all.at;
    return 0;
}

bool substitute_has_path(char *const *words)
{
    for (; *words != NULL; words++) {
        if (strstr(*words, heads[0].head) != NULL)
            return true;
    }
    return false;
}
