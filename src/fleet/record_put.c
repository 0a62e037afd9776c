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

static void put_progress(struct buf *out, const struct fleet_record *r)
{
    json_put_key(out, "progress");
    buf_addc(out, '{');
    json_put_member_u64(out, "bytes", r->progress.bytes);
    json_put_member_u64(out, "total", r->progress.total);
    json_put_member_u64(out, "bps", r->progress.bps);
    buf_addc(out, '}');
}

static void put_gpus(struct buf *out, const struct fleet_record *r)
{
    json_put_key(out, "gpus");
    buf_add(out, r->gpus);
}

static void put_holds(struct buf *out, const struct fleet_record *r)
{
    json_put_key(out, "holds");
    buf_addc(out, '[');
    for (size_t i = 0; i < r->hold_count; i++) {
        buf_addz(out, i > 0 ? ",{" : "{");
        put_text(out, "uuid", r->holds[i].uuid);
        json_put_member_u64(out, "mib", r->holds[i].mib);
        json_put_member_u64(out, "planned_mib", r->holds[i].planned_mib);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static void put_members(struct buf *out, const struct fleet_record *r, const char *state,
                        unsigned members)
{
    const struct {
        enum fleet_member member;
        const char *key;
        const char *text;
        void (*put)(struct buf *out, const struct fleet_record *r); /* NULL: it is a text */
    } all[] = {
        {FLEET_ID, "id", r->id, NULL},
        {FLEET_INSTANCE, "instance", r->instance, NULL},
        {FLEET_TYPE, "type", r->type, NULL},
        {FLEET_HOST, "host", r->host, NULL},
        {FLEET_VERSION, "version", r->version, NULL},
        {FLEET_STATE, "state", state, NULL},
        {FLEET_REASON, "reason", r->reason, NULL},
        {FLEET_MODELS, NULL, NULL, put_models},
        {FLEET_URL, "url", r->url, NULL},
        {FLEET_LABELS, NULL, NULL, put_labels},
        {FLEET_GPUS, NULL, NULL, put_gpus},
        {FLEET_HOLDS, NULL, NULL, put_holds},
        {FLEET_PROGRESS, NULL, NULL, put_progress},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if ((members & all[i].member) == 0)
            continue;
        if (all[i].put != NULL)
            all[i].put(out, r);
        else
            put_text(out, all[i].key, all[i].text);
    }
}

void fleet_record_put(struct buf *out, const struct fleet_record *record)
{
    fleet_record_put_some(out, record, FLEET_ALL);
}

void fleet_record_put_some(struct buf *out, const struct fleet_record *record, unsigned members)
{
    put_members(out, record, fleet_state_name(record->state), members);
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
    put_members(out, &listed->record, fleet_listed_state(listed), FLEET_ALL);
    put_text(out, "since", clock_format_unix_ms(since, listed->since_unix_ms));
    json_put_member_u64(out, "last_beat_s", listed->last_beat_s);
    buf_addc(out, '}');
}
