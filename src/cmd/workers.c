/* workers: what the coordinator knows of the fleet. */
#include <inttypes.h>

#include "cmd/cmd.h"
#include "fleet/record.h"
#include "json/json.h"
#include "report/escape.h"
#include "report/line.h"
#include "sys/file.h"
#include "sys/secret.h"
#include "text/num.h"
#include "transfer/http.h"

#define LIST_BYTES_MAX  ((size_t)128 << 20)
#define ERROR_BYTES_MAX ((size_t)64 << 10)
#define TOKEN_BYTES_MAX ((size_t)4096)
#define COLUMN_MAX      40

struct asking {
    struct cmd_context *ctx;
    struct http_client *client;
    const char *base;
    const char *authorization;
};

/* The token is the first word of the first line, so that the coordinator's own file serves too. */
static int read_token(struct asking *q, struct err *err)
{
    const struct coordinator_config *c = &q->ctx->config->coordinator;
    struct str text = str_from(c->token != NULL ? c->token : "");
    struct str token;

    if (c->token == NULL && c->token_file != NULL) {
        secret_held();
        if (file_read_named(&text, q->ctx->arena, c->token_file, TOKEN_BYTES_MAX, err) < 0) {
            err->code = ERR_USAGE;
            return err_wrap(err, "COORDINATOR_TOKEN_FILE");
        }
    }
    (void)str_cut(&text, '\n', &token);
    (void)str_cut(&token, ' ', &text);
    if (text.len > 0)
        q->authorization = str_format(q->ctx->arena, "Bearer " STR_FMT, STR_ARG(str_trim(text)));
    return 0;
}

static int refused(const struct asking *q, const struct http_answer *answer, struct err *err)
{
    struct err ignored = {0};
    struct str message = {0};
    JSON_SCOPED *doc = json_parse(answer->body, ERROR_BYTES_MAX, "its refusal", &ignored);
    const struct json *error = json_get(doc, "error");

    if (answer->status == 401 || answer->status == 403) {
        (void)err_set(err, ERR_AUTH, "%s: it answers %d: %s", q->base, answer->status,
                      q->authorization == NULL ? "no token was sent"
                                               : "the token is wrong, or not good for reading");
        return err_hint(err, "name one with COORDINATOR_TOKEN or COORDINATOR_TOKEN_FILE");
    }
    if (error == NULL || json_str(&message, error, "message", &ignored) < 0)
        return err_set(err, ERR_NET, "%s: it answers %d, as no coordinator does", q->base,
                       answer->status);
    return err_set(err, answer->status == 400 ? ERR_USAGE : ERR_NET, "%s: %s", q->base,
                   str_printable(q->ctx->arena, message, 200));
}

static const char *query(struct asking *q)
{
    const struct config_options *o = &q->ctx->config->options;
    struct buf b = buf_new(q->ctx->arena, URL_MAX);
    const struct {
        const char *key;
        const char *value;
    } words[] = {{"type", o->type}, {"state", o->state}, {"model", o->model}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].value != NULL)
            buf_addf(&b, "%c%s=%s", b.len > 0 ? '&' : '?', words[i].key,
                     url_encode(q->ctx->arena, str_from(words[i].value), ""));
    }
    for (size_t i = 0; i < o->label.len; i++)
        buf_addf(&b, "%clabel=%s", b.len > 0 ? '&' : '?',
                 url_encode(q->ctx->arena, str_from(o->label.at[i]), ""));
    return b.ptr;
}

static int make_request(struct http_request *out, struct asking *q, const char *path,
                        struct err *err)
{
    const char *url =
        strstr(q->base, "://") != NULL ? q->base : str_format(q->ctx->arena, "http://%s", q->base);

    *out = (struct http_request){.authorization = q->authorization,
                                 .accept = "application/json",
                                 .named_by_operator = true,
                                 .once = true};
    return url_parse(&out->url, q->ctx->arena,
                     str_from(str_format(q->ctx->arena, "%s%s", url, path)), err);
}

/* The body of the list from the first coordinator that answers. */
static int fetch_list(struct str *out, struct asking *q, struct err *err)
{
    const struct config_list *urls = &q->ctx->config->coordinator.urls;
    const char *path = str_format(q->ctx->arena, "/v1/workers%s", query(q));
    struct http_request request;
    struct http_answer answer;

    for (size_t i = 0; i < urls->len; i++) {
        q->base = urls->at[i];
        if (make_request(&request, q, path, err) < 0)
            return -1;
        request.body_limit = LIST_BYTES_MAX;
        if (http_get(&answer, q->ctx->arena, q->client, &request, err) == 0) {
            *out = answer.body;
            return answer.status == 200 ? 0 : refused(q, &answer, err);
        }
        if (err->code != ERR_NET)
            return -1;
    }
    return err_hint(err, "is the coordinator running, and COORDINATOR_URL its address?");
}

static const char *shown(struct arena *a, const char *text)
{
    struct buf b = buf_new(a, 8 * FLEET_MODEL_MAX);

    escape_text(&b, str_from(text[0] != '\0' ? text : "-"));
    return b.ptr;
}

/* "downloading 42% 1.9 of 4.7 GB 310 MB/s eta 9s", "failed: why". */
static const char *state_text(struct arena *a, const struct fleet_listed *l)
{
    const struct fleet_progress *p = &l->record.progress;
    struct buf b = buf_new(a, 8 * FLEET_REASON_MAX);

    buf_addz(&b, fleet_listed_state(l));
    if (!l->lost && l->record.state == FLEET_DOWNLOADING && p->total > 0) {
        buf_addc(&b, ' ');
        line_put_share(&b, p->bytes, p->total);
        line_put_speed(&b, p->bytes, p->total, p->bps);
    }
    if (l->record.reason[0] != '\0')
        buf_addf(&b, ": %s", shown(a, l->record.reason));
    return b.ptr;
}

static const char *models_text(struct arena *a, const struct fleet_record *r)
{
    struct buf b = buf_new(a, FLEET_MESSAGE_MAX);

    for (size_t i = 0; i < r->model_count; i++)
        buf_addf(&b, "%s%s", i > 0 ? ", " : "", shown(a, r->models[i].name));
    return b.len > 0 ? b.ptr : "-";
}

struct row {
    const char *cells[6];
};

static struct row row_of(struct arena *a, const struct fleet_listed *l)
{
    char *beat = arena_array(a, char, NUM_TEXT);

    return (struct row){{shown(a, l->record.id), shown(a, l->record.type), shown(a, l->record.host),
                         num_format_duration(beat, l->last_beat_s * 1000), state_text(a, l),
                         models_text(a, &l->record)}};
}

static int widen(int width, const char *text)
{
    size_t len = strlen(text);

    return len > (size_t)width ? (int)(len < COLUMN_MAX ? len : COLUMN_MAX) : width;
}

static void put_rows(struct buf *out, const struct row *rows, size_t count)
{
    int width[6] = {0};

    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < 5; c++)
            width[c] = widen(width[c], rows[i].cells[c]);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < 6; c++)
            buf_addf(out, "%-*s%s", width[c], rows[i].cells[c], c < 5 ? "  " : "\n");
    }
}

static int read_all(struct fleet_listed **out, size_t *ret_count, struct asking *q,
                    const struct json *doc, struct err *err)
{
    const struct json *workers = json_get(doc, "workers");
    size_t count = json_len(workers);
    struct fleet_listed *all = arena_array(q->ctx->arena, struct fleet_listed, count);

    if (!json_is_array(workers))
        return err_set(err, ERR_NET, "%s: its answer is not that of a coordinator", q->base);
    for (size_t i = 0; i < count; i++) {
        if (fleet_listed_read(&all[i], q->ctx->arena, json_at(workers, i), err) < 0)
            return err_wrap(err, "%s: worker %zu of its list", q->base, i + 1);
    }
    *out = all;
    *ret_count = count;
    return 0;
}

static void put_list(struct buf *out, struct asking *q, const struct fleet_listed *all,
                     size_t count)
{
    struct arena *a = q->ctx->arena;
    struct row *rows = arena_array(a, struct row, count + 1);

    if (q->ctx->config->options.quiet) {
        for (size_t i = 0; i < count; i++)
            buf_addf(out, "%s\n", shown(a, all[i].record.id));
        return;
    }
    rows[0] = (struct row){{"WORKER", "TYPE", "HOST", "BEAT", "STATE", "MODELS"}};
    for (size_t i = 0; i < count; i++)
        rows[i + 1] = row_of(a, &all[i]);
    put_rows(out, rows, count + 1);
}

/* Written anew from what was read, so that nothing but what the format says is printed. */
static void put_json(struct buf *out, const struct fleet_listed *all, size_t count)
{
    buf_addz(out, "{\"workers\":[");
    for (size_t i = 0; i < count; i++) {
        buf_addz(out, i > 0 ? ",\n" : "\n");
        fleet_listed_put(out, &all[i]);
    }
    buf_addz(out, "]}\n");
}

static int show_list(struct asking *q, struct err *err)
{
    struct buf out = buf_new(q->ctx->arena, LIST_BYTES_MAX);
    struct fleet_listed *all;
    struct str text;
    size_t count;
    JSON_SCOPED *doc = NULL;

    if (fetch_list(&text, q, err) < 0)
        return -1;
    doc = json_parse(text, LIST_BYTES_MAX, q->base, err);
    if (doc == NULL || read_all(&all, &count, q, doc, err) < 0)
        return -1;
    if (q->ctx->config->options.json)
        put_json(&out, all, count);
    else
        put_list(&out, q, all, count);
    return cmd_print(buf_str(&out), err);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    struct asking q = {.ctx = ctx};
    struct net_config net = ctx->config->net;
    int result;

    if (ctx->args.len > 0)
        return err_set(err, ERR_USAGE, "workers takes no argument: \"%.40s\"", ctx->args.at[0]);
    if (ctx->config->coordinator.urls.len == 0) {
        (void)err_set(err, ERR_USAGE, "COORDINATOR_URL is not set");
        return err_hint(err, "set it to the coordinator's address, such as http://127.0.0.1:8700");
    }
    net.clock = clock_real();
    if (read_token(&q, err) < 0)
        return -1;
    q.client = http_client_new(&net, err);
    if (q.client == NULL)
        return -1;
    result = show_list(&q, err);
    http_client_free(&q.client);
    return result;
}

const struct cmd cmd_workers = {
    .name = "workers",
    .args = "",
    .summary = "the workers that the coordinator knows, and how they do",
    .details =
        "Asks the coordinator at COORDINATOR_URL, with COORDINATOR_TOKEN or the first word of\n"
        "COORDINATOR_TOKEN_FILE where it wants a token. -q prints the ids alone.\n",
    .run = run,
};
