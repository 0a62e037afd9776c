/* status: how the worker beside it is doing, for people and for probes. */
#include "worker/status.h"

#include <inttypes.h>

#include "cmd/cmd.h"
#include "json/json.h"
#include "text/num.h"

#define STATUS_TEXT ((size_t)1 << 20)

static const char *life_of(const struct status_seen *seen)
{
    switch (seen->life) {
    case STATUS_ALIVE: return "alive";
    case STATUS_GONE: return "gone";
    case STATUS_STALE: return "stale";
    }
    return "";
}

static void print_progress(struct buf *out, const struct status *s)
{
    char bytes[NUM_TEXT];
    char total[NUM_TEXT];
    char bps[NUM_TEXT];

    if (s->model[0] == '\0')
        return;
    buf_addf(out, "model      %s\n", s->model);
    if (s->total > 0)
        buf_addf(out, "progress   %s of %s, %s/s\n", num_format_size(bytes, s->bytes),
                 num_format_size(total, s->total), num_format_size(bps, s->bps));
}

static void print_text(struct buf *out, const struct status_seen *seen)
{
    const struct status *s = &seen->status;
    char since[NUM_TEXT];
    uint64_t now = clock_unix_ms(clock_real());

    buf_addf(out, "state      %s%s%s\n", fleet_state_name(s->state),
             s->reason[0] != '\0' ? ": " : "", s->reason);
    buf_addf(out, "since      %s\n",
             num_format_duration(since, now > s->since_unix_ms ? now - s->since_unix_ms : 0));
    if (seen->life == STATUS_GONE)
        buf_addz(out, "process    gone: this is the last that it said\n");
    if (seen->life == STATUS_STALE)
        buf_addf(out, "process    silent for %s\n", num_format_duration(since, seen->age_ms));
    buf_addf(out, "worker     %s on %s\ntype       %s\n", s->id, s->host, s->type);
    print_progress(out, s);
    if (s->command_pid != 0)
        buf_addf(out, "pid        %" PRIu64 "\n", s->command_pid);
    if (s->restarts > 0)
        buf_addf(out, "restarts   %" PRIu64 "\n", s->restarts);
}

static void print_json(struct buf *out, const struct status_seen *seen)
{
    const struct status *s = &seen->status;

    buf_addc(out, '{');
    json_put_member(out, "state", str_from(fleet_state_name(s->state)));
    json_put_member(out, "reason", str_from(s->reason));
    json_put_member(out, "process", str_from(life_of(seen)));
    json_put_member(out, "id", str_from(s->id));
    json_put_member(out, "host", str_from(s->host));
    json_put_member(out, "type", str_from(s->type));
    json_put_member_u64(out, "pid", s->command_pid);
    json_put_member_u64(out, "restarts", s->restarts);
    json_put_member_u64(out, "since_unix_ms", s->since_unix_ms);
    json_put_member(out, "model", str_from(s->model));
    json_put_member_u64(out, "bytes", s->bytes);
    json_put_member_u64(out, "total", s->total);
    json_put_member_u64(out, "bps", s->bps);
    json_put_member_list(out, "models", s->models, s->model_count);
    buf_addz(out, "}\n");
}

static int run(struct cmd_context *ctx, struct err *err)
{
    const struct config_options *o = &ctx->config->options;
    struct buf out = buf_new(ctx->arena, STATUS_TEXT);
    struct status_seen seen;

    if (status_read(&seen, ctx->arena, ctx->config, clock_real(), err) < 0) {
        /* For a probe a worker that is not there is no error of use. */
        if (err->code == ERR_NOT_FOUND && (o->live || o->ready))
            ctx->status = 1;
        return ctx->status != 0 ? 0 : -1;
    }
    if (o->live && !status_is_live(&seen))
        ctx->status = 1;
    if (o->ready && !status_is_ready(&seen))
        ctx->status = 1;
    if (o->json)
        print_json(&out, &seen);
    else
        print_text(&out, &seen);
    return cmd_print(buf_str(&out), err);
}

const struct cmd cmd_status = {
    .name = "status",
    .args = "",
    .summary = "how the worker beside it is doing",
    .details =
        "Says in which state the worker of HOSTLER_RUNTIME_DIR is. For probes: --live is exit 0\n"
        "while it makes progress, be it a download of an hour; --ready only while it serves.\n",
    .run = run,
};
