#include "coord/view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sys/file.h"

/* FNV-1a, from a start of our own each time, so that nobody can choose ids that fall together. */
#define FNV_PRIME UINT64_C(1099511628211)

struct gone {
    uint64_t seq;
    char id[FLEET_ID_MAX + 1];
};

struct view {
    struct arena arena;
    const struct clock *clock;
    struct view_limits limits;
    struct worker **table;
    size_t table_size; /* a power of two */
    uint64_t hash_start;
    struct worker *unused; /* by same_hash */
    size_t count;
    size_t bytes;
    size_t deferred;
    uint64_t seq;
    char epoch[VIEW_EPOCH + 1];
    struct worker *oldest, *newest; /* by seq */
    struct worker *first, *last;    /* by beat_ms */
    struct gone *gone;              /* a ring */
    size_t gone_count;              /* ever */
    uint64_t forgotten_seq;         /* of the last one that the ring lost */
};

static uint64_t random_u64(void)
{
    char hex[17] = {0};
    uint64_t n = 0;

    file_random_hex(hex, 16);
    for (size_t i = 0; i < 16; i++)
        n = n << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return n;
}

struct view *view_new(struct arena *a, const struct clock *clock, const struct view_limits *limits)
{
    struct view *v = arena_new(a, struct view);

    v->clock = clock;
    v->limits = *limits;
    v->table_size = 1024;
    while (v->table_size < 2 * limits->workers)
        v->table_size *= 2;
    v->table = arena_array(&v->arena, struct worker *, v->table_size);
    v->gone = arena_array(&v->arena, struct gone, VIEW_GONE_MAX);
    v->hash_start = random_u64();
    file_random_hex(v->epoch, VIEW_EPOCH);
    return v;
}

void view_free(struct view **view)
{
    struct view *v = *view;

    if (v == NULL)
        return;
    for (struct worker *w = v->oldest; w != NULL; w = w->newer)
        arena_free(&w->arena);
    arena_free(&v->arena);
    *view = NULL;
}

static struct worker **slot_of(const struct view *v, struct str id)
{
    uint64_t hash = v->hash_start;
    struct worker **slot;

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.ptr[i]) * FNV_PRIME;
    hash ^= hash >> 32;
    slot = &v->table[hash & (v->table_size - 1)];
    while (*slot != NULL && !str_eqz(id, (*slot)->record.id))
        slot = &(*slot)->same_hash;
    return slot;
}

struct worker *view_find(const struct view *v, struct str id)
{
    return *slot_of(v, id);
}

size_t view_count(const struct view *v)
{
    return v->count;
}

const struct clock *view_clock(const struct view *v)
{
    return v->clock;
}

bool view_has_room(const struct view *v, const struct worker *old,
                   const struct fleet_record *record)
{
    size_t bytes = v->bytes + fleet_record_bytes(record) - (old != NULL ? old->bytes : 0);

    return bytes <= v->limits.bytes && (old != NULL || v->count < v->limits.workers);
}

void view_set(struct view *v, struct worker *w, const struct fleet_record *record)
{
    struct arena old = w->arena;
    size_t bytes = fleet_record_bytes(record);

    w->arena = (struct arena){0};
    arena_reserve(&w->arena, bytes);
    fleet_record_copy(&w->record, &w->arena, record);
    v->bytes += bytes - w->bytes;
    w->bytes = bytes;
    arena_free(&old);
}

static void link_newest(struct view *v, struct worker *w)
{
    w->newer = NULL;
    w->older = v->newest;
    if (v->newest != NULL)
        v->newest->newer = w;
    else
        v->oldest = w;
    v->newest = w;
}

static void unlink_order(struct view *v, struct worker *w)
{
    if (w->older != NULL)
        w->older->newer = w->newer;
    else
        v->oldest = w->newer;
    if (w->newer != NULL)
        w->newer->older = w->older;
    else
        v->newest = w->older;
}

struct worker *view_add(struct view *v, const struct fleet_record *record)
{
    struct worker *w = v->unused;
    struct worker **slot = slot_of(v, str_from(record->id));

    assert(*slot == NULL);
    if (w != NULL)
        v->unused = w->same_hash;
    else
        w = arena_new(&v->arena, struct worker);
    *w = (struct worker){.since_unix_ms = clock_unix_ms(v->clock),
                         .since_ms = clock_now_ms(v->clock)};
    view_set(v, w, record);
    *slot = w;
    v->count++;
    link_newest(v, w);
    view_changed(v, w);
    return w;
}

void view_changed(struct view *v, struct worker *w)
{
    unlink_order(v, w);
    link_newest(v, w);
    w->seq = ++v->seq;
    v->deferred -= w->untold;
    w->untold = false;
    w->told_ms = clock_now_ms(v->clock);
}

void view_defer(struct view *v, struct worker *w)
{
    v->deferred += !w->untold;
    w->untold = true;
}

size_t view_deferred(const struct view *v)
{
    return v->deferred;
}

void view_end_beats(struct view *v, struct worker *w)
{
    if (!w->expected)
        return;
    if (w->before != NULL)
        w->before->after = w->after;
    else
        v->first = w->after;
    if (w->after != NULL)
        w->after->before = w->before;
    else
        v->last = w->before;
    w->before = w->after = NULL;
    w->expected = false;
}

void view_beat(struct view *v, struct worker *w)
{
    view_end_beats(v, w);
    w->beat_ms = clock_now_ms(v->clock);
    w->before = v->last;
    if (v->last != NULL)
        v->last->after = w;
    else
        v->first = w;
    v->last = w;
    w->expected = true;
}

struct worker *view_latest(const struct view *v)
{
    return v->first;
}

void view_remove(struct view *v, struct worker *w)
{
    struct worker **slot = slot_of(v, str_from(w->record.id));
    struct gone *gone = &v->gone[v->gone_count++ % VIEW_GONE_MAX];

    assert(*slot == w);
    v->forgotten_seq = gone->seq;
    gone->seq = ++v->seq;
    memcpy(gone->id, w->record.id, strlen(w->record.id) + 1);
    *slot = w->same_hash;
    view_end_beats(v, w);
    unlink_order(v, w);
    arena_free(&w->arena);
    v->bytes -= w->bytes;
    v->deferred -= w->untold;
    v->count--;
    w->same_hash = v->unused;
    v->unused = w;
}

uint64_t view_seq(const struct view *v)
{
    return v->seq;
}

const char *view_epoch(const struct view *v)
{
    return v->epoch;
}

bool view_knows_since(const struct view *v, uint64_t seq)
{
    return seq <= v->seq && v->forgotten_seq <= seq;
}

struct worker *view_after(const struct view *v, uint64_t seq)
{
    struct worker *w = v->newest;

    if (w == NULL || w->seq <= seq)
        return NULL;
    while (w->older != NULL && w->older->seq > seq)
        w = w->older;
    return w;
}

const char *view_gone_after(const struct view *v, uint64_t *seq)
{
    size_t count = v->gone_count < VIEW_GONE_MAX ? v->gone_count : VIEW_GONE_MAX;
    size_t low = v->gone_count - count;
    size_t high = v->gone_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (v->gone[middle % VIEW_GONE_MAX].seq > *seq)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == v->gone_count)
        return NULL;
    *seq = v->gone[low % VIEW_GONE_MAX].seq;
    return v->gone[low % VIEW_GONE_MAX].id;
}

struct fleet_listed view_listed(const struct view *v, const struct worker *w)
{
    uint64_t now = clock_now_ms(v->clock);

    return (struct fleet_listed){.record = w->record,
                                 .lost = w->lost,
                                 .since_unix_ms = w->since_unix_ms,
                                 .last_beat_s = (now - w->beat_ms) / 1000};
}

static int by_id(const void *x, const void *y)
{
    const struct worker *const *left = x;
    const struct worker *const *right = y;

    return strcmp((*left)->record.id, (*right)->record.id);
}

const struct worker **view_sorted(const struct view *v, struct arena *a, size_t *ret_count)
{
    const struct worker **all = arena_array(a, const struct worker *, view_count(v));
    size_t count = 0;

    for (const struct worker *w = view_after(v, 0); w != NULL; w = view_next(w))
        all[count++] = w;
    if (count > 0)
        qsort(all, count, sizeof(const struct worker *), by_id);
    *ret_count = count;
    return all;
}
