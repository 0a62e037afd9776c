#include "coord/gateway.h"

#include <string.h>

#define BODY_MAX    ((size_t)64 << 20)
#define TOKEN_MAX   ((size_t)4096)
#define CONNECT_MS  1000
#define WORDS_SHOWN 200

struct gateway {
    const struct gateway_config *config;
    struct http_client *client;
    size_t at; /* the member that is asked */
    char token[TOKEN_MAX];
};

static int add_url(struct gateway_config *config, struct arena *a, struct str text, struct err *err)
{
    struct url url;

    while (str_ends(text, STR("/")))
        text.len--;
    if (config->url_count == GATEWAY_URLS_MAX)
        return err_set(err, ERR_USAGE, "--registry: more than %d addresses", GATEWAY_URLS_MAX);
    if (url_parse(&url, a, text, err) < 0) {
        err->code = ERR_USAGE;
        (void)err_wrap(err, "--registry");
        return err_hint(err, "an address of etcd is like http://etcd-1:2379: "
                             "--registry etcd:http://etcd-1:2379,http://etcd-2:2379");
    }
    config->urls[config->url_count++] = url;
    return 0;
}

int gateway_configure(struct gateway_config *out, struct arena *a, const char *urls,
                      const struct etcd_options *options, struct err *err)
{
    struct gateway_config config = {
        .net = *options->net, .user = options->user, .password = options->password};
    struct str rest = str_from(urls);
    bool more = true;

    while (more) {
        struct str one;

        more = str_cut(&rest, ',', &one);
        if (add_url(&config, a, str_trim(one), err) < 0)
            return -1;
    }
    config.net.connect_ms = CONNECT_MS;
    *out = config;
    return 0;
}

struct gateway *gateway_new(struct arena *a, const struct gateway_config *config, struct err *err)
{
    struct gateway *g = arena_new(a, struct gateway);

    g->config = config;
    g->client = http_client_new(&config->net, err);
    return g->client != NULL ? g : NULL;
}

void gateway_free(struct gateway **gateway)
{
    if (*gateway != NULL)
        http_client_free(&(*gateway)->client);
    *gateway = NULL;
}

void gateway_cancel(struct gateway *g)
{
    http_client_cancel(g->client);
}

static int make_request(struct http_request *out, const struct gateway *g, struct arena *a,
                        const char *path, struct err *err)
{
    const struct url *member = &g->config->urls[g->at];
    struct str base = member->text;

    while (str_ends(base, STR("/")))
        base.len--;
    *out = (struct http_request){.method = "POST",
                                 .authorization = g->token[0] != '\0' ? g->token : NULL,
                                 .accept = "application/json",
                                 .named_by_operator = true,
                                 .once = true,
                                 .body_limit = BODY_MAX,
                                 .first_byte_ms = g->config->patience_ms};
    return url_parse(&out->url, a, str_from(str_format(a, STR_FMT "%s", STR_ARG(base), path)), err);
}

/* A status that is no success, with etcd's words for it. */
static int refused(const struct gateway *g, struct arena *a, int status, struct str body,
                   struct err *err)
{
    const char *member = url_authority(a, &g->config->urls[g->at]);
    enum err_code code = ERR_WAIT;
    struct err ignored = {0};
    struct str words = {0};
    const char *shown;
    JSON_SCOPED *doc = json_parse(body, BODY_MAX, "etcd's refusal", &ignored);

    if (doc == NULL || json_str(&words, doc, "message", &ignored) < 0 || words.ptr == NULL)
        words = STR("and no word more");
    shown = str_printable(a, words, WORDS_SHOWN);
    if (status == 401 || status == 403 ||
        (status == 400 && (strstr(shown, "auth") != NULL || strstr(shown, "user") != NULL)))
        code = ERR_AUTH;
    else if (status == 404)
        code = ERR_NOT_FOUND;
    (void)err_set(err, code, "etcd at %s answers %d: %s", member, status, shown);
    if (code != ERR_AUTH)
        return -1;
    return err_hint(err, "name a user of etcd that may read and write /hostler/v1/: --etcd-user "
                         "and --etcd-password-file");
}

/* One try at the present member, with the token there is. */
static int try_once(struct json **ret_doc, struct gateway *g, const char *path, struct str body,
                    struct err *err)
{
    ARENA_SCOPED a = {0};
    struct http_request request;
    struct http_answer answer;
    struct json *doc;

    if (make_request(&request, g, &a, path, err) < 0)
        return -1;
    request.json = body;
    if (http_get(&answer, &a, g->client, &request, err) < 0) {
        if (err->code == ERR_INTERRUPTED)
            return -1;
        err->code = ERR_WAIT;
        return err_wrap(err, "etcd");
    }
    if (answer.status != 200)
        return refused(g, &a, answer.status, answer.body, err);
    doc = json_parse(answer.body, BODY_MAX, "etcd's answer", err);
    if (doc == NULL) {
        err->code = ERR_WAIT;
        return -1;
    }
    *ret_doc = doc;
    return 0;
}

static int authenticate(struct gateway *g, struct err *err)
{
    ARENA_SCOPED a = {0};
    JSON_SCOPED *doc = NULL;
    struct buf body = buf_new(&a, TOKEN_MAX);
    struct str token = {0};

    g->token[0] = '\0';
    buf_addc(&body, '{');
    json_put_member(&body, "name", str_from(g->config->user));
    json_put_member(&body, "password", str_from(g->config->password));
    buf_addc(&body, '}');
    if (body.cut)
        return err_set(err, ERR_AUTH, "etcd: the user's name or password is too long");
    if (try_once(&doc, g, "/v3/auth/authenticate", buf_str(&body), err) < 0)
        return err_wrap(err, "to authenticate");
    if (json_need_str(&token, doc, "token", err) < 0 || token.len >= TOKEN_MAX || token.len == 0)
        return err_set(err, ERR_WAIT, "etcd gives no token that we can use");
    memcpy(g->token, token.ptr, token.len);
    g->token[token.len] = '\0';
    return 0;
}

/* One try, with a new token if the old one is no longer taken. */
static int try_member(struct json **ret_doc, struct gateway *g, const char *path, struct str body,
                      struct err *err)
{
    bool fresh = g->config->user != NULL && g->token[0] == '\0';

    if (fresh && authenticate(g, err) < 0)
        return -1;
    if (try_once(ret_doc, g, path, body, err) == 0)
        return 0;
    if (g->config->user == NULL || fresh || err->code != ERR_AUTH)
        return -1;
    return authenticate(g, err) < 0 ? -1 : try_once(ret_doc, g, path, body, err);
}

static void next_member(struct gateway *g)
{
    g->at = (g->at + 1) % g->config->url_count;
}

int gateway_ask(struct json **ret_doc, struct gateway *g, const char *path, struct str body,
                struct err *err)
{
    const struct clock *clock = g->config->net.clock;
    uint64_t began_ms = clock_now_ms(clock);

    for (size_t i = 1;; i++) {
        if (try_member(ret_doc, g, path, body, err) == 0)
            return 0;
        if (err->code != ERR_WAIT)
            return -1;
        next_member(g);
        if (i == g->config->url_count || clock_now_ms(clock) - began_ms >= g->config->patience_ms)
            return -1;
    }
}

int gateway_listen(struct gateway *g, const char *path, struct str body, struct http_stream *stream,
                   struct err *err)
{
    ARENA_SCOPED a = {0};
    struct http_request request;
    struct http_answer answer;

    if (g->config->user != NULL && g->token[0] == '\0' && authenticate(g, err) < 0) {
        next_member(g);
        return -1;
    }
    if (make_request(&request, g, &a, path, err) < 0)
        return -1;
    request.json = body;
    if (http_stream(&answer, &a, g->client, &request, stream, err) < 0) {
        /* A token that is no longer taken ends a watch without a status that would say so. */
        g->token[0] = '\0';
        next_member(g);
        return err->code == ERR_INTERRUPTED ? -1 : err_wrap(err, "etcd");
    }
    if (answer.status / 100 == 2)
        return 0;
    g->token[0] = '\0';
    next_member(g);
    return refused(g, &a, answer.status, answer.body, err);
}
