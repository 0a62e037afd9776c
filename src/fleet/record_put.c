/* A record as JSON. */

#include "fleet/record.h"
#include "json/json.h"
#include "sys/clock.h"

static void put_text(struct buf *out, const char *key, const char *text)
{
    json_put_member(out, key, str_from(text));
}

static void put_models(struct buf *out, const struct fleet_record *r)
{
    json_put_key(out, "models");
    buf_addc(out, '[');
    for (size_t i = 0; i < r->model_count; i++) {
        buf_addz(out, i > 0 ? ",{" : "{");
        put_text(out, "name", r->models[i].name);
        put_text(out, "revision", r->models[i].revision);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static void put_labels(struct buf *out, const struct fleet_record *r)
{
    json_put_key(out, "labels");
    buf_addc(out, '{');
    for (size_t i = 0; i < r->label_count; i++)
        put_text(out, r->labels[i].key, r->labels[i].value);
    buf_addc(out, '}');
}

static void put_members(struct buf *out, const struct fleet_record *r, const char *state)
{
    put_text(out, "id", r->id);
    put_text(out, "instance", r->instance);
    put_text(out, "type", r->type);
    put_text(out, "host", r->host);
    put_text(out, "version", r->version);
    put_text(out, "state", state);
    put_text(out, "reason", r->reason);
    put_models(out, r);
    put_text(out, "url", r->url);
    put_labels(out, r);
    json_put_key(out, "gpus");
    buf_add(out, r->gpus);
    json_put_key(out, "progress");
    buf_addc(out, '{');
    json_put_member_u64(out, "bytes", r->progress.bytes);
    json_put_member_u64(out, "total", r->progress.total);
    json_put_member_u64(out, "bps", r->progress.bps);
    buf_addc(out, '}');
}

void fleet_record_put(struct buf *out, const struct fleet_record *record)
{
    put_members(out, record, fleet_state_name(record->state));
}

/* Text, its end, and what an arena may lose to keep its places aligned. */
const char *fleet_listed_state(const struct fleet_listed *listed)
{
    return listed->lost ? FLEET_LOST : fleet_state_name(listed->record.state);
}

void fleet_listed_put(struct buf *out, const struct fleet_listed *listed)
{
    char since[CLOCK_TEXT];

    buf_addc(out, '{');
    put_members(out, &listed->record, fleet_listed_state(listed));
    put_text(out, "since", clock_format_unix_ms(since, listed->since_unix_ms));
    json_put_member_u64(out, "last_beat_s", listed->last_beat_s);
    buf_addc(out, '}');
}
