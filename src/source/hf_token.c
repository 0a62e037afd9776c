#include "source/hf_token.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/secret.h"
#include "text/num.h"
#include "text/str.h"

#define TOKEN_MAX ((size_t)4096)

/* Gives "" for nothing. The text itself must not get into an error: it is a secret. */
static int clean(const char **out, struct arena *a, struct str raw, const char *from,
                 struct err *err)
{
    char *kept = arena_array(a, char, raw.len + 1);
    size_t len = 0;
    struct str token;

    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] != '\r' && raw.ptr[i] != '\n')
            kept[len++] = raw.ptr[i];
    token = str_trim((struct str){kept, len});
    if (token.len > TOKEN_MAX)
        return err_set(err, ERR_USAGE, "%s: a token of %zu bytes, at most %zu are taken", from,
                       token.len, TOKEN_MAX);
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return err_set(err, ERR_USAGE,
                           "%s: the token holds a blank or another character that none has", from);
    *out = str_dup(a, token);
    return 0;
}

/* named: the operator named the place; a home that is not ours to read is as good as none. */
static int read_file(struct str *out, struct arena *a, const char *path, bool named,
                     struct err *err)
{
    FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text = arena_array(a, char, 2 * TOKEN_MAX);
    size_t len = 0;
    ssize_t n = 1;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || (errno == EACCES && !named))) {
        *out = (struct str){text, 0};
        return 0;
    }
    while (fd >= 0 && n > 0 && len < 2 * TOKEN_MAX) {
        n = read(fd, text + len, 2 * TOKEN_MAX - len);
        len += n > 0 ? (size_t)n : 0;
        if (n < 0 && errno == EINTR)
            n = 1;
    }
    if (fd < 0 || n < 0) {
        (void)err_sys(err, ERR_USAGE, "the token's file %s cannot be read", path);
        return err_hint(err, "mend its permissions, or set HF_TOKEN");
    }
    *out = (struct str){text, len};
    return 0;
}

static bool is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* ~ and ~/x as a shell would, when the home is known. */
static const char *expand(struct arena *a, const char *path, const char *home)
{
    if (path[0] == '~' && (path[1] == '/' || path[1] == '\0') && is_set(home))
        return str_format(a, "%s%s", home, path + 1);
    return path;
}

/* Where the file may lie, in order; *ret_named: somebody said so. Ends NULL. */
static void list_paths(const char *out[static 3], bool *ret_named, struct arena *a,
                       const struct hf_token_env *env)
{
    size_t n = 0;

    *ret_named = is_set(env->hf_token_path) || is_set(env->hf_home);
    if (is_set(env->hf_token_path))
        out[n++] = expand(a, env->hf_token_path, env->home);
    else if (is_set(env->hf_home))
        out[n++] = str_format(a, "%s/token", expand(a, env->hf_home, env->home));
    if (!*ret_named && is_set(env->hf_home_preset))
        out[n++] = str_format(a, "%s/token", env->hf_home_preset);
    if (!*ret_named && is_set(env->xdg_cache_home))
        out[n++] = str_format(a, "%s/huggingface/token", expand(a, env->xdg_cache_home, env->home));
    else if (!*ret_named && is_set(env->home))
        out[n++] = str_format(a, "%s/.cache/huggingface/token", env->home);
    out[n] = NULL;
}

static bool is_disabled(const char *value)
{
    struct err ignored = {0};
    bool on = false;

    return value != NULL && num_parse_bool(&on, str_from(value), &ignored) == 0 && on;
}

static int from_variables(const char **ret_token, const char **ret_from, struct arena *a,
                          const struct hf_token_env *env, struct err *err)
{
    const char *const values[] = {env->hf_token, env->hugging_face_hub_token};
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};

    for (size_t i = 0; i < 2; i++) {
        if (values[i] == NULL)
            continue;
        if (clean(ret_token, a, str_from(values[i]), names[i], err) < 0)
            return -1;
        *ret_from = names[i];
        if (is_set(*ret_token))
            return 0;
    }
    return 0;
}

static int from_files(const char **ret_token, const char **ret_from, struct arena *a,
                      const struct hf_token_env *env, struct err *err)
{
    const char *paths[3];
    struct str text = {0};
    bool named;

    list_paths(paths, &named, a, env);
    for (size_t i = 0; paths[i] != NULL && !is_set(*ret_token); i++) {
        if (read_file(&text, a, paths[i], named, err) < 0 ||
            clean(ret_token, a, text, paths[i], err) < 0)
            return -1;
        *ret_from = paths[i];
    }
    return 0;
}

int hf_token_find(const char **ret_token, const char **ret_from, struct arena *a,
                  const struct hf_token_env *env, struct err *err)
{
    const char *token = NULL;
    const char *from = NULL;

    if (!is_disabled(env->disable_implicit) &&
        (from_variables(&token, &from, a, env, err) < 0 ||
         (!is_set(token) && from_files(&token, &from, a, env, err) < 0)))
        return -1;
    if (is_set(token))
        secret_held();
    *ret_token = is_set(token) ? token : NULL;
    *ret_from = is_set(token) ? from : NULL;
    return 0;
}
