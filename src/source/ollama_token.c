#include "source/ollama_token.h"

#include <string.h>

#include "json/json.h"
#include "source/challenge.h"
#include "source/refusal.h"
#include "sys/secret.h"
#include "text/buf.h"

#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define REDIRECTS_MAX    3
#define BARREN_MAX       1 /* a token may be refused at once because others have used it up */

void ollama_token_init(struct ollama_token *t)
{
    *t = (struct ollama_token){0};
    (void)pthread_mutex_init(&t->lock, NULL);
}

const char *ollama_token_now(struct ollama_token *t, unsigned *ret_serial)
{
    const char *authorization;

    (void)pthread_mutex_lock(&t->lock);
    authorization = t->authorization;
    *ret_serial = t->serial;
    (void)pthread_mutex_unlock(&t->lock);
    return authorization;
}

static void set(struct ollama_token *t, const char *authorization)
{
    secret_held();
    (void)pthread_mutex_lock(&t->lock);
    t->authorization = authorization;
    t->serial++;
    t->accepted = false;
    t->wanted = false;
    t->err = (struct err){0};
    (void)pthread_mutex_unlock(&t->lock);
}

/* The registry wants something that we cannot give. */
static int wrong_scheme(enum challenge_scheme scheme, const char *host,
                        const struct ollama_token_asked *asked, struct err *err)
{
    switch (scheme) {
    case CHALLENGE_BASIC:
        (void)err_set(err, ERR_AUTH,
                      "%s: %s wants a user and a password (Basic), which are not sent", asked->ref,
                      host);
        return err_hint(err, "let the registry serve this model to everybody who can reach it, or "
                             "give tokens (Bearer) to everybody");
    case CHALLENGE_BEARER:
        (void)err_set(err, ERR_AUTH, "%s: %s wants a token and does not say where to get one",
                      asked->ref, host);
        break;
    case CHALLENGE_OTHER:
        (void)err_set(err, ERR_AUTH, "%s: %s wants to know us in a way that is not known here",
                      asked->ref, host);
        break;
    case CHALLENGE_NONE:
        (void)err_set(err, ERR_AUTH, "%s: %s refuses (401) and does not say what it wants",
                      asked->ref, host);
        break;
    }
    return err_hint(err, "only models that a registry gives to everybody can be pulled");
}

static int check_realm(const struct url *realm, const struct ollama_token_asked *asked,
                       struct err *err)
{
    ARENA_SCOPED a = {0};

    if (realm->tls || (!asked->base->tls && str_eq(realm->host, asked->base->host)))
        return 0;
    (void)err_set(err, ERR_LIMIT, "%s: %s sends us to %s for a token, by plain http", asked->ref,
                  url_authority(&a, asked->base), url_authority(&a, realm));
    return err_hint(err, "the registry must name an https address as its realm, or one on its own "
                         "host if it is asked by http itself");
}

int ollama_token_url(struct url *out, struct arena *a, const struct ollama_token_asked *asked,
                     const struct http_answer *answer, struct err *err)
{
    const struct challenge c = challenge_read(a, answer);
    const char *host = url_authority(a, &answer->url);
    struct str scopes = c.scope.len > 0 ? c.scope : str_from(asked->scope);
    struct buf b = buf_new(a, OLLAMA_TOKEN_URL_MAX);
    struct url realm;
    struct str scope;

    if (c.scheme != CHALLENGE_BEARER || c.realm.len == 0)
        return wrong_scheme(c.scheme, host, asked, err);
    buf_add(&b, c.realm);
    buf_addz(&b, memchr(c.realm.ptr, '?', c.realm.len) == NULL ? "?" : "&");
    if (c.service.len > 0)
        buf_addf(&b, "service=%s&", url_encode(a, c.service, ""));
    for (bool more = true; more;) {
        more = str_cut(&scopes, ' ', &scope);
        if (scope.len > 0)
            buf_addf(&b, "scope=%s&", url_encode(a, scope, ""));
    }
    buf_truncate(&b, b.len - (b.cut ? 0 : 1));
    if (b.len >= OLLAMA_TOKEN_URL_MAX - 1)
        return err_set(err, ERR_LIMIT, "%s: %s asks for a token in more than %zu bytes", asked->ref,
                       host, OLLAMA_TOKEN_URL_MAX);
    if (url_parse(&realm, a, buf_str(&b), err) < 0)
        return err_wrap(err, "%s: the realm of %s", asked->ref, host);
    if (check_realm(&realm, asked, err) < 0)
        return -1;
    *out = realm;
    return 0;
}

int ollama_token_parse(const char **ret_authorization, struct arena *a, struct str body,
                       struct err *err)
{
    JSON_SCOPED *doc = json_parse(body, ANSWER_BYTES_MAX, "its answer", err);
    struct str token = {0};

    if (doc == NULL)
        return -1;
    if (!json_is_object(doc))
        return err_set(err, ERR_NET, "its answer is no object");
    if (json_str(&token, doc, "access_token", err) < 0 || json_str(&token, doc, "token", err) < 0)
        return -1;
    if (token.len == 0)
        return err_set(err, ERR_NET, "its answer has no token");
    if (token.len > OLLAMA_TOKEN_MAX)
        return err_set(err, ERR_NET, "its token has %zu bytes, at most %zu are taken", token.len,
                       OLLAMA_TOKEN_MAX);
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= 0x20 || token.ptr[i] >= 0x7f)
            return err_set(err, ERR_NET, "its token holds other than visible ASCII");
    *ret_authorization = str_format(a, "Bearer " STR_FMT, STR_ARG(token));
    return 0;
}

/* The realm's answer was no token. */
static int refused(const char *ref, const struct http_answer *answer, struct err *err)
{
    ARENA_SCOPED a = {0};
    const char *host = url_authority(&a, &answer->url);
    const char *words = refusal_read(&a, (struct str){0}, answer->body).words;
    bool denied = answer->status == 400 || answer->status == 401 || answer->status == 403 ||
                  answer->status == 404;

    (void)err_set(err, denied ? ERR_AUTH : ERR_NET, "%s: %s gives no token (%d)%s%s", ref, host,
                  answer->status, words[0] == '\0' ? "" : ": ", words);
    if (denied)
        return err_hint(err, "only models that a registry gives to everybody can be pulled: check "
                             "the name, or whether the model is private");
    return err_hint(err, "try again later");
}

int ollama_token_get(struct ollama_token *t, struct arena *a, struct http_client *client,
                     const char *ref, const struct url *realm, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    const struct http_request request = {
        .url = *realm,
        .accept = "application/json",
        .body_limit = ANSWER_BYTES_MAX,
        .redirects = REDIRECTS_MAX,
    };
    struct http_answer answer;
    const char *authorization;

    if (http_get(&answer, &scratch, client, &request, err) < 0)
        return err_wrap(err, "%s: its token", ref);
    if (answer.status != 200)
        return refused(ref, &answer, err);
    if (ollama_token_parse(&authorization, a, answer.body, err) < 0)
        return err_wrap(err, "%s: no token from %s", ref, url_authority(&scratch, &answer.url));
    set(t, authorization);
    return 0;
}

void ollama_token_accepted(struct ollama_token *t, unsigned serial)
{
    (void)pthread_mutex_lock(&t->lock);
    if (t->serial == serial)
        t->accepted = true;
    (void)pthread_mutex_unlock(&t->lock);
}

/* Counts those that opened nothing. With the lock held. */
static bool are_barren(struct ollama_token *t)
{
    t->barren = t->accepted || t->serial == 0 ? 0 : t->barren + 1;
    return t->barren > BARREN_MAX;
}

int ollama_token_want(struct ollama_token *t, unsigned serial,
                      const struct ollama_token_asked *asked, const struct http_answer *answer,
                      struct err *err)
{
    ARENA_SCOPED a = {0};
    struct url url = {0};
    int r = 1;

    if (ollama_token_url(&url, &a, asked, answer, err) < 0)
        return -1;
    (void)pthread_mutex_lock(&t->lock);
    if (t->err.code != ERR_NONE) {
        *err = t->err;
        r = -1;
    } else if (t->serial == serial && !t->wanted && are_barren(t)) {
        r = 0;
    } else if (t->serial == serial && !t->wanted) {
        memcpy(t->url, url.text.ptr, url.text.len + 1);
        t->wanted = true;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return r;
}

void ollama_token_tend(struct ollama_token *t, struct arena *a, struct http_client *client,
                       const char *ref)
{
    ARENA_SCOPED scratch = {0};
    struct err err = {0};
    struct url url;
    const char *text = NULL;

    (void)pthread_mutex_lock(&t->lock);
    if (t->wanted && t->err.code == ERR_NONE)
        text = str_dup(&scratch, str_from(t->url));
    (void)pthread_mutex_unlock(&t->lock);
    if (text == NULL || (url_parse(&url, &scratch, str_from(text), &err) == 0 &&
                         ollama_token_get(t, a, client, ref, &url, &err) == 0))
        return;
    (void)pthread_mutex_lock(&t->lock);
    t->err = err;
    (void)pthread_mutex_unlock(&t->lock);
}
