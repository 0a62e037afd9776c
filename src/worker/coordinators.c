#include "worker/coordinators.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/secret.h"

#define TOKEN_FILE_MAX ((size_t)64 << 10)

static int add(struct coordinators *c, struct arena *a, struct str text, struct err *err)
{
    const char *shown = str_printable(a, text, 80);
    struct url *url = &c->at[c->count];

    if (c->count == BEATS_COORDINATORS_MAX)
        return err_set(err, ERR_USAGE, "COORDINATOR_URL: more than %zu addresses",
                       BEATS_COORDINATORS_MAX);
    if (url_parse(url, a, text, err) < 0) {
        err->code = ERR_USAGE;
        (void)err_wrap(err, "COORDINATOR_URL");
        return err_hint(err, "it takes addresses like https://coordinator:8700, with commas "
                             "between");
    }
    if (memchr(url->target.ptr, '?', url->target.len) != NULL)
        return err_set(err, ERR_USAGE, "COORDINATOR_URL: an address with a query in it");
    for (size_t i = 0; i < c->count; i++) {
        if (str_eq(c->at[i].text, url->text))
            return err_set(err, ERR_USAGE, "COORDINATOR_URL: \"%s\" is there twice", shown);
    }
    c->count++;
    return 0;
}

int coordinators_parse(struct coordinators *out, struct arena *a, const struct config_list *urls,
                       struct err *err)
{
    struct coordinators c = {0};

    for (size_t i = 0; i < urls->len; i++) {
        if (add(&c, a, str_from(urls->at[i]), err) < 0)
            return -1;
    }
    *out = c;
    return 0;
}

int coordinators_check_token(const char *token, const char *from, struct err *err)
{
    size_t len = strlen(token);

    if (len > COORDINATOR_TOKEN_MAX)
        return err_set(err, ERR_USAGE, "%s: a token of %zu bytes, at most %zu are taken", from, len,
                       COORDINATOR_TOKEN_MAX);
    for (size_t i = 0; i < len; i++) {
        if (token[i] <= ' ' || token[i] > '~')
            return err_set(err, ERR_USAGE,
                           "%s: the token holds a blank or another character that none has", from);
    }
    return 0;
}

static int read_text(struct str *out, struct arena *a, const char *path, struct err *err)
{
    FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char *text = arena_array(a, char, TOKEN_FILE_MAX);
    size_t len = 0;
    ssize_t n = 1;

    while (fd >= 0 && n > 0 && len < TOKEN_FILE_MAX) {
        n = read(fd, text + len, TOKEN_FILE_MAX - len);
        len += n > 0 ? (size_t)n : 0;
        if (n < 0 && errno == EINTR)
            n = 1;
    }
    if (fd < 0 || n < 0) {
        (void)err_sys(err, ERR_USAGE, "COORDINATOR_TOKEN_FILE: %s cannot be read", path);
        return err_hint(err, "mend its permissions, or set COORDINATOR_TOKEN");
    }
    *out = (struct str){text, len};
    return 0;
}

int coordinators_read_token(const char **out, struct arena *a, const char *path, struct err *err)
{
    struct str text;
    struct str line;
    struct str word;
    const char *token;

    if (read_text(&text, a, path, err) < 0)
        return -1;
    while (text.len > 0) {
        (void)str_cut(&text, '\n', &line);
        line = str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        (void)str_cut(&line, ' ', &word);
        token = str_dup(a, word);
        if (coordinators_check_token(token, path, err) < 0)
            return -1;
        secret_held();
        *out = token;
        return 0;
    }
    return err_set(err, ERR_USAGE, "COORDINATOR_TOKEN_FILE: %s holds no token", path);
}

const struct url *coordinators_in_plain_text(const struct coordinators *c)
{
    for (size_t i = 0; i < c->count && c->token != NULL; i++) {
        if (!c->at[i].tls && !url_is_loopback(&c->at[i]))
            return &c->at[i];
    }
    return NULL;
}

int coordinators_url(struct url *out, struct arena *a, const struct url *base, const char *path,
                     struct err *err)
{
    struct str head = base->text;

    while (head.len > 0 && head.ptr[head.len - 1] == '/')
        head.len--;
    return url_parse(out, a, str_from(str_format(a, STR_FMT "%s", STR_ARG(head), path)), err);
}
