#include "config/place.h"

#include <limits.h>
#include <unistd.h>

#include "text/buf.h"

#define PATH_LONGEST ((size_t)PATH_MAX - 1)

static bool is_name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Adds what the `$` at the start of *s stands for and takes it off; itself if that is nothing. */
static void add_variable(struct buf *b, struct arena *a, char *const *variables, struct str *s)
{
    bool braced = s->len > 1 && s->ptr[1] == '{';
    size_t start = braced ? 2 : 1;
    size_t end = start;
    const char *value = NULL;

    while (end < s->len && is_name_char(s->ptr[end]))
        end++;
    if (end > start && (!braced || (end < s->len && s->ptr[end] == '}')))
        value =
            environment_get(a, variables, str_dup(a, (struct str){s->ptr + start, end - start}));
    if (value == NULL) {
        buf_addc(b, '$');
        end = 1;
    } else {
        buf_addz(b, value);
        end += braced;
    }
    s->ptr += end;
    s->len -= end;
}

static int add_home(struct buf *b, struct arena *a, char *const *variables, struct str *s,
                    const char *name, struct err *err)
{
    const char *home;

    if (s->len == 0 || s->ptr[0] != '~' || (s->len > 1 && s->ptr[1] != '/'))
        return 0;
    home = environment_get(a, variables, "HOME");
    if (home == NULL) {
        (void)err_set(err, ERR_USAGE, "%s: %.*s: HOME is not set", name, (int)s->len, s->ptr);
        return err_hint(err, "write the whole path");
    }
    buf_addz(b, home);
    s->ptr++;
    s->len--;
    return 0;
}

/* The path from the root, without `/` at the end. */
static int make_absolute(const char **out, struct arena *a, struct str path, const char *name,
                         struct err *err)
{
    char here[PATH_MAX];

    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    if (path.len > 0 && path.ptr[0] == '/') {
        *out = str_dup(a, path);
        return 0;
    }
    while (str_starts(path, STR("./")))
        path = (struct str){path.ptr + 2, path.len - 2};
    if (getcwd(here, sizeof(here)) == NULL)
        return err_sys(err, ERR_USAGE, "%s: the current folder", name);
    if (path.len == 0 || str_eqz(path, "."))
        *out = str_dup(a, str_from(here));
    else
        *out =
            str_format(a, "%s/%.*s", strcmp(here, "/") == 0 ? "" : here, (int)path.len, path.ptr);
    return 0;
}

int place_expand(const char **out, struct arena *a, char *const *variables, const char *path,
                 const char *name, struct err *err)
{
    struct buf b = buf_new(a, PATH_LONGEST);
    struct str rest = str_from(path);

    if (add_home(&b, a, variables, &rest, name, err) < 0)
        return -1;
    while (rest.len > 0) {
        struct str plain = rest;

        if (rest.ptr[0] == '$') {
            add_variable(&b, a, variables, &rest);
            continue;
        }
        if (memchr(rest.ptr, '$', rest.len) != NULL)
            plain.len = (size_t)((const char *)memchr(rest.ptr, '$', rest.len) - rest.ptr);
        buf_add(&b, plain);
        rest.ptr += plain.len;
        rest.len -= plain.len;
    }
    if (b.cut)
        return err_set(err, ERR_USAGE, "%s: longer than %zu bytes", name, PATH_LONGEST);
    return make_absolute(out, a, buf_str(&b), name, err);
}

/* What is asked for when places are worked out. */
struct ask {
    struct arena *arena;
    char *const *environ;
    const struct environment *e;
};

/* The variable's path, else base/below. */
static int place_of(const char **out, const struct ask *ask, enum variable v, const char *base,
                    const char *below, struct err *err)
{
    if (ask->e->at[v] != NULL)
        return place_expand(out, ask->arena, ask->environ, ask->e->at[v], variable_info(v)->name,
                            err);
    *out = base == NULL
               ? NULL
               : str_format(ask->arena, "%s/%s", strcmp(base, "/") == 0 ? "" : base, below);
    return 0;
}

static bool lies_beneath(const char *path, const char *top)
{
    size_t len = strlen(top);

    return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int place_stores(struct places *p, const struct ask *ask, struct err *err)
{
    enum variable hub =
        ask->e->at[VAR_HF_HUB_CACHE] != NULL ? VAR_HF_HUB_CACHE : VAR_HUGGINGFACE_HUB_CACHE;

    if (place_of(&p->hf_home, ask, VAR_HF_HOME, p->volume, "huggingface", err) < 0 ||
        place_of(&p->hf_hub, ask, hub, p->hf_home, "hub", err) < 0 ||
        place_of(&p->vllm, ask, VAR_VLLM_CACHE, p->volume, "vllm", err) < 0 ||
        place_of(&p->ollama, ask, VAR_OLLAMA_MODELS, p->volume, "ollama", err) < 0 ||
        place_of(&p->transformers, ask, VAR_TRANSFORMERS_CACHE, NULL, NULL, err) < 0)
        return -1;
    return 0;
}

int place_all(struct places *out, struct arena *a, char *const *variables,
              const struct environment *e, const char *volume, struct err *err)
{
    struct environment only_views = {
        .at = {[VAR_TRANSFORMERS_CACHE] = e->at[VAR_TRANSFORMERS_CACHE]}};
    struct ask ask = {a, variables, volume != NULL ? &only_views : e};
    const char *named = volume != NULL ? volume : e->at[VAR_MODEL_CACHE_DIR];
    struct places p = {.volume_named = named != NULL};

    if (place_expand(&p.volume, a, variables, named != NULL ? named : "/models",
                     volume != NULL ? "--volume" : "MODEL_CACHE_DIR", err) < 0 ||
        place_stores(&p, &ask, err) < 0)
        return -1;
    /* With --volume everything lies beneath it: a view elsewhere is another volume's. */
    if (p.transformers != NULL && (strcmp(p.transformers, p.hf_hub) == 0 ||
                                   (volume != NULL && !lies_beneath(p.transformers, p.volume))))
        p.transformers = NULL;
    *out = p;
    return 0;
}
