#include "source/challenge.h"

#include "text/buf.h"

/* Blanks and the commas between parameters. */
static void skip(struct str *s, const char *set)
{
    while (s->len > 0 && s->ptr[0] != '\0' && strchr(set, s->ptr[0]) != NULL) {
        s->ptr++;
        s->len--;
    }
}

static struct str take_word(struct str *s)
{
    struct str word = {s->ptr, 0};

    while (word.len < s->len &&
           (word.ptr[word.len] == '\0' || strchr(" \t,=\"", word.ptr[word.len]) == NULL))
        word.len++;
    s->ptr += word.len;
    s->len -= word.len;
    return word;
}

/* A word or a quoted string without its quotes; the quotes may hold commas, and quotes after \. */
static struct str take_value(struct str *s, struct arena *a)
{
    struct buf b;

    if (s->len == 0 || s->ptr[0] != '"')
        return take_word(s);
    b = buf_new(a, s->len);
    for (s->ptr++, s->len--; s->len > 0 && s->ptr[0] != '"'; s->ptr++, s->len--) {
        if (s->ptr[0] == '\\' && s->len > 1) {
            s->ptr++;
            s->len--;
        }
        buf_addc(&b, s->ptr[0]);
    }
    skip(s, "\"");
    return buf_str(&b);
}

static void note(struct challenge *c, struct str name, struct str value)
{
    if (str_eq_nocase(name, STR("realm")))
        c->realm = value;
    else if (str_eq_nocase(name, STR("service")))
        c->service = value;
    else if (str_eq_nocase(name, STR("scope")))
        c->scope = value;
}

/* One header may hold several challenges: a word without "=" begins the next one. */
static struct challenge take_challenge(struct str *s, struct arena *a)
{
    struct challenge c = {.scheme = CHALLENGE_OTHER};
    struct str scheme = take_word(s);

    if (str_eq_nocase(scheme, STR("bearer")))
        c.scheme = CHALLENGE_BEARER;
    else if (str_eq_nocase(scheme, STR("basic")))
        c.scheme = CHALLENGE_BASIC;
    for (;;) {
        struct str rest;
        struct str name;

        skip(s, " \t,");
        rest = *s;
        name = take_word(&rest);
        skip(&rest, " \t");
        if (name.len == 0 || rest.len == 0 || rest.ptr[0] != '=')
            return c;
        rest.ptr++;
        rest.len--;
        skip(&rest, " \t");
        note(&c, str_copy(a, name), take_value(&rest, a));
        *s = rest;
    }
}

struct challenge challenge_read(struct arena *a, const struct http_answer *answer)
{
    struct challenge best = {0};

    for (size_t i = 0; i < answer->header_count; i++) {
        struct str value = str_trim(answer->headers[i].value);

        if (!str_eqz(answer->headers[i].name, "www-authenticate"))
            continue;
        while (value.len > 0) {
            struct challenge c = take_challenge(&value, a);

            if (best.scheme == CHALLENGE_NONE ||
                (best.scheme != CHALLENGE_BEARER && c.scheme == CHALLENGE_BEARER) ||
                (best.scheme == CHALLENGE_OTHER && c.scheme == CHALLENGE_BASIC))
                best = c;
            skip(&value, "=\""); /* what begins no word must not stop us here */
        }
    }
    best.realm = str_copy(a, best.realm);
    best.service = str_copy(a, best.service);
    best.scope = str_copy(a, best.scope);
    return best;
}
