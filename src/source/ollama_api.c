#include "source/ollama_api.h"

#include <string.h>

#include "model/ollama_manifest.h"
#include "model/ref_ollama.h"
#include "source/refusal.h"

#define REDIRECTS_MAX 5
#define SHOWN_MAX     ((size_t)120)

int ollama_api_open(struct source_session *s, struct err *err)
{
    struct ollama_state *state = arena_new(s->arena, struct ollama_state);

    (void)err;
    ollama_token_init(&state->token);
    s->state = state;
    return 0;
}

/* A host that a name begins with; https is the rule, and never left for http by itself. */
static int place_of_host(struct url *out, struct source_session *s, const char *host,
                         struct err *err)
{
    const char *plain = str_format(s->arena, "http://%s", host);
    const char *tls = str_format(s->arena, "https://%s", host);

    if (url_parse(out, s->arena, str_from(plain), err) < 0)
        return -1;
    return http_is_allowed(s->config->net, out) ? 0 : url_parse(out, s->arena, str_from(tls), err);
}

int ollama_api_place(struct source_session *s, const struct model_ref *ref, struct err *err)
{
    struct ollama_state *state = s->state;
    bool home = strcmp(ref->host, REF_OLLAMA_HOST) == 0;
    struct str base;
    int r;

    if (state->base != NULL)
        return 0;
    r = home ? url_parse(&state->registry, s->arena, str_from(s->config->ollama_registry), err)
             : place_of_host(&state->registry, s, ref->host, err);
    if (r < 0) {
        err->code = ERR_USAGE;
        return err_wrap(err, "%s", home ? "OLLAMA_REGISTRY" : ref->text);
    }
    base = state->registry.text;
    if (memchr(base.ptr, '?', base.len) != NULL)
        return err_set(err, ERR_USAGE, "OLLAMA_REGISTRY: the URL " STR_FMT " has a query",
                       STR_ARG(url_public(&state->registry)));
    while (str_ends(base, STR("/")))
        base.len--;
    state->ref = (struct model_ref){
        .source = "ollama",
        .host = str_dup(s->arena, str_from(ref->host)),
        .repo = str_dup(s->arena, str_from(ref->repo)),
        .revision = str_dup(s->arena, str_from(ref->revision)),
        .revision_named = ref->revision_named,
        .text = str_dup(s->arena, str_from(ref->text)),
    };
    state->scope = str_format(s->arena, "repository:%s:pull", state->ref.repo);
    state->base = str_dup(s->arena, base);
    return 0;
}

struct ollama_token_asked ollama_api_token_asked(const struct ollama_state *state)
{
    return (struct ollama_token_asked){
        .ref = state->ref.text, .scope = state->scope, .base = &state->registry};
}

int ollama_api_blob(struct url *out, struct source_session *s, const struct digest *digest,
                    struct err *err)
{
    const struct ollama_state *state = s->state;
    char hex[DIGEST_HEX + 1];
    const char *text = str_format(s->arena, "%s/v2/%s/blobs/sha256:%s", state->base,
                                  state->ref.repo, digest_format(digest, hex));

    return url_parse(out, s->arena, str_from(text), err);
}

/* What can be done about an answer that is wrong, unless the error has a hint already. */
static int hint(struct err *err)
{
    if (err->hint[0] == '\0' && err->code != ERR_INTERRUPTED)
        (void)err_hint(err,
                       "OLLAMA_REGISTRY or the host in the name may lead to something else than "
                       "a registry of Ollama; if not, try again later");
    return -1;
}

/* Shows the registry the token that it wants. */
static int get_token(struct source_session *s, const struct http_answer *answer, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct ollama_state *state = s->state;
    const struct ollama_token_asked asked = ollama_api_token_asked(state);
    struct url realm;

    if (ollama_token_url(&realm, &scratch, &asked, answer, err) < 0)
        return -1;
    return ollama_token_get(&state->token, s->arena, s->client, state->ref.text, &realm, err);
}

int ollama_api_ask(struct http_answer *out, struct source_session *s, struct arena *a,
                   const struct ollama_asked *asked, const struct http_request *request,
                   struct err *err)
{
    struct ollama_state *state = s->state;
    struct http_request with_token = *request;
    struct http_answer answer;
    unsigned serial;

    for (int tries = 2;; tries--) {
        with_token.authorization = ollama_token_now(&state->token, &serial);
        if (http_get(&answer, a, s->client, &with_token, err) < 0) {
            (void)err_wrap(err, "%s", state->ref.text);
            return hint(err);
        }
        /* Behind a redirect somebody else may say 401: that is no matter of the registry's token.
         */
        if (answer.status != 401 || tries == 1 || !url_same_origin(&answer.url, &state->registry))
            break;
        if (get_token(s, &answer, err) < 0)
            return -1;
    }
    if (answer.status >= 400)
        return ollama_refuse(asked, &answer, err);
    ollama_token_accepted(&state->token, serial);
    *out = answer;
    return 0;
}

/* A model that runs at its maker's, or something that is no model, names no weights. */
static int check_weights(const struct manifest *m, struct err *err)
{
    if (manifest_find(m, "model") != NULL || manifest_find(m, "tensor") != NULL)
        return 0;
    (void)err_set(err, ERR_USAGE,
                  "%s: its manifest names no weights: it runs in Ollama's cloud, or is no model",
                  m->ref.text);
    return err_hint(err, "there is nothing to pull: choose a tag with weights");
}

/* What the registry itself says of the text that came: a cut or altered one is not believed. */
static int check_digest(const struct manifest *m, const struct http_answer *answer, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct str said = str_trim(http_header_get(answer, "docker-content-digest"));
    const char *have = str_format(&a, "sha256:%s", m->commit);

    if (!str_starts(said, STR("sha256:")) || str_eqz(said, have))
        return 0;
    (void)err_set(err, ERR_DIGEST, "%s: its manifest came as %s, but %s says %s", m->ref.text, have,
                  url_authority(&a, &answer->url), str_printable(&a, said, SHOWN_MAX));
    return err_hint(err, "a proxy may have altered it: try again, or another way to the registry");
}

static int read_manifest(struct manifest *out, struct source_session *s,
                         const struct http_answer *answer, struct err *err)
{
    ARENA_SCOPED a = {0};
    const struct ollama_state *state = s->state;
    struct manifest m;

    if (answer->status != 200)
        return err_set(err, ERR_NET, "%s: %s answers %d", state->ref.text,
                       url_authority(&a, &answer->url), answer->status);
    if (refusal_is_page(answer->body)) {
        (void)err_set(err, ERR_NET, "%s: a web page came from %s instead of a manifest",
                      state->ref.text, url_authority(&a, &answer->url));
        return err_hint(err, "a proxy or a captive portal may have answered: look at HTTPS_PROXY, "
                             "NO_PROXY and OLLAMA_REGISTRY");
    }
    if (ollama_manifest_parse(&m, s->arena, &state->ref, answer->body, err) < 0 ||
        check_digest(&m, answer, err) < 0 || check_weights(&m, err) < 0)
        return -1;
    *out = m;
    return 0;
}

int ollama_api_manifest(struct manifest *out, struct source_session *s, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct ollama_state *state = s->state;
    const struct ollama_asked asked = {.ref = &state->ref};
    struct http_request request = {
        .accept = OLLAMA_MANIFEST_ACCEPT,
        .body_limit = OLLAMA_MANIFEST_BYTES_MAX,
        .redirects = REDIRECTS_MAX,
    };
    const char *text = str_format(&scratch, "%s/v2/%s/manifests/%s", state->base, state->ref.repo,
                                  state->ref.revision);
    struct http_answer answer = {0};

    if (url_parse(&request.url, &scratch, str_from(text), err) < 0)
        return err_wrap(err, "%s", state->ref.text);
    /* What cannot be read is asked for once more; what is clearly said is not. */
    for (int tries = 2;; tries--) {
        if (ollama_api_ask(&answer, s, &scratch, &asked, &request, err) < 0)
            return -1;
        if (read_manifest(out, s, &answer, err) == 0)
            return 0;
        if (err->code == ERR_USAGE || tries == 1)
            return hint(err);
    }
}
