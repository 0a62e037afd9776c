#include "cmd/fleet_client.h"

#include <string.h>

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/secret.h"

#define ERROR_BYTES_MAX ((size_t)64 << 10)
#define TOKEN_BYTES_MAX ((size_t)4096)

/* The token is the first word of the first line, so that the coordinator's own file serves too. */
static int read_token(struct fleet_client *c, struct err *err)
{
    const struct coordinator_config *config = &c->ctx->config->coordinator;
    struct str text = str_from(config->token != NULL ? config->token : "");
    struct str token;

    if (config->token == NULL && config->token_file != NULL) {
        secret_held();
        if (file_read_named(&text, c->ctx->arena, config->token_file, TOKEN_BYTES_MAX, err) < 0) {
            err->code = ERR_USAGE;
            return err_wrap(err, "COORDINATOR_TOKEN_FILE");
        }
    }
    (void)str_cut(&text, '\n', &token);
    (void)str_cut(&token, ' ', &text);
    if (text.len > 0)
        c->authorization = str_format(c->ctx->arena, "Bearer " STR_FMT, STR_ARG(str_trim(text)));
    return 0;
}

int fleet_client_open(struct fleet_client *c, struct cmd_context *ctx, struct err *err)
{
    struct net_config net = ctx->config->net;

    *c = (struct fleet_client){.ctx = ctx};
    if (ctx->config->coordinator.urls.len == 0) {
        (void)err_set(err, ERR_USAGE, "COORDINATOR_URL is not set");
        return err_hint(err, "set it to the coordinator's address, such as http://127.0.0.1:8700");
    }
    c->base = ctx->config->coordinator.urls.at[0];
    net.clock = clock_real();
    if (read_token(c, err) < 0)
        return -1;
    c->http = http_client_new(&net, err);
    return c->http == NULL ? -1 : 0;
}

void fleet_client_close(struct fleet_client *c)
{
    http_client_free(&c->http);
}

int fleet_client_request(struct http_request *out, struct arena *a, const struct fleet_client *c,
                         const char *path, struct err *err)
{
    const char *scheme = strstr(c->base, "://") != NULL ? "" : "http://";

    *out = (struct http_request){.authorization = c->authorization,
                                 .accept = "application/json",
                                 .named_by_operator = true,
                                 .once = true,
                                 .body_limit = ERROR_BYTES_MAX};
    return url_parse(&out->url, a, str_from(str_format(a, "%s%s%s", scheme, c->base, path)), err);
}

int fleet_client_refused(const struct fleet_client *c, const struct http_answer *answer,
                         struct err *err)
{
    struct err ignored = {0};
    struct str message = {0};
    JSON_SCOPED *doc = json_parse(answer->body, ERROR_BYTES_MAX, "its refusal", &ignored);
    const struct json *error = json_get(doc, "error");

    if (answer->status == 401 || answer->status == 403) {
        (void)err_set(err, ERR_AUTH, "%s: it answers %d: %s", c->base, answer->status,
                      c->authorization == NULL ? "no token was sent"
                                               : "the token is wrong, or not good for reading");
        return err_hint(err, "name one with COORDINATOR_TOKEN or COORDINATOR_TOKEN_FILE");
    }
    if (error == NULL || json_str(&message, error, "message", &ignored) < 0)
        return err_set(err, ERR_NET, "%s: it answers %d, as no coordinator does", c->base,
                       answer->status);
    return err_set(err, answer->status == 400 ? ERR_USAGE : ERR_NET, "%s: %s", c->base,
                   str_printable(c->ctx->arena, message, 200));
}

int fleet_client_workers(struct fleet_listed **out, size_t *ret_count, struct arena *a,
                         const struct fleet_client *c, const struct json *doc, struct err *err)
{
    const struct json *workers = json_get(doc, "workers");
    size_t count = json_len(workers);
    struct fleet_listed *all;

    if (!json_is_array(workers))
        return err_set(err, ERR_NET, "%s: its answer is not that of a coordinator", c->base);
    all = arena_array(a, struct fleet_listed, count);
    for (size_t i = 0; i < count; i++) {
        if (fleet_listed_read(&all[i], a, json_at(workers, i), err) < 0)
            return err_wrap(err, "%s: worker %zu of its list", c->base, i + 1);
    }
    *out = all;
    *ret_count = count;
    return 0;
}

/* The body of the list from the first coordinator that answers. */
static int fetch_list(struct str *out, struct fleet_client *c, const char *query, struct err *err)
{
    const struct config_list *urls = &c->ctx->config->coordinator.urls;
    const char *path = str_format(c->ctx->arena, "/v1/workers%s", query);
    struct http_request request;
    struct http_answer answer;

    for (size_t i = 0; i < urls->len; i++) {
        c->base = urls->at[i];
        if (fleet_client_request(&request, c->ctx->arena, c, path, err) < 0)
            return -1;
        request.body_limit = FLEET_LIST_BYTES_MAX;
        if (http_get(&answer, c->ctx->arena, c->http, &request, err) == 0) {
            *out = answer.body;
            return answer.status == 200 ? 0 : fleet_client_refused(c, &answer, err);
        }
        if (err->code != ERR_NET)
            return -1;
    }
    return err_hint(err, "is the coordinator running, and COORDINATOR_URL its address?");
}

int fleet_client_list(struct fleet_listed **out, size_t *ret_count, struct fleet_client *c,
                      const char *query, struct err *err)
{
    JSON_SCOPED *doc = NULL;
    struct str text;

    if (fetch_list(&text, c, query, err) < 0)
        return -1;
    doc = json_parse(text, FLEET_LIST_BYTES_MAX, c->base, err);
    return doc == NULL ? -1 : fleet_client_workers(out, ret_count, c->ctx->arena, c, doc, err);
}
