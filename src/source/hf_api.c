#include "source/hf_api.h"

#define REDIRECTS_MAX 5
#define PAGES_MAX     2000

int hf_api_open(struct source_session *s, struct err *err)
{
    struct hf_state *state = arena_new(s->arena, struct hf_state);
    const char *token;
    struct str base;

    if (url_parse(&state->endpoint, s->arena, str_from(s->config->hf_endpoint), err) < 0) {
        err->code = ERR_USAGE;
        return err_wrap(err, "HF_ENDPOINT");
    }
    base = state->endpoint.text;
    while (str_ends(base, STR("/")))
        base.len--;
    if (memchr(base.ptr, '?', base.len) != NULL)
        return err_set(err, ERR_USAGE, "HF_ENDPOINT: the URL " STR_FMT " has a query",
                       STR_ARG(url_public(&state->endpoint)));
    state->base = str_dup(s->arena, base);
    if (hf_token_find(&token, &state->token_from, s->arena, &s->config->hf_token, err) < 0)
        return -1;
    if (token != NULL)
        state->authorization = str_format(s->arena, "Bearer %s", token);
    s->state = state;
    return 0;
}

const char *hf_api_repo(const struct source_session *s, const char *repo)
{
    const struct hf_state *state = s->state;

    return state->typed != NULL && strcmp(state->typed, repo) == 0 ? state->known : repo;
}

struct hf_asked hf_api_asked(const struct source_session *s, const struct model_ref *ref,
                             const char *revision, const struct model_file *file)
{
    const struct hf_state *state = s->state;

    return (struct hf_asked){
        .endpoint = &state->endpoint,
        .base = state->base,
        .ref = ref->text,
        .repo = ref->repo,
        .revision = revision,
        .token_from = state->token_from,
        .file = file,
    };
}

/* X-HF-Warning: topic; text. Each topic is told once in a session. */
static void tell_warning(struct source_session *s, struct str value)
{
    struct hf_state *state = s->state;
    struct str text = value;
    struct str topic;

    (void)str_cut(&text, ';', &topic);
    for (size_t i = 0; i < state->topic_count; i++)
        if (str_eq(state->topics[i], topic))
            return;
    if (state->topic_count == HF_TOPICS_MAX)
        return;
    state->topics[state->topic_count++] = str_copy(s->arena, topic);
    if (s->config->net->notice != NULL)
        s->config->net->notice(s->config->net->notice_ctx,
                               str_format(s->arena, STR_FMT " warns: %s",
                                          STR_ARG(state->endpoint.host),
                                          str_printable(s->arena, str_trim(value), 240)));
}

/*
 * An old name is answered by a redirect to the new one on the same origin. What the URL that
 * answered has between /api/models/ and the tail that we asked for is the name it has now.
 */
static void learn_name(struct source_session *s, const char *repo, const char *tail,
                       const struct url *answered)
{
    struct hf_state *state = s->state;
    struct str prefix = str_from(str_format(s->arena, "%s/api/models/", state->base));
    struct str name = answered->text;
    struct model_ref ref;
    struct err ignored = {0};

    if (state->known != NULL || !url_same_origin(&state->endpoint, answered) ||
        !str_starts(name, prefix) || !str_ends(name, str_from(tail)) ||
        name.len <= prefix.len + strlen(tail))
        return;
    name = (struct str){name.ptr + prefix.len, name.len - prefix.len - strlen(tail)};
    if (ref_parse(&ref, s->arena, str_from(str_format(s->arena, "hf:" STR_FMT, STR_ARG(name))),
                  &ignored) < 0)
        return;
    state->typed = repo;
    state->known = ref.repo;
}

int hf_api_hint(struct err *err)
{
    if (err->hint[0] == '\0')
        (void)err_hint(err, "HF_ENDPOINT may lead to something else than a Hub; if not, try again "
                            "later");
    return -1;
}

/* One answer of status 200 about the repository; a refusal becomes its error. */
static int ask(struct http_answer *out, struct source_session *s, struct arena *a,
               const struct hf_asked *asked, const char *tail, struct err *err)
{
    const struct hf_state *state = s->state;
    struct http_request request = {
        .authorization = state->authorization,
        .accept = "application/json",
        .body_limit = HF_ANSWER_BYTES_MAX,
        .redirects = REDIRECTS_MAX,
    };
    const char *text =
        str_format(a, "%s/api/models/%s%s", state->base, hf_api_repo(s, asked->repo), tail);

    if (url_parse(&request.url, a, str_from(text), err) < 0 ||
        http_get(out, a, s->client, &request, err) < 0) {
        (void)err_wrap(err, "%s", asked->ref);
        return err->code == ERR_INTERRUPTED ? -1 : hf_api_hint(err);
    }
    for (size_t i = 0; i < out->header_count; i++)
        if (str_eqz(out->headers[i].name, "x-hf-warning"))
            tell_warning(s, out->headers[i].value);
    if (out->status >= 400)
        return hf_refuse(asked, out, err);
    if (out->status != 200) {
        (void)err_set(err, ERR_NET, "%s: " STR_FMT " answers %d", asked->ref,
                      STR_ARG(out->url.host), out->status);
        return hf_api_hint(err);
    }
    learn_name(s, asked->repo, tail, &out->url);
    return 0;
}

int hf_api_commit(const char **ret_commit, struct source_session *s, const struct model_ref *ref,
                  struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct hf_asked asked = hf_api_asked(s, ref, ref->revision, NULL);
    const char *tail = str_format(&scratch, "/revision/%s?expand=sha&expand=disabled",
                                  url_encode(&scratch, str_from(ref->revision), ""));
    const char *what = str_format(&scratch, "%s: its revision", ref->text);
    struct hf_revision revision;
    struct http_answer answer = {0};

    /* What cannot be read is asked for once more. */
    for (int tries = 2;; tries--) {
        if (ask(&answer, s, &scratch, &asked, tail, err) < 0)
            return -1;
        if (hf_parse_revision(&revision, s->arena, answer.body, what, err) == 0)
            break;
        if (err->code != ERR_NET || tries == 1)
            return hf_api_hint(err);
    }
    if (revision.disabled) {
        (void)err_set(err, ERR_AUTH, "%s is disabled at " STR_FMT, ref->text,
                      STR_ARG(answer.url.host));
        return err_hint(err, "%s/%s may say why", asked.base, ref->repo);
    }
    *ret_commit = revision.commit;
    return 0;
}

/* The query that leads to the next page; NULL: this was the last. */
static int next_query(const char **ret_query, struct arena *a, const struct http_answer *answer,
                      const char *what, struct err *err)
{
    struct str url = {0};
    struct str path;

    for (size_t i = 0; i < answer->header_count && url.ptr == NULL; i++)
        if (str_eqz(answer->headers[i].name, "link") &&
            !hf_parse_next(&url, answer->headers[i].value))
            url = (struct str){0};
    *ret_query = NULL;
    if (url.ptr == NULL)
        return 0;
    /*
     * Behind a mirror the link names another host, which is not to be asked with our token: what
     * matters of it is the query, and that goes to our own endpoint.
     */
    if (!str_cut(&url, '?', &path)) {
        (void)err_set(err, ERR_NET, "%s: the link to its next page has no query", what);
        return hf_api_hint(err);
    }
    *ret_query = str_dup(a, url);
    return 0;
}

/* One page, asked for once more when it cannot be read. */
static int list_page(struct hf_listing *listing, const char **ret_query, struct source_session *s,
                     const struct hf_asked *asked, const char *query, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    const char *tail = str_format(&scratch, "/tree/%s?%s", asked->revision, query);
    const char *what = str_format(&scratch, "%s: its listing", asked->ref);
    struct http_answer answer = {0};

    for (int tries = 2;; tries--) {
        if (ask(&answer, s, &scratch, asked, tail, err) < 0)
            return -1;
        if (hf_parse_page(listing, s->arena, answer.body, what, err) == 0)
            break;
        if (err->code != ERR_NET || tries == 1)
            return hf_api_hint(err);
    }
    return next_query(ret_query, s->arena, &answer, what, err);
}

int hf_api_list(struct hf_listing *out, struct source_session *s, const struct model_ref *ref,
                const char *commit, struct err *err)
{
    struct hf_asked asked = hf_api_asked(s, ref, commit, NULL);
    const char *query = "recursive=true&expand=false";
    struct hf_listing listing = {0};

    for (size_t page = 0; query != NULL; page++) {
        const char *next = NULL;

        if (page == PAGES_MAX) {
            (void)err_set(err, ERR_LIMIT, "%s: its listing has more than %d pages", ref->text,
                          PAGES_MAX);
            return hf_api_hint(err);
        }
        if (list_page(&listing, &next, s, &asked, query, err) < 0)
            return -1;
        if (next != NULL && strcmp(next, query) == 0) {
            (void)err_set(err, ERR_LIMIT, "%s: a page of its listing leads to itself", ref->text);
            return hf_api_hint(err);
        }
        query = next;
    }
    *out = listing;
    return 0;
}
