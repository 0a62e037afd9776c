/* workers: what the coordinator knows of the fleet. */
#include "cmd/fleet_client.h"
#include "cmd/fleet_rows.h"
#include "cmd/workers_watch.h"

static const char *query(struct fleet_client *c)
{
    const struct config_options *o = &c->ctx->config->options;
    struct buf b = buf_new(c->ctx->arena, URL_MAX);
    const struct {
        const char *key;
        const char *value;
    } words[] = {{"type", o->type}, {"state", o->state}, {"model", o->model}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].value != NULL)
            buf_addf(&b, "%c%s=%s", b.len > 0 ? '&' : '?', words[i].key,
                     url_encode(c->ctx->arena, str_from(words[i].value), ""));
    }
    for (size_t i = 0; i < o->label.len; i++)
        buf_addf(&b, "%clabel=%s", b.len > 0 ? '&' : '?',
                 url_encode(c->ctx->arena, str_from(o->label.at[i]), ""));
    return b.ptr;
}

static void put_list(struct buf *out, struct fleet_client *c, const struct fleet_listed *all,
                     size_t count)
{
    struct fleet_rows rows = {0};

    if (!c->ctx->config->options.quiet) {
        fleet_rows_put(&rows, out, c->ctx->arena, all, count, true);
        return;
    }
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s\n", fleet_rows_text(c->ctx->arena, all[i].record.id));
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

static int show_list(struct fleet_client *c, struct err *err)
{
    struct buf out = buf_new(c->ctx->arena, FLEET_LIST_BYTES_MAX);
    struct fleet_listed *all;
    size_t count;

    if (fleet_client_list(&all, &count, c, query(c), err) < 0)
        return -1;
    if (c->ctx->config->options.json)
        put_json(&out, all, count);
    else
        put_list(&out, c, all, count);
    return cmd_print(buf_str(&out), err);
}

static int run(struct cmd_context *ctx, struct err *err)
{
    struct fleet_client c;
    int result;

    if (ctx->args.len > 0)
        return err_set(err, ERR_USAGE, "workers takes no argument: \"%.40s\"", ctx->args.at[0]);
    if (fleet_client_open(&c, ctx, err) < 0)
        return -1;
    result = ctx->config->options.watch ? workers_watch(&c, err) : show_list(&c, err);
    fleet_client_close(&c);
    return result;
}

const struct cmd cmd_workers = {
    .name = "workers",
    .args = "",
    .summary = "the workers that the coordinator knows, and how they do",
    .details =
        "Asks the coordinator at COORDINATOR_URL, with COORDINATOR_TOKEN or the first word of\n"
        "COORDINATOR_TOKEN_FILE where it wants a token. -q prints the ids alone.\n\n"
        "--watch prints the list, and then a row for each worker of which something changes, as\n"
        "long as it is not stopped: progress once a second, \"forgotten\" for who is no longer\n"
        "known. A filter is asked of what a worker is after the change: --state lost shows each\n"
        "one that is lost, when it is. When the coordinator breaks off the next one is asked;\n"
        "where that cannot go on from there it prints its list. With --json each line is\n"
        "{\"event\":\"reset\"|\"change\",\"gone\":[ID...],\"workers\":[...]}.\n",
    .run = run,
};
