/* How the coordinator itself does, and the stream of changes. */
#include <inttypes.h>

#include "coord/coordinator.h"

#define METRICS_MAX ((size_t)256 << 10)

void handle_healthy(struct exchange *x)
{
    exchange_answer(x, 200, STR("{\"ok\":true}\n"));
}

void handle_ready(struct exchange *x)
{
    struct err err = {0};

    if (registry_ready(x->coordinator->registry, &err) < 0)
        exchange_refuse_err(x, &err);
    else
        exchange_answer(x, 200, STR("{\"ok\":true}\n"));
}

void handle_events(struct exchange *x)
{
    if (x->coordinator->counts.streams >= x->coordinator->streams_max) {
        x->retry_after_s = 30;
        exchange_refuse(x, 503, "full", "as many clients follow the events as may", NULL);
        return;
    }
    x->status = 200;
    x->type = "text/event-stream";
    x->stream = true;
}

/* A family of metrics: OpenMetrics names a counter without its _total in the lines before it. */
static void put_family(struct buf *b, bool open, const char *name, const char *type,
                       const char *help)
{
    struct str family = str_from(name);

    if (open && str_ends(family, STR("_total")))
        family.len -= sizeof("_total") - 1;
    buf_addf(b, "# HELP " STR_FMT " %s\n# TYPE " STR_FMT " %s\n", STR_ARG(family), help,
             STR_ARG(family), type);
}

static void put_one(struct buf *b, bool open, const char *name, const char *type, const char *help,
                    uint64_t value)
{
    put_family(b, open, name, type, help);
    buf_addf(b, "%s %" PRIu64 "\n", name, value);
}

static void put_workers(struct buf *b, bool open, const struct view *view)
{
    uint64_t counts[FLEET_STATES + 1] = {0};
    uint64_t bytes = 0;
    uint64_t bps = 0;

    for (const struct worker *w = view_after(view, 0); w != NULL; w = view_next(w)) {
        counts[w->lost ? FLEET_STATES : w->record.state]++;
        if (!w->lost && w->record.state == FLEET_DOWNLOADING) {
            bytes += w->record.progress.total > w->record.progress.bytes
                         ? w->record.progress.total - w->record.progress.bytes
                         : 0;
            bps += w->record.progress.bps;
        }
    }
    put_family(b, open, "hostler_workers", "gauge", "Workers by state.");
    for (size_t i = 0; i <= FLEET_STATES; i++)
        buf_addf(b, "hostler_workers{state=\"%s\"} %" PRIu64 "\n",
                 i == FLEET_STATES ? FLEET_LOST : fleet_state_name((enum fleet_state)i), counts[i]);
    put_one(b, open, "hostler_download_missing_bytes", "gauge",
            "Bytes that downloading workers still wait for.", bytes);
    put_one(b, open, "hostler_download_bytes_per_second", "gauge",
            "Speed of all downloading workers together.", bps);
}

static void put_requests(struct buf *b, bool open, const struct coordinator_counts *counts)
{
    size_t count;
    const struct route *routes = route_all(&count);

    put_family(b, open, "hostler_http_requests_total", "counter",
               "Requests answered, by route and class of status.");
    for (size_t i = 0; i < count; i++) {
        for (size_t class = 2; class < COORDINATOR_STATUSES; class ++) {
            if (counts->requests[i][class] > 0)
                buf_addf(b,
                         "hostler_http_requests_total{route=\"%s\",status=\"%zuxx\"} %" PRIu64 "\n",
                         routes[i].what, class, counts->requests[i][class]);
        }
    }
}

void handle_metrics(struct exchange *x)
{
    const struct coordinator *c = x->coordinator;
    struct buf b = buf_new(&x->arena, METRICS_MAX);
    bool open = false;

    for (size_t i = 0; i + 28 <= x->accept.len && !open; i++)
        open = str_starts((struct str){x->accept.ptr + i, x->accept.len - i},
                          STR("application/openmetrics-text"));
    put_workers(&b, open, registry_view(c->registry));
    put_requests(&b, open, &c->counts);
    put_one(&b, open, "hostler_http_refused_total", "counter",
            "Requests for no route, or that were no HTTP we take.", c->counts.refused);
    put_one(&b, open, "hostler_http_limited_total", "counter", "Requests over the rate.",
            c->counts.limited);
    put_one(&b, open, "hostler_http_timed_out_total", "counter",
            "Connections closed because they were too slow.", c->counts.timed_out);
    put_one(&b, open, "hostler_http_connections", "gauge", "Connections open.",
            c->counts.connections);
    put_one(&b, open, "hostler_http_streams", "gauge", "Clients that follow the events.",
            c->counts.streams);
    put_one(&b, open, "hostler_changes_total", "counter", "Changes of the registry.",
            view_seq(registry_view(c->registry)));
    put_one(&b, open, "hostler_uptime_seconds", "gauge", "Since this coordinator began.",
            (clock_now_ms(c->clock) - c->started_ms) / 1000);
    if (open)
        buf_addz(&b, "# EOF\n");
    x->status = 200;
    x->type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                   : "text/plain; version=0.0.4; charset=utf-8";
    x->text = buf_str(&b);
}
