#include "coord/kept.h"

#include <string.h>

#include "json/json.h"

void kept_put(struct buf *out, const struct worker *w)
{
    fleet_record_put(out, &w->record);
    json_put_key(out, "lost");
    buf_addz(out, w->lost ? "true" : "false");
    json_put_member_u64(out, "since_ms", w->since_unix_ms);
    json_put_key(out, "superseded");
    buf_addc(out, '[');
    for (size_t i = 0; i < VIEW_SUPERSEDED_MAX && w->superseded[i][0] != '\0'; i++) {
        buf_addz(out, i > 0 ? "," : "");
        json_put_str(out, str_from(w->superseded[i]));
    }
    buf_addc(out, ']');
}

int kept_read(struct worker *draft, struct arena *a, struct str text, struct err *err)
{
    JSON_SCOPED *doc = json_parse(text, FLEET_MESSAGE_MAX, "a worker that was kept", err);
    struct worker w = {.record = fleet_record_new()};
    const struct json *superseded;

    if (doc == NULL || fleet_record_read(&w.record, a, doc, err) < 0 ||
        fleet_record_check(&w.record, err) < 0 || json_bool(&w.lost, doc, "lost", err) < 0 ||
        json_need_u64(&w.since_unix_ms, doc, "since_ms", err) < 0)
        return -1;
    superseded = json_get(doc, "superseded");
    for (size_t i = 0; i < json_len(superseded) && i < VIEW_SUPERSEDED_MAX; i++) {
        struct str one;

        if (json_as_str(&one, json_at(superseded, i)) && one.len <= FLEET_INSTANCE_MAX)
            memcpy(w.superseded[i], one.ptr, one.len);
    }
    draft->record = w.record;
    draft->lost = w.lost;
    draft->since_unix_ms = w.since_unix_ms;
    memcpy(draft->superseded, w.superseded, sizeof(w.superseded));
    return 0;
}

struct worker *kept_take(struct view *view, struct worker *w, const struct worker *draft)
{
    if (w == NULL)
        w = view_add(view, &draft->record);
    else
        view_set(view, w, &draft->record);
    w->lost = draft->lost;
    w->since_unix_ms = draft->since_unix_ms;
    memcpy(w->superseded, draft->superseded, sizeof(w->superseded));
    return w;
}
