#include "config/environment.h"

#include <assert.h>

#include "config/option.h"
#include "text/num.h"
#include "text/url.h"

enum kind {
    KIND_TEXT,
    KIND_SECRET,
    KIND_URL,
    KIND_URLS,
    KIND_GPU,
    KIND_GIGABYTES,
    KIND_DEVICES,
};

static const struct variable_info infos[VARIABLES] = {
#define VARIABLE(name, kind, preset, meaning) {#name, preset, meaning},
#include "config/environment.def"
#undef VARIABLE
};

static const enum kind kinds[VARIABLES] = {
#define VARIABLE(name, kind, preset, meaning) KIND_##kind,
#include "config/environment.def"
#undef VARIABLE
};

const struct variable_info *variable_info(enum variable v)
{
    assert(v < VARIABLES);
    return &infos[v];
}

/* The value, "" if it is empty; NULL: unset. */
static const char *find(struct arena *a, char *const *environ, const char *name)
{
    size_t len = strlen(name);

    for (; *environ != NULL; environ++) {
        if (strncmp(*environ, name, len) != 0 || (*environ)[len] != '=')
            continue;
        return str_dup(a, str_trim(str_from(*environ + len + 1)));
    }
    return NULL;
}

const char *environment_get(struct arena *a, char *const *environ, const char *name)
{
    const char *value = find(a, environ, name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* `8   # minimum memory`: a shell would have cut that, docker --env-file does not. */
static int refuse_comment(const char *name, const char *value, struct err *err)
{
    for (const char *c = value; (c = strchr(c, '#')) != NULL; c++) {
        if (c == value || (c[-1] != ' ' && c[-1] != '\t'))
            continue;
        (void)err_set(err, ERR_USAGE,
                      "%s: its value has a blank and a # in it, as if a comment "
                      "stood behind it",
                      name);
        return err_hint(err,
                        "in an env file a comment needs a line of its own; quotes are kept too");
    }
    return 0;
}

static int check_url(const char *value, struct arena *a, struct err *err)
{
    struct url url;

    /* Ollama itself takes host:port. */
    if (strstr(value, "://") == NULL)
        value = str_format(a, "http://%s", value);
    if (url_parse(&url, a, str_from(value), err) == 0)
        return 0;
    err->code = ERR_USAGE;
    return -1;
}

static int check_urls(const char *value, struct arena *a, struct err *err)
{
    struct str rest = str_from(value);
    struct str url;

    while (rest.len > 0) {
        (void)str_cut(&rest, ',', &url);
        url = str_trim(url);
        if (url.len > 0 && check_url(str_dup(a, url), a, err) < 0)
            return -1;
    }
    return 0;
}

static int check_gpu(const char *value, struct err *err)
{
    bool unused;

    if (str_eq_nocase(str_from(value), STR("auto")) ||
        num_parse_bool(&unused, str_from(value), err) == 0)
        return 0;
    return err_set(err, ERR_USAGE, "\"%.40s\": not one of auto, true, false, 1, 0, yes, no", value);
}

static int check_gigabytes(const char *value, struct arena *a, struct err *err)
{
    uint64_t unused;

    if (num_parse_size(&unused, str_from(str_format(a, "%.40sGB", value)), err) == 0 &&
        strspn(value, "0123456789.") == strlen(value))
        return 0;
    return err_set(err, ERR_USAGE, "\"%.40s\": not a number of gigabytes, which is like 8 or 0.5",
                   value);
}

static int check(enum kind kind, const char *value, struct arena *a, struct err *err)
{
    switch (kind) {
    case KIND_URL: return check_url(value, a, err);
    case KIND_URLS: return check_urls(value, a, err);
    case KIND_GPU: return check_gpu(value, err);
    case KIND_GIGABYTES: return check_gigabytes(value, a, err);
    case KIND_TEXT:
    case KIND_DEVICES:
    case KIND_SECRET: return 0;
    }
    return 0;
}

int environment_read(struct environment *out, struct arena *a, char *const *environ,
                     struct err *err)
{
    struct environment e = {0};

    for (size_t i = 0; i < VARIABLES; i++) {
        const char *value = find(a, environ, infos[i].name);

        if (value == NULL || (value[0] == '\0' && kinds[i] != KIND_DEVICES))
            continue;
        if (refuse_comment(infos[i].name, value, err) < 0)
            return -1;
        if (check(kinds[i], value, a, err) < 0)
            return err_wrap(err, "%s", infos[i].name);
        e.at[i] = value;
    }
    *out = e;
    return 0;
}

int environment_apply(struct config_options *options, struct arena *a, char *const *environ,
                      struct err *err)
{
    size_t count;
    const struct option_info *all = option_all(&count);

    for (size_t i = 0; i < count; i++) {
        char name[OPTION_NAME];
        struct option_place place = {.name = option_variable(name, &all[i])};
        const char *value = environment_get(a, environ, name);

        if (value == NULL)
            continue;
        if (refuse_comment(name, value, err) < 0 ||
            option_set(options, a, &all[i], str_from(value), &place, err) < 0)
            return -1;
    }
    return 0;
}

bool environment_is_on(const char *value)
{
    static const char *const on[] = {"1", "on", "yes", "true"};

    for (size_t i = 0; value != NULL && i < sizeof(on) / sizeof(on[0]); i++) {
        if (str_eq_nocase(str_from(value), str_from(on[i])))
            return true;
    }
    return false;
}
