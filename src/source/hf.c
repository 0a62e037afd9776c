#include "source/hf.h"

#include "source/hf_api.h"

/* One file's origin, and what its judge needs to know. */
struct hf_origin {
    struct transfer_origin origin;
    struct hf_asked asked;
};

static struct model_ref copy_ref(struct arena *a, const struct model_ref *ref)
{
    struct model_ref copy = *ref;

    copy.repo = str_dup(a, str_from(ref->repo));
    copy.revision = str_dup(a, str_from(ref->revision));
    copy.text = str_dup(a, str_from(ref->text));
    return copy;
}

/* A full commit is what it means; everything else is asked. */
static int commit_of(const char **ret_commit, struct source_session *s, const struct model_ref *ref,
                     struct err *err)
{
    if (!ref_is_commit(ref->revision))
        return hf_api_commit(ret_commit, s, ref, err);
    *ret_commit = ref->revision;
    return 0;
}

static int hf_commit(const char **ret_commit, struct source_session *s, const struct model_ref *ref,
                     struct err *err)
{
    const struct model_ref mine = copy_ref(s->arena, ref);

    return commit_of(ret_commit, s, &mine, err);
}

static int hf_manifest(struct manifest *out, struct source_session *s, const struct model_ref *ref,
                       struct err *err)
{
    struct manifest m = {.ref = copy_ref(s->arena, ref)};
    struct hf_listing listing;

    if (commit_of(&m.commit, s, &m.ref, err) < 0 ||
        hf_api_list(&listing, s, &m.ref, m.commit, err) < 0)
        return -1;
    m.files = listing.files.at;
    m.file_count = listing.files.len;
    if (manifest_check(&m, err) < 0)
        return hf_api_hint(err);
    *out = m;
    return 0;
}

static int judge(const void *ctx, const struct http_answer *answer, struct err *err)
{
    const struct hf_asked *asked = ctx;

    if (answer->status >= 400)
        return hf_refuse(asked, answer, err);
    return hf_check_claims(asked, answer, err);
}

static const struct transfer_origin *make_origin(struct source_session *s, const struct manifest *m,
                                                 const struct model_file *file, struct err *err)
{
    const struct hf_state *state = s->state;
    struct hf_origin *o = arena_new(s->arena, struct hf_origin);
    const char *text =
        str_format(s->arena, "%s/%s/resolve/%s/%s", state->base, hf_api_repo(s, m->ref.repo),
                   m->commit, url_encode(s->arena, str_from(file->path), "/"));

    if (url_parse(&o->origin.url, s->arena, str_from(text), err) < 0) {
        (void)err_wrap(err, "%s: %s", m->ref.text, file->path);
        return NULL;
    }
    o->asked = hf_api_asked(s, &m->ref, m->commit, file);
    o->origin.authorization = state->authorization;
    o->origin.judge = judge;
    o->origin.judge_ctx = &o->asked;
    return &o->origin;
}

static int hf_origin(const struct transfer_origin **out, struct source_session *s,
                     const struct manifest *m, const struct model_file *file, struct err *err)
{
    const struct transfer_origin *origin = make_origin(s, m, file, err);

    if (origin == NULL)
        return -1;
    *out = origin;
    return 0;
}

/* Of the files on a gated repository one is as good as another: the smallest with bytes. */
static const struct model_file *probe_file(const struct manifest *m)
{
    const struct model_file *best = NULL;

    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];
        bool lfs = f->digest.kind == DIGEST_SHA256;

        if (!f->wanted || f->size == 0)
            continue;
        if (best == NULL || (lfs && best->digest.kind != DIGEST_SHA256) ||
            (lfs == (best->digest.kind == DIGEST_SHA256) && f->size < best->size))
            best = f;
    }
    return best;
}

static int hf_access(struct source_session *s, const struct manifest *m, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    const struct model_file *file = probe_file(m);
    const struct transfer_origin *origin;
    struct http_request request = {.range = "bytes=0-0", .redirects = 3, .same_origin_only = true};
    struct http_answer answer;

    if (file == NULL)
        return 0;
    origin = make_origin(s, m, file, err);
    if (origin == NULL)
        return -1;
    request.url = origin->url;
    request.authorization = origin->authorization;
    if (http_get(&answer, &scratch, s->client, &request, err) < 0)
        return err_wrap(err, "%s: %s", m->ref.text, file->path);
    return judge(origin->judge_ctx, &answer, err);
}

const struct source source_hf = {
    .name = "hf",
    .open = hf_api_open,
    .manifest = hf_manifest,
    .commit = hf_commit,
    .origin = hf_origin,
    .access = hf_access,
};
