#include "coord/etcd_take.h"

#include <string.h>

#include "coord/kept.h"
#include "coord/registry.h"

#define VOUCH_MS 1000

static bool is_lasting(const struct worker *w)
{
    return w->lost || fleet_state_invariant(w->record.state)->final;
}

/* Said once in a while at most: who fills etcd with rubbish shall not fill the log. */
static void complain(struct etcd_taking *t, struct str key, const char *why)
{
    ARENA_SCOPED a = {0};

    if (!t->noted)
        t->note(t->ctx, true,
                str_format(&a,
                           "etcd: what it has under %s is passed over, and whatever else is "
                           "wrong with it: %s",
                           str_printable(&a, key, 200), why));
    t->noted = true;
}

static bool has_changed(const struct worker *w, const struct worker *draft)
{
    return w->lost != draft->lost || w->record.state != draft->record.state ||
           strcmp(w->record.instance, draft->record.instance) != 0;
}

/* The draft's w, NULL where it is new, is so from now on, as etcd has it. */
static void take_draft(struct etcd_taking *t, struct worker *w, const struct worker *draft,
                       const struct etcd_kv *kv)
{
    uint64_t now = clock_now_ms(view_clock(t->view));
    bool changed = w == NULL || has_changed(w, draft);

    w = kept_take(t->view, w, draft);
    if (changed)
        w->since_ms = now;
    w->revision = kv->revision;
    w->kept_ms = now;
    w->elsewhere = !is_lasting(w) && (t->lease == 0 || kv->lease != t->lease);
    if (is_lasting(w) || w->elsewhere)
        view_end_beats(t->view, w);
    else if (!w->expected)
        view_beat(t->view, w);
    if (w->elsewhere || w->beat_ms == 0)
        w->beat_ms = now;
    view_changed(t->view, w);
}

static void take_value(struct etcd_taking *t, struct worker *w, struct str id,
                       const struct etcd_kv *kv)
{
    ARENA_SCOPED a = {0};
    struct worker draft = {0};
    struct err err = {0};

    if (kept_read(&draft, &a, kv->value, &err) < 0)
        complain(t, kv->key, err.msg);
    else if (!str_eqz(id, draft.record.id))
        complain(t, kv->key, "it is another worker's record");
    else if (!view_has_room(t->view, w, &draft.record))
        complain(t, kv->key, "there are more workers than --max-workers");
    else
        take_draft(t, w, &draft, kv);
}

/* A lasting key that vanishes was taken away; a live one went with its coordinator's lease. */
static void vanish(struct etcd_taking *t, struct worker *w)
{
    bool kept = w->revision != 0;

    w->revision = 0;
    if (!is_lasting(w))
        registry_lose(t->view, w, clock_unix_ms(view_clock(t->view)));
    else if (kept) {
        view_remove(t->view, w);
        return;
    }
    t->unwritten = true;
}

/* Whose key it is; false: no worker's. */
static bool read_id(struct str *out, const struct etcd_kv *kv)
{
    *out = kv->key;
    if (!str_starts(*out, STR(ETCD_WORKERS)))
        return false;
    out->ptr += sizeof(ETCD_WORKERS) - 1;
    out->len -= sizeof(ETCD_WORKERS) - 1;
    return true;
}

void etcd_take(struct etcd_taking *t, const struct etcd_kv *kv, bool known_now)
{
    struct str id;
    struct worker *w;

    if (!read_id(&id, kv))
        return;
    w = view_find(t->view, id);
    if (w != NULL && !known_now && kv->revision <= w->revision)
        return;
    if (!kv->deleted)
        take_value(t, w, id, kv);
    else if (w != NULL)
        vanish(t, w);
}

static void begin_list(struct etcd_taking *t, const struct etcd_batch *batch)
{
    if (batch->other_store) {
        for (struct worker *w = view_after(t->view, 0); w != NULL; w = view_next(w))
            w->revision = 0;
    }
    t->list_revision = batch->revision;
    t->list++;
    t->noted = false;
}

/* What was changed since the list was made is newer than it. */
static bool is_newer(const struct etcd_taking *t, const struct worker *w)
{
    return w->revision > t->list_revision;
}

static void take_listed(struct etcd_taking *t, const struct etcd_kv *kv)
{
    struct str id;
    struct worker *w;

    if (!read_id(&id, kv))
        return;
    w = view_find(t->view, id);
    if (w == NULL || (!is_newer(t, w) && w->revision != kv->revision))
        take_value(t, w, id, kv);
    w = view_find(t->view, id);
    if (w != NULL)
        w->seen = t->list;
}

static void end_list(struct etcd_taking *t)
{
    struct worker *next;

    for (struct worker *w = view_after(t->view, 0); w != NULL; w = next) {
        next = view_next(w);
        if (w->seen == t->list || is_newer(t, w))
            continue;
        w->seen = t->list;
        vanish(t, w);
    }
    t->listed = true;
}

void etcd_take_batch(struct etcd_taking *t, const struct etcd_batch *batch)
{
    switch (batch->kind) {
    case ETCD_LIST_BEGINS: begin_list(t, batch); return;
    case ETCD_LIST:
        for (size_t i = 0; i < batch->count; i++)
            take_listed(t, &batch->kvs[i]);
        return;
    case ETCD_LIST_ENDS: end_list(t); return;
    case ETCD_CHANGES:
        for (size_t i = 0; i < batch->count; i++)
            etcd_take(t, &batch->kvs[i], false);
        return;
    }
}

void etcd_disown(struct etcd_taking *t)
{
    for (struct worker *w = view_after(t->view, 0); w != NULL; w = view_next(w)) {
        if (!w->expected)
            continue;
        view_end_beats(t->view, w);
        w->elsewhere = true;
    }
}

void etcd_vouch(struct etcd_taking *t)
{
    uint64_t now = clock_now_ms(view_clock(t->view));

    if (now - t->vouched_ms < VOUCH_MS)
        return;
    t->vouched_ms = now;
    for (struct worker *w = view_after(t->view, 0); w != NULL; w = view_next(w)) {
        if (w->elsewhere && now - w->beat_ms > t->ttl_ms)
            w->beat_ms = now - t->ttl_ms;
    }
}
