#include "cmd/workers_watch.h"

#include <string.h>

#include "cmd/fleet_rows.h"
#include "coord/filter.h"
#include "coord/names.h"
#include "sys/stop.h"

#define ID_MAX 128
/* A comment comes every 15 s. */
#define IDLE_MS  ((uint64_t)45000)
#define AGAIN_MS ((uint64_t)1000)

struct watch {
    struct fleet_client *client;
    struct filter filter;
    bool filtered;
    struct fleet_rows rows;
    char last_id[ID_MAX]; /* of the event that was heard last; "": none was */
    bool broken;          /* and it was said */
    struct arena frame;   /* of the event that is being read: */
    char id[ID_MAX];
    bool reset;
};

static int make_filter(struct watch *w, struct err *err)
{
    const struct cmd_context *ctx = w->client->ctx;
    const struct config_options *o = &ctx->config->options;
    struct filter *f = &w->filter;

    *f = (struct filter){.catalog = &ctx->config->catalog};
    if (o->type != NULL)
        f->type = str_from(o->type);
    if (o->state != NULL)
        f->state = str_from(o->state);
    if (o->model != NULL)
        f->model = names_canonical(ctx->arena, f->catalog, str_from(o->model));
    for (size_t i = 0; i < o->label.len; i++) {
        if (!filter_add_label(f, str_from(o->label.at[i])))
            return err_set(err, ERR_USAGE, "--label: more than %d of them", FILTER_LABELS_MAX);
    }
    w->filtered = o->type != NULL || o->state != NULL || o->model != NULL || o->label.len > 0;
    if (filter_state_is_known(f))
        return 0;
    (void)err_set(err, ERR_USAGE, "--state %.40s: no worker is ever in that state", o->state);
    return err_hint(err, "running, downloading, lost, ...");
}

/* Those that pass, in place. */
static size_t pick(const struct watch *w, struct fleet_listed *all, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (filter_passes(&w->filter, &all[i]))
            all[kept++] = all[i];
    }
    return kept;
}

/* Ids of who is no longer known; NULL for one that is no text. */
static const char *gone_id(struct arena *a, const struct json *gone, size_t i)
{
    struct str id;

    return json_as_str(&id, json_at(gone, i)) ? str_dup(a, id) : NULL;
}

static void put_json(struct watch *w, struct buf *out, const struct json *gone,
                     const struct fleet_listed *all, size_t count)
{
    const char *comma = "";

    buf_addf(out, "{\"event\":\"%s\",\"gone\":[", w->reset ? "reset" : "change");
    for (size_t i = 0; i < json_len(gone); i++) {
        const char *id = gone_id(&w->frame, gone, i);

        if (id == NULL)
            continue;
        buf_addz(out, comma);
        json_put_str(out, str_from(id));
        comma = ",";
    }
    buf_addz(out, "],\"workers\":[");
    for (size_t i = 0; i < count; i++) {
        buf_addz(out, i > 0 ? "," : "");
        fleet_listed_put(out, &all[i]);
    }
    buf_addz(out, "]}\n");
}

static void put_text(struct watch *w, struct buf *out, const struct json *gone,
                     const struct fleet_listed *all, size_t count)
{
    if (w->client->ctx->config->options.quiet) {
        for (size_t i = 0; i < count; i++)
            buf_addf(out, "%s\n", fleet_rows_text(&w->frame, all[i].record.id));
        return;
    }
    /* Whether it would have passed is not known any more. */
    for (size_t i = 0; !w->filtered && i < json_len(gone); i++) {
        const char *id = gone_id(&w->frame, gone, i);

        if (id != NULL)
            fleet_rows_put_gone(&w->rows, out, &w->frame, id);
    }
    fleet_rows_put(&w->rows, out, &w->frame, all, count, w->reset);
}

/* The event of w->id. */
static int take_event(struct watch *w, struct str data, struct err *err)
{
    struct buf out = buf_new(&w->frame, FLEET_LIST_BYTES_MAX);
    JSON_SCOPED *doc = json_parse(data, FLEET_LIST_BYTES_MAX, w->client->base, err);
    const struct json *gone;
    struct fleet_listed *all;
    size_t count;

    if (doc == NULL || fleet_client_workers(&all, &count, &w->frame, w->client, doc, err) < 0)
        return -1;
    gone = json_get(doc, "gone");
    count = pick(w, all, count);
    if (w->client->ctx->config->options.json)
        put_json(w, &out, gone, all, count);
    else
        put_text(w, &out, gone, all, count);
    memcpy(w->last_id, w->id, sizeof(w->last_id));
    w->broken = false;
    return cmd_print(buf_str(&out), err);
}

/*
 * Fields of events (https://html.spec.whatwg.org/multipage/server-sent-events.html). The
 * coordinator writes event, id and one line of data, in this order, so that an event is whole with
 * its data; lines that are empty do not come here.
 */
static int take_line(void *ctx, struct str line, struct err *err)
{
    struct watch *w = ctx;
    struct str value = line;
    struct str field;
    int result;

    (void)str_cut(&value, ':', &field);
    value = str_trim(value);
    if (str_eqz(field, "event"))
        w->reset = str_eqz(value, "reset");
    else if (str_eqz(field, "id") && value.len < sizeof(w->id))
        *(char *)mempcpy(w->id, value.ptr, value.len) = '\0';
    if (!str_eqz(field, "data"))
        return 0;
    result = take_event(w, value, err);
    arena_free(&w->frame);
    return result;
}

/* Follows one coordinator until that ends: -1, and why. */
static int follow(struct watch *w, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct http_stream stream = {
        .on_line = take_line, .ctx = w, .line_limit = FLEET_LIST_BYTES_MAX, .idle_ms = IDLE_MS};
    struct http_request request;
    struct http_answer answer;
    int result;

    if (fleet_client_request(&request, &a, w->client, "/v1/events", err) < 0)
        return -1;
    request.accept = "text/event-stream";
    if (w->last_id[0] != '\0')
        request.last_event_id = w->last_id;
    result = http_stream(&answer, &a, w->client->http, &request, &stream, err);
    if (result < 0)
        return -1;
    if (answer.status != 200)
        return fleet_client_refused(w->client, &answer, err);
    return err_set(err, ERR_NET, "%s: it ended the stream", w->client->base);
}

/* One coordinator after the other. */
static int follow_any(struct watch *w, struct err *err)
{
    const struct config_list *urls = &w->client->ctx->config->coordinator.urls;

    for (size_t i = 0; i < urls->len; i++) {
        w->client->base = urls->at[i];
        (void)follow(w, err);
        if (err->code != ERR_NET)
            return -1;
        if (w->last_id[0] != '\0' && !w->broken) {
            w->broken = true;
            report_note(w->client->ctx->report, REPORT_WARN, "coordinator_lost", NULL,
                        "%s; asking again", err->msg);
        }
    }
    return -1;
}

int workers_watch(struct fleet_client *c, struct err *err)
{
    struct watch w = {.client = c};

    if (make_filter(&w, err) < 0)
        return -1;
    for (;;) {
        (void)follow_any(&w, err);
        if (err->code != ERR_NET)
            return -1;
        if (w.last_id[0] == '\0')
            return err_hint(err, "is the coordinator running, and COORDINATOR_URL its address?");
        if (stop_wait_ms(AGAIN_MS))
            return stop_err(err);
        *err = (struct err){0};
    }
}
