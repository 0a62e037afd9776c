#include "source/ollama.h"

#include "source/ollama_api.h"

#define REDIRECTS_MAX 3

/* How a file's requests fare with the tokens. The engine's thread alone. */
struct grant {
    unsigned serial; /* of the token that was shown last */
    bool shown;      /* it was, and has not been refused since */
};

/* One file's origin, and what its judge needs to know. */
struct ollama_origin {
    struct transfer_origin origin;
    struct model_ref ref;
    struct ollama_asked asked;
    struct ollama_state *state;
    struct grant *grant;
};

static int ollama_manifest(struct manifest *out, struct source_session *s,
                           const struct model_ref *ref, struct err *err)
{
    if (ollama_api_place(s, ref, err) < 0)
        return -1;
    return ollama_api_manifest(out, s, err);
}

/*
 * The commit is the hash of the manifest's text. It is small, so it is fetched: not every registry
 * tells its digest without it.
 */
static int ollama_commit(const char **ret_commit, struct source_session *s,
                         const struct model_ref *ref, struct err *err)
{
    struct manifest m;

    if (ollama_manifest(&m, s, ref, err) < 0)
        return -1;
    *ret_commit = m.commit;
    return 0;
}

static const char *authorize(const void *ctx)
{
    const struct ollama_origin *o = ctx;
    struct grant *g = o->grant;
    unsigned serial;
    const char *authorization = ollama_token_now(&o->state->token, &serial);

    /* Who asks again with what was not refused has been served. */
    if (g->shown && serial == g->serial)
        ollama_token_accepted(&o->state->token, serial);
    *g = (struct grant){.serial = serial, .shown = true};
    return authorization;
}

/* 401: another token is got, unless one after another was good for nothing. */
static int judge_token(const struct ollama_origin *o, const struct http_answer *answer,
                       struct err *err)
{
    const struct ollama_token_asked asked = ollama_api_token_asked(o->state);
    int wanted;

    o->grant->shown = false;
    wanted = ollama_token_want(&o->state->token, o->grant->serial, &asked, answer, err);
    return wanted == 0 ? ollama_refuse(&o->asked, answer, err) : wanted;
}

static int judge(const void *ctx, const struct http_answer *answer, struct err *err)
{
    const struct ollama_origin *o = ctx;

    if (answer->status == 401)
        return judge_token(o, answer, err);
    if (answer->status >= 400)
        return ollama_refuse(&o->asked, answer, err);
    ollama_token_accepted(&o->state->token, o->grant->serial);
    return 0;
}

static int ollama_origin(const struct transfer_origin **out, struct source_session *s,
                         const struct manifest *m, const struct model_file *file, struct err *err)
{
    struct ollama_origin *o = arena_new(s->arena, struct ollama_origin);

    if (ollama_api_place(s, &m->ref, err) < 0)
        return -1;
    o->state = s->state;
    o->ref = o->state->ref;
    o->asked = (struct ollama_asked){.ref = &o->ref, .file = file};
    o->grant = arena_new(s->arena, struct grant);
    if (ollama_api_blob(&o->origin.url, s, &file->digest, err) < 0)
        return err_wrap(err, "%s: %s", m->ref.text, file->path);
    o->origin.authorize = authorize;
    o->origin.judge = judge;
    o->origin.judge_ctx = o;
    *out = &o->origin;
    return 0;
}

/* One blob is as good as another: the smallest with bytes, which is its config as a rule. */
static const struct model_file *probe_file(const struct manifest *m)
{
    const struct model_file *best = NULL;

    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].wanted && m->files[i].size > 0 &&
            (best == NULL || m->files[i].size < best->size))
            best = &m->files[i];
    return best;
}

static int ollama_access(struct source_session *s, const struct manifest *m, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    const struct model_file *file = probe_file(m);
    const struct ollama_asked asked = {.ref = &m->ref, .file = file};
    struct http_request request = {
        .range = "bytes=0-0", .redirects = REDIRECTS_MAX, .same_origin_only = true};
    struct http_answer answer;

    if (file == NULL)
        return 0;
    if (ollama_api_place(s, &m->ref, err) < 0 ||
        ollama_api_blob(&request.url, s, &file->digest, err) < 0)
        return -1;
    return ollama_api_ask(&answer, s, &scratch, &asked, &request, err);
}

static void ollama_tend(struct source_session *s)
{
    struct ollama_state *state = s->state;

    if (state->base != NULL)
        ollama_token_tend(&state->token, s->arena, s->client, state->ref.text);
}

const struct source source_ollama = {
    .name = "ollama",
    .open = ollama_api_open,
    .manifest = ollama_manifest,
    .commit = ollama_commit,
    .origin = ollama_origin,
    .access = ollama_access,
    .tend = ollama_tend,
};
