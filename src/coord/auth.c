#include "coord/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/file.h"
#include "sys/secret.h"
#include "text/vec.h"

#define FILE_BYTES_MAX ((size_t)64 << 10)
#define MADE_DIGITS    ((size_t)64)
#define BEARER         "Bearer "

static bool is_token(struct str text)
{
    static const char others[] = "-._~+/=";

    if (text.len < AUTH_TOKEN_MIN || text.len > AUTH_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return true;
}

static bool parse_scopes(unsigned *out, struct str words)
{
    bool more = words.len > 0;
    struct str word;

    *out = more ? 0 : AUTH_READ | AUTH_WRITE;
    while (more) {
        more = str_cut(&words, ',', &word);
        word = str_trim(word);
        if (str_eqz(word, "read"))
            *out |= AUTH_READ;
        else if (str_eqz(word, "write"))
            *out |= AUTH_WRITE;
        else
            return false;
    }
    return true;
}

static bool parse_line(struct auth_token *out, struct str line)
{
    struct str token;

    (void)str_cut(&line, ' ', &token);
    if (!is_token(token) || !parse_scopes(&out->scopes, str_trim(line)))
        return false;
    memcpy(out->text, token.ptr, token.len);
    return true;
}

int auth_parse(struct auth *out, struct arena *a, struct str text, const char *name,
               struct err *err)
{
    VEC(struct auth_token) tokens = {0};
    struct str line;

    for (size_t number = 1; text.len > 0; number++) {
        struct auth_token token = {0};

        (void)str_cut(&text, '\n', &line);
        line = str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (tokens.len == AUTH_TOKENS_MAX)
            return err_set(err, ERR_USAGE, "%s: more than %zu tokens", name, AUTH_TOKENS_MAX);
        if (!parse_line(&token, line)) {
            (void)err_set(err, ERR_USAGE, "%s:%zu: not a token, alone or with its scopes", name,
                          number);
            return err_hint(err,
                            "a line is a token of %zu to %zu letters, digits and -._~+/=, and "
                            "behind it read, write or read,write",
                            AUTH_TOKEN_MIN, AUTH_TOKEN_MAX);
        }
        vec_push(a, &tokens, token);
    }
    if (tokens.len == 0)
        return err_set(err, ERR_USAGE, "%s: no token is in it", name);
    *out = (struct auth){.tokens = tokens.at, .count = tokens.len};
    return 0;
}

int auth_load(struct auth *out, struct arena *a, const char *path, struct err *err)
{
    struct stat st;
    struct str text;

    secret_held();
    if (stat(path, &st) < 0) {
        (void)err_sys(err, ERR_USAGE, "--token-file %s", path);
        return err_hint(err, "hostler coordinator --make-token %s writes one", path);
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0 && st.st_uid == geteuid()) {
        (void)err_set(err, ERR_USAGE, "--token-file %s: others may read or write it (mode %03o)",
                      path, st.st_mode & 0777U);
        return err_hint(err, "chmod 600 %s", path);
    }
    if (file_read_named(&text, a, path, FILE_BYTES_MAX, err) < 0) {
        err->code = ERR_USAGE;
        return err_wrap(err, "--token-file");
    }
    return auth_parse(out, a, text, path, err);
}

static int write_token(int fd, const char *path, struct err *err)
{
    char text[MADE_DIGITS + 2];

    file_random_hex(text, MADE_DIGITS);
    text[MADE_DIGITS] = '\n';
    if (fchmod(fd, 0600) < 0)
        return err_sys(err, ERR_USAGE, "--make-token %s", path);
    return file_write_all(fd, (struct str){text, MADE_DIGITS + 1}, path, err);
}

int auth_make(const char *path, struct err *err)
{
    FD_SCOPED fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);

    secret_held();
    if (fd < 0) {
        bool there = errno == EEXIST;

        (void)err_sys(err, ERR_USAGE, "--make-token %s", path);
        return there ? err_hint(err, "it is not written over: name a new file, or remove it") : -1;
    }
    if (write_token(fd, path, err) == 0)
        return 0;
    (void)unlink(path);
    return -1;
}

/* 1 or 0. No branch and no end depends on what the token is. */
static unsigned same_token(const char x[static AUTH_TOKEN_MAX], const char y[static AUTH_TOKEN_MAX])
{
    volatile unsigned differs = 0;

    for (size_t i = 0; i < AUTH_TOKEN_MAX; i++)
        differs = differs | ((unsigned char)x[i] ^ (unsigned)(unsigned char)y[i]);
    return 1 & ((differs - 1) >> 8);
}

unsigned auth_scopes(const struct auth *auth, struct str authorization)
{
    char given[AUTH_TOKEN_MAX] = {0};
    struct str head = {authorization.ptr, sizeof(BEARER) - 1};
    struct str token;
    unsigned scopes = 0;

    if (auth->anonymous)
        return AUTH_READ | AUTH_WRITE;
    if (authorization.len < sizeof(BEARER) || !str_eq_nocase(head, STR(BEARER)))
        return 0;
    token = str_trim((struct str){authorization.ptr + head.len, authorization.len - head.len});
    if (!is_token(token))
        return 0;
    memcpy(given, token.ptr, token.len);
    for (size_t i = 0; i < auth->count; i++)
        scopes |= auth->tokens[i].scopes * same_token(auth->tokens[i].text, given);
    return scopes;
}
