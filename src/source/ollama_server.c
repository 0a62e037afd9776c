#include "source/ollama_server.h"

#include "json/json.h"
#include "model/ref_ollama.h"
#include "source/ollama_server_refuse.h"
#include "text/num.h"
#include "transfer/http.h"

#define VERSION_BYTES_MAX ((size_t)65536)
#define VERSION_MAX       ((size_t)40)
#define TAGS_BYTES_MAX    ((size_t)32 << 20)
#define ERROR_BYTES_MAX   ((size_t)65536)
#define NAME_BYTES_MAX    ((size_t)1024)

/* It hashes at least so many bytes in a millisecond: 10 MB/s, a slow share. */
#define HASHED_PER_MS ((uint64_t)10000)

struct ollama_server {
    struct arena *arena;
    struct http_client *client;
    const char *base;
    const char *version;
};

struct ollama_server *ollama_server_open(struct arena *a, const char *url,
                                         const struct net_config *net, struct err *err)
{
    struct ollama_server *server = arena_new(a, struct ollama_server);
    struct url parsed;
    struct str base;

    if (strstr(url, "://") == NULL)
        url = str_format(a, "http://%s", url);
    if (url_parse(&parsed, a, str_from(url), err) < 0) {
        err->code = ERR_USAGE;
        (void)err_wrap(err, "OLLAMA_URL");
        return NULL;
    }
    base = url_public(&parsed);
    while (str_ends(base, STR("/")))
        base.len--;
    *server = (struct ollama_server){.arena = a, .base = str_dup(a, base), .version = ""};
    server->client = http_client_new(net, err);
    return server->client == NULL ? NULL : server;
}

void ollama_server_close(struct ollama_server **server)
{
    if (*server != NULL)
        http_client_free(&(*server)->client);
    *server = NULL;
}

const char *ollama_server_url(const struct ollama_server *server)
{
    return server->base;
}

const char *ollama_server_version(const struct ollama_server *server)
{
    return server->version;
}

const char *ollama_server_name(struct arena *a, const struct model_ref *ref)
{
    bool home = strcmp(ref->host, REF_OLLAMA_HOST) == 0;
    struct str name = str_from(ref->repo);
    struct str ns;

    if (home && str_starts(name, STR("library/")))
        (void)str_cut(&name, '/', &ns);
    return str_format(a, "%s%s" STR_FMT ":%s", home ? "" : ref->host, home ? "" : "/",
                      STR_ARG(name), ref->revision);
}

/* A request of this server: path beneath its URL; a body makes it a POST. */
static int make_request(struct http_request *out, struct arena *a,
                        const struct ollama_server *server, const char *path, struct str body,
                        struct err *err)
{
    *out = (struct http_request){.method = body.ptr != NULL ? "POST" : NULL,
                                 .json = body,
                                 .accept = "application/json",
                                 .named_by_operator = true,
                                 .once = true};
    return url_parse(&out->url, a, str_from(str_format(a, "%s%s", server->base, path)), err);
}

/* {"model":"llava:7b"}; more is put between the braces by the caller before they are closed. */
static struct buf name_model(struct arena *a, const struct model_ref *ref)
{
    struct buf body = buf_new(a, NAME_BYTES_MAX);

    buf_addc(&body, '{');
    json_put_member(&body, "model", str_from(ollama_server_name(a, ref)));
    return body;
}

static int read_version(struct ollama_server *server, const struct http_answer *answer,
                        struct err *err)
{
    struct err ignored = {0};
    struct str version = {0};
    JSON_SCOPED *doc = NULL;

    if (answer->status == 200)
        doc = json_parse(answer->body, VERSION_BYTES_MAX, "its version", &ignored);
    if (doc != NULL && json_is_object(doc) &&
        json_need_str(&version, doc, "version", &ignored) == 0) {
        server->version = str_printable(server->arena, version, VERSION_MAX);
        return 0;
    }
    (void)err_set(err, ERR_USAGE, "%s answers GET /api/version as no Ollama does (status %d)",
                  server->base, answer->status);
    return err_hint(err, "name a running Ollama with OLLAMA_URL");
}

int ollama_server_probe(enum ollama_presence *out, struct ollama_server *server, uint64_t limit_ms,
                        struct err *why, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct http_request request;
    struct http_answer answer;

    if (make_request(&request, &a, server, "/api/version", (struct str){0}, err) < 0)
        return -1;
    request.body_limit = VERSION_BYTES_MAX;
    request.first_byte_ms = limit_ms;
    if (http_get(&answer, &a, server->client, &request, why) < 0) {
        *err = *why;
        *out = http_was_sent(server->client) ? OLLAMA_STARTING : OLLAMA_ABSENT;
        return why->code == ERR_NET ? 0 : -1;
    }
    if (answer.status == 502 || answer.status == 503 || answer.status == 504) {
        (void)err_set(why, ERR_NET, "it answers %d", answer.status);
        *out = OLLAMA_STARTING;
        return 0;
    }
    if (read_version(server, &answer, err) < 0)
        return -1;
    *out = OLLAMA_READY;
    return 0;
}

static bool is_same(const struct model_ref *x, const struct model_ref *y)
{
    return str_eq_nocase(str_from(x->host), str_from(y->host)) &&
           str_eq_nocase(str_from(x->repo), str_from(y->repo)) &&
           str_eq_nocase(str_from(x->revision), str_from(y->revision));
}

/* Whether an entry of the listing is this model. One that cannot be read is somebody else's. */
static bool is_entry_of(const struct json *entry, const struct model_ref *ref)
{
    ARENA_SCOPED a = {0};
    struct err ignored = {0};
    struct model_ref listed;
    struct str name = {0};

    return json_is_object(entry) && json_need_str(&name, entry, "name", &ignored) == 0 &&
           name.len <= NAME_BYTES_MAX && ref_ollama_parse(&listed, &a, name, &ignored) == 0 &&
           is_same(&listed, ref);
}

static void read_entry(struct ollama_listed *out, struct arena *a, const struct json *entry)
{
    struct err ignored = {0};
    struct str digest = {0};

    *out = (struct ollama_listed){.listed = true, .digest = ""};
    if (json_u64(&out->bytes, entry, "size", &ignored) < 0 ||
        json_str(&digest, entry, "digest", &ignored) < 0)
        return;
    if (str_starts(digest, STR("sha256:")))
        digest = (struct str){digest.ptr + 7, digest.len - 7};
    if (digest.len == 64 && str_is_hex(digest))
        out->digest = str_dup(a, digest);
}

/* One answer of the API: 200, or what it refuses with. */
static int ask(struct http_answer *out, struct arena *a, struct ollama_server *server,
               const struct http_request *request, const struct model_ref *ref, struct err *err)
{
    if (http_get(out, a, server->client, request, err) < 0)
        return err->code == ERR_INTERRUPTED
                   ? -1
                   : err_wrap(err, "%s: the Ollama at %s", ref->text, server->base);
    return 0;
}

int ollama_server_find(struct ollama_listed *out, struct arena *a, struct ollama_server *server,
                       const struct model_ref *ref, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct http_request request;
    struct http_answer answer;
    const struct json *models;
    JSON_SCOPED *doc = NULL;

    if (make_request(&request, &scratch, server, "/api/tags", (struct str){0}, err) < 0)
        return -1;
    request.body_limit = TAGS_BYTES_MAX;
    if (ask(&answer, &scratch, server, &request, ref, err) < 0)
        return -1;
    if (answer.status != 200)
        return ollama_server_refuse_status(server->base, ref->text, answer.status, answer.body,
                                           err);
    doc = json_parse(answer.body, TAGS_BYTES_MAX, "its list of models", err);
    if (doc == NULL)
        return err_wrap(err, "%s: the Ollama at %s", ref->text, server->base);
    *out = (struct ollama_listed){.digest = ""};
    models = json_get(doc, "models");
    for (size_t i = 0; i < json_len(models); i++) {
        if (is_entry_of(json_at(models, i), ref)) {
            read_entry(out, a, json_at(models, i));
            break;
        }
    }
    return 0;
}

int ollama_server_shows(bool *out, struct ollama_server *server, const struct model_ref *ref,
                        struct err *err)
{
    ARENA_SCOPED a = {0};
    struct buf body = name_model(&a, ref);
    struct http_request request;
    struct http_answer answer;

    buf_addc(&body, '}');
    if (make_request(&request, &a, server, "/api/show", buf_str(&body), err) < 0 ||
        ask(&answer, &a, server, &request, ref, err) < 0)
        return -1;
    *out = answer.status != 404;
    return 0;
}

struct pulling {
    struct ollama_stream *said;
    const struct ollama_pull *how;
    struct http_stream http;
    bool told; /* the error is that of a line, and names the model already */
};

static int on_line(void *ctx, struct str line, struct err *err)
{
    struct pulling *p = ctx;
    int r = ollama_stream_line(p->said, line, err);

    if (r >= 0 && p->how->heard != NULL)
        p->told = p->how->heard(p->how->ctx, p->said, err) < 0;
    p->told |= r < 0;
    if (p->told)
        return -1;
    p->http.idle_ms = p->said->phase < OLLAMA_VERIFYING
                          ? p->how->silence_ms
                          : p->how->verifying_ms + p->said->total / HASHED_PER_MS;
    return r;
}

static int end_pull(const struct ollama_stream *s, const struct http_answer *answer,
                    struct err *err)
{
    if (answer->status != 200)
        return ollama_server_refuse_status(s->base, s->model, answer->status, answer->body, err);
    if (s->phase != OLLAMA_SUCCESS)
        return err_set(err, ERR_NET, "%s: the Ollama at %s ended its answer without success",
                       s->model, s->base);
    return 0;
}

int ollama_server_pull(struct ollama_stream *s, struct ollama_server *server,
                       const struct model_ref *ref, const struct ollama_pull *how, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct buf body = name_model(&a, ref);
    struct pulling p = {
        .said = s,
        .how = how,
        .http = {.on_line = on_line, .line_limit = OLLAMA_LINE_MAX, .idle_ms = how->silence_ms}};
    struct http_request request;
    struct http_answer answer;

    s->base = server->base;
    s->model = ref->text;
    buf_addz(&body, how->insecure ? ",\"insecure\":true" : "");
    buf_addz(&body, ",\"stream\":true}");
    if (make_request(&request, &a, server, "/api/pull", buf_str(&body), err) < 0)
        return -1;
    request.body_limit = ERROR_BYTES_MAX;
    request.first_byte_ms = how->silence_ms;
    p.http.ctx = &p;
    if (http_stream(&answer, &a, server->client, &request, &p.http, err) < 0) {
        if (err->code == ERR_INTERRUPTED || p.told)
            return -1;
        return err_wrap(err, "%s: the Ollama at %s", ref->text, server->base);
    }
    return end_pull(s, &answer, err);
}
