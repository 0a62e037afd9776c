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
} heads[] = {{"{path:", SUBSTITUTE_PATH}, {"{name:", SUBSTITUTE_NAME}};

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

/* One brace, at the start of *rest: its text goes to b. False: it is none of ours. */
static int take_brace(bool *ret_ours, struct buf *b, struct str *rest, const struct substitution *s,
                      struct err *err)
{
    *ret_ours = false;
    for (size_t i = 0; i < HEADS; i++) {
        struct str head = str_from(heads[i].head);
        const char *end = memchr(rest->ptr, '}', rest->len);
        const struct catalog_want *want;
        const char *text = "";
        struct str name;

        if (!str_starts(*rest, head) || end == NULL)
            continue;
        name = (struct str){rest->ptr + head.len, (size_t)(end - rest->ptr) - head.len};
        want = find_want(s, name);
        if (want == NULL)
            return refuse(s, heads[i].head, name, err);
        if (s->text != NULL)
            text = s->text(s->ctx, b->arena, heads[i].kind, want, err);
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

int substitute(char *const **out, struct arena *a, char *const *words, const struct substitution *s,
               struct err *err)
{
    VEC(char *) all = {0};

    for (; *words != NULL; words++) {
        char *word = *words;

        if (strchr(word, '{') != NULL && put_in(&word, a, *words, s, err) < 0)
            return -1;
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

bool substitute_has_word(char *const *words, const char *head)
{
    for (; *words != NULL; words++) {
        size_t len = strlen(head);

        if (strncmp(*words, head, len) == 0 && ((*words)[len] == '\0' || (*words)[len] == '='))
            return true;
    }
    return false;
}
