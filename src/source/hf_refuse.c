#include "source/hf_refuse.h"

#include "source/refusal.h"
#include "text/num.h"

#define SHOWN_MAX ((size_t)120)

/* A refusal under examination. */
struct examined {
    const struct hf_asked *asked;
    struct arena *arena;
    int status;
    struct str code;   /* X-Error-Code */
    const char *words; /* printable */
    const char *host;  /* that refused */
    const char *page;  /* of the model, for people */
    bool token_sent;
};

/* One spelling of a name of Ollama that the repository's name would be too; NULL: none. */
static const char *as_ollama(const struct examined *r)
{
    const char *text = str_format(r->arena, "ollama:%s", r->asked->repo);
    struct err ignored = {0};
    struct model_ref ref;

    for (const char *c = r->asked->repo; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            return NULL; /* possible there, but nobody has such names */
    return ref_parse(&ref, r->arena, str_from(text), &ignored) == 0 ? text : NULL;
}

static int hint_spelling(const struct examined *r, struct err *err, const char *token)
{
    const char *ollama = as_ollama(r);

    return err_hint(err, "check the spelling at %s, or %s%s%s", r->page, token,
                    ollama == NULL ? "" : "; a model of Ollama is written ",
                    ollama == NULL ? "" : ollama);
}

/* The Hub tells nobody without a token whether a private model exists. */
static int missing_or_private(const struct examined *r, struct err *err)
{
    const struct hf_asked *q = r->asked;

    (void)err_set(err, ERR_AUTH, "%s: no such model at %s, or a private one", q->ref, r->host);
    if (q->token_from != NULL)
        return err_hint(err,
                        "%s leads to %s, and the token from %s goes to its own host only; set "
                        "HF_ENDPOINT to where the model is",
                        q->base, r->host, q->token_from);
    return hint_spelling(r, err, "set HF_TOKEN to a token that may read it");
}

static int missing(const struct examined *r, struct err *err)
{
    const struct hf_asked *q = r->asked;

    if (!r->token_sent) {
        (void)err_set(err, ERR_NOT_FOUND, "%s: no such model at %s", q->ref, r->host);
        return hint_spelling(r, err, "set HF_TOKEN if it is private");
    }
    (void)err_set(err, ERR_NOT_FOUND,
                  "%s: no such model at %s, or one that the token from %s may not see", q->ref,
                  r->host, q->token_from);
    return hint_spelling(r, err, "take a token of an account that may read it");
}

static int gated(const struct examined *r, struct err *err)
{
    const struct hf_asked *q = r->asked;

    if (!r->token_sent) {
        (void)err_set(err, ERR_AUTH, "%s is gated: it is given only to who accepted its licence",
                      q->ref);
        return err_hint(err,
                        "accept the licence at %s, then set HF_TOKEN to a token of that "
                        "account",
                        r->page);
    }
    if (r->status == 401)
        (void)err_set(err, ERR_AUTH, "%s is gated, and the token from %s is not accepted", q->ref,
                      q->token_from);
    else
        (void)err_set(err, ERR_AUTH,
                      "%s is gated, and the account of the token from %s has no access", q->ref,
                      q->token_from);
    return err_hint(err, "accept the licence at %s with the account of the token from %s", r->page,
                    q->token_from);
}

static int bad_token(const struct examined *r, struct err *err)
{
    const struct hf_asked *q = r->asked;

    (void)err_set(err, ERR_AUTH, "%s: %s does not accept the token from %s: wrong or expired",
                  q->ref, r->host, q->token_from);
    return err_hint(err,
                    "take a new one from %s/settings/tokens, or remove it: public models need "
                    "none",
                    q->base);
}

static int no_revision(const struct examined *r, struct err *err)
{
    const struct hf_asked *q = r->asked;

    (void)err_set(err, ERR_NOT_FOUND, "%s: there is no revision \"%s\"", q->ref, q->revision);
    return err_hint(err, "its branches and tags are at %s/tree/main", r->page);
}

static int no_entry(const struct examined *r, struct err *err)
{
    const struct hf_asked *q = r->asked;

    (void)err_set(err, ERR_NOT_FOUND, "%s: %s is listed, but %s does not have it at %s", q->ref,
                  q->file == NULL ? "a file" : q->file->path, r->host, q->revision);
    return err_hint(err, "try again later, or another HF_ENDPOINT");
}

static int disabled(const struct examined *r, struct err *err)
{
    (void)err_set(err, ERR_AUTH, "%s is disabled at %s", r->asked->ref, r->host);
    return err_hint(err, "%s may say why", r->page);
}

static int forbidden(const struct examined *r, struct err *err)
{
    const struct hf_asked *q = r->asked;

    (void)err_set(err, ERR_AUTH, "%s: %s refuses (%d)%s%s", q->ref, r->host, r->status,
                  r->words[0] == '\0' ? "" : ": ", r->words);
    if (!r->token_sent)
        return err_hint(err, "set HF_TOKEN to a token that may read it");
    return err_hint(err, "the token from %s may lack the right to read %s: see %s/settings/tokens",
                    q->token_from, q->repo, q->base);
}

static int other(const struct examined *r, struct err *err)
{
    (void)err_set(err, ERR_NET, "%s: %s answers %d%s%s", r->asked->ref, r->host, r->status,
                  r->words[0] == '\0' ? "" : ": ", r->words);
    return err_hint(err, "try again later, or another HF_ENDPOINT");
}

static int refuse_404(const struct examined *r, struct err *err)
{
    if (str_eq(r->code, STR("RepoNotFound")))
        return missing(r, err);
    if (str_eq(r->code, STR("RevisionNotFound")) ||
        str_starts(str_from(r->words), STR("Invalid rev id")))
        return no_revision(r, err);
    if (str_eq(r->code, STR("EntryNotFound")) || r->asked->file != NULL)
        return no_entry(r, err);
    return missing(r, err);
}

static int refuse(const struct examined *r, struct err *err)
{
    if (str_eq(r->code, STR("GatedRepo")))
        return gated(r, err);
    if (str_eqz(STR("Access to this resource is disabled."), r->words))
        return disabled(r, err);
    switch (r->status) {
    case 401: return r->token_sent ? bad_token(r, err) : missing_or_private(r, err);
    case 403:
    case 451: return forbidden(r, err);
    case 404:
    case 410: return refuse_404(r, err);
    default: return other(r, err);
    }
}

/* What the operators of the Hub ask for when one complains. */
static void quote_request_id(const struct http_answer *answer, struct arena *a, struct err *err)
{
    static const char *const names[] = {"x-request-id", "x-amzn-trace-id", "x-amz-cf-id"};
    struct err plain = *err;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct str id = http_header_get(answer, names[i]);

        if (id.len == 0)
            continue;
        (void)err_set(err, plain.code, "%s (request %s)", plain.msg,
                      str_printable(a, id, SHOWN_MAX));
        memcpy(err->hint, plain.hint, sizeof(err->hint));
        return;
    }
}

int hf_refuse(const struct hf_asked *asked, const struct http_answer *answer, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct examined r = {
        .asked = asked,
        .arena = &a,
        .status = answer->status,
        .code = http_header_get(answer, "x-error-code"),
        .words = refusal_read(&a, http_header_get(answer, "x-error-message"), answer->body).words,
        .host = url_authority(&a, &answer->url),
        .page = str_format(&a, "%s/%s", asked->base, asked->repo),
        .token_sent = asked->token_from != NULL && url_same_origin(asked->endpoint, &answer->url),
    };

    (void)refuse(&r, err);
    quote_request_id(answer, &a, err);
    return -1;
}

/* W/"0123" without its marks. */
static struct str bare_etag(struct str s)
{
    s = str_trim(s);
    if (str_starts(s, STR("W/")))
        s = (struct str){s.ptr + 2, s.len - 2};
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        s = (struct str){s.ptr + 1, s.len - 2};
    return s;
}

/* Only a digest of the same kind can contradict: mirrors have tags of their own. */
static bool other_digest(const struct model_file *file, struct str etag)
{
    struct err ignored = {0};
    struct digest claimed;

    return digest_parse(&claimed, bare_etag(etag), &ignored) == 0 &&
           claimed.kind == file->digest.kind && !digest_eq(&claimed, &file->digest);
}

static bool other_size(const struct model_file *file, struct str size)
{
    struct err ignored = {0};
    uint64_t claimed;

    return num_parse_u64(&claimed, str_trim(size), UINT64_MAX, &ignored) == 0 &&
           claimed != file->size;
}

int hf_check_claims(const struct hf_asked *asked, const struct http_answer *answer, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct str commit = str_trim(http_header_get(answer, "x-repo-commit"));
    struct str size = http_header_get(answer, "x-linked-size");
    struct str etag = http_header_get(answer, "x-linked-etag");
    const char *host = url_authority(&a, &answer->url);
    const char *path = asked->file->path;
    char hex[DIGEST_HEX + 1];

    if (commit.len > 0 && !str_eqz(commit, asked->revision)) {
        (void)err_set(err, ERR_NET, "%s: %s: %s gives it from commit %s, asked for was %s",
                      asked->ref, path, host, str_printable(&a, commit, SHOWN_MAX),
                      asked->revision);
        return err_hint(err, "try again later, or another HF_ENDPOINT");
    }
    if (size.len > 0 && other_size(asked->file, size))
        return err_set(err, ERR_DIGEST, "%s: %s: %s now says %s bytes, its listing said %llu",
                       asked->ref, path, host, str_printable(&a, str_trim(size), SHOWN_MAX),
                       (unsigned long long)asked->file->size);
    if (etag.len > 0 && other_digest(asked->file, etag))
        return err_set(err, ERR_DIGEST, "%s: %s: %s now says digest %s, its listing said %s",
                       asked->ref, path, host, str_printable(&a, bare_etag(etag), SHOWN_MAX),
                       digest_format(&asked->file->digest, hex));
    return 0;
}
