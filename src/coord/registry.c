#include "coord/registry.h"

#include <assert.h>
#include <string.h>

/* Progress makes a change once in so long. */
#define TELL_PROGRESS_MS 1000
/* Who was not called for so long stood still. */
#define STALL_MS 2000

struct registry {
    struct registry_options options;
    const struct registry_driver *driver;
    void *kept; /* the driver's own */
    struct view *view;
    uint64_t tick_ms;
    uint64_t blame_from_ms; /* nobody is lost before */
    size_t untold;          /* workers whose progress is still to be told */
    bool failing;           /* the driver refused what a tick asked */
};

static const struct registry_driver *const drivers[] = {&registry_sqlite};

static const struct registry_driver *find_driver(const char **ret_rest, const char *text,
                                                 struct err *err)
{
    struct str rest = str_from(text);
    struct str name;

    (void)str_cut(&rest, ':', &name);
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (str_eqz(name, drivers[i]->name)) {
            *ret_rest = rest.len > 0 ? rest.ptr : "";
            return drivers[i];
        }
    }
    (void)err_set(err, ERR_USAGE, "--registry: \"%.40s\" is no kind of registry", text);
    (void)err_hint(err, "it takes sqlite");
    return NULL;
}

static bool is_final(const struct worker *w)
{
    return fleet_state_invariant(w->record.state)->final;
}

/* Those that were kept have a whole time to live to come back in. */
static void expect_all(struct registry *r)
{
    struct worker *next;

    for (struct worker *w = view_after(r->view, 0); w != NULL; w = next) {
        next = view_next(w);
        if (!w->lost && !is_final(w))
            view_beat(r->view, w);
    }
}

struct registry *registry_open(struct arena *a, const struct registry_options *options,
                               struct err *err)
{
    struct registry *r = arena_new(a, struct registry);
    const char *rest;

    r->options = *options;
    r->driver = find_driver(&rest, options->driver, err);
    if (r->driver == NULL)
        return NULL;
    r->view = view_new(a, options->clock, &options->limits);
    r->kept = r->driver->open(a, r->view, rest, options, err);
    if (r->kept == NULL) {
        view_free(&r->view);
        return NULL;
    }
    expect_all(r);
    r->tick_ms = clock_now_ms(options->clock);
    return r;
}

void registry_close(struct registry **registry)
{
    struct registry *r = *registry;

    if (r == NULL)
        return;
    r->driver->close(r->kept);
    view_free(&r->view);
    *registry = NULL;
}

struct view *registry_view(const struct registry *r)
{
    return r->view;
}

uint64_t registry_ttl_ms(const struct registry *r)
{
    return r->options.ttl_ms;
}

static bool is_superseded(const struct worker *w, const char *instance)
{
    for (size_t i = 0; i < VIEW_SUPERSEDED_MAX; i++) {
        if (instance[0] != '\0' && strcmp(w->superseded[i], instance) == 0)
            return true;
    }
    return false;
}

static void supersede(struct worker *w, const char *instance)
{
    memmove(w->superseded[1], w->superseded[0], sizeof(w->superseded) - sizeof(w->superseded[0]));
    (void)stpncpy(w->superseded[0], instance, FLEET_INSTANCE_MAX);
}

/* The times and the list of who is expected follow from the state. */
static void enter_state(struct registry *r, struct worker *w, bool changed)
{
    if (changed) {
        w->since_unix_ms = clock_unix_ms(r->options.clock);
        w->since_ms = clock_now_ms(r->options.clock);
    }
    view_beat(r->view, w);
    if (is_final(w))
        view_end_beats(r->view, w);
}

/* Its progress is part of a change that is about to be told. */
static void told(struct registry *r, struct worker *w)
{
    r->untold -= w->untold;
    w->untold = false;
    w->told_ms = clock_now_ms(r->options.clock);
}

/* What is drafted of w is kept, then true. */
static enum registry_answer keep(struct registry *r, struct worker *w, const struct worker *draft,
                                 bool changed, struct err *err)
{
    if (!view_has_room(r->view, w, &draft->record))
        return REGISTRY_FULL;
    if (r->driver->put(r->kept, draft, err) < 0)
        return REGISTRY_FAILED;
    if (w == NULL)
        w = view_add(r->view, &draft->record);
    else
        view_set(r->view, w, &draft->record);
    memcpy(w->superseded, draft->superseded, sizeof(w->superseded));
    w->lost = false;
    enter_state(r, w, changed);
    told(r, w);
    view_changed(r->view, w);
    return REGISTRY_OK;
}

enum registry_answer registry_register(struct registry *r, const struct fleet_record *record,
                                       struct err *err)
{
    struct worker *w = view_find(r->view, str_from(record->id));
    struct worker draft = {0};
    bool other = w != NULL && strcmp(w->record.instance, record->instance) != 0;

    bool changed = other || w == NULL || w->lost || w->record.state != record->state;

    if (w != NULL && is_superseded(w, record->instance))
        return REGISTRY_SUPERSEDED;
    if (w != NULL)
        draft = *w;
    draft.record = *record;
    draft.lost = false;
    if (other)
        supersede(&draft, w->record.instance);
    if (changed)
        draft.since_unix_ms = clock_unix_ms(r->options.clock);
    return keep(r, w, &draft, changed, err);
}

enum registry_answer registry_find(struct worker **out, const struct registry *r, struct str id,
                                   const char *instance)
{
    struct worker *w = view_find(r->view, id);

    if (w == NULL)
        return REGISTRY_UNKNOWN;
    if (strcmp(w->record.instance, instance) != 0)
        return is_superseded(w, instance) ? REGISTRY_SUPERSEDED : REGISTRY_UNKNOWN;
    *out = w;
    return REGISTRY_OK;
}

static bool same_progress(const struct fleet_progress *x, const struct fleet_progress *y)
{
    return x->bytes == y->bytes && x->total == y->total && x->bps == y->bps;
}

/* Told at once, or when the last telling is long enough ago. */
static void take_progress(struct registry *r, struct worker *w, const struct fleet_progress *now)
{
    if (same_progress(&w->record.progress, now))
        return;
    w->record.progress = *now;
    if (clock_now_ms(r->options.clock) - w->told_ms >= TELL_PROGRESS_MS) {
        told(r, w);
        view_changed(r->view, w);
    } else if (!w->untold) {
        w->untold = true;
        r->untold++;
    }
}

enum registry_answer registry_beat(struct registry *r, struct worker *w,
                                   const struct fleet_record *said, struct err *err)
{
    struct worker draft = *w;

    if (w->lost) {
        draft.record.progress = said->progress;
        draft.lost = false;
        return keep(r, w, &draft, true, err);
    }
    if (r->driver->beat != NULL && r->driver->beat(r->kept, w, err) < 0)
        return REGISTRY_FAILED;
    if (!is_final(w))
        view_beat(r->view, w);
    take_progress(r, w, &said->progress);
    return REGISTRY_OK;
}

/* Whether a report says more than how far it is. */
static bool says_more(const struct fleet_record *x, const struct fleet_record *y)
{
    ARENA_SCOPED a = {0};
    struct fleet_record left = *x;
    struct fleet_record right = *y;
    struct buf first = buf_new(&a, FLEET_MESSAGE_MAX);
    struct buf second = buf_new(&a, FLEET_MESSAGE_MAX);

    left.progress = right.progress = (struct fleet_progress){0};
    fleet_record_put(&first, &left);
    fleet_record_put(&second, &right);
    return !str_eq(buf_str(&first), buf_str(&second));
}

enum registry_answer registry_report(struct registry *r, struct worker *w,
                                     const struct fleet_record *said, struct err *err)
{
    struct worker draft = *w;
    bool changed = w->lost || w->record.state != said->state;

    if (!w->lost && !says_more(&w->record, said))
        return registry_beat(r, w, said, err);
    draft.record = *said;
    draft.lost = false;
    if (changed)
        draft.since_unix_ms = clock_unix_ms(r->options.clock);
    return keep(r, w, &draft, changed, err);
}

/* A driver that refuses is told of once, and asked again at the next tick. */
static bool taken(struct registry *r, int result, const struct err *err)
{
    if (result < 0 && !r->failing)
        r->options.note(r->options.ctx, true, err->msg);
    r->failing = result < 0;
    return result >= 0;
}

static void lose(struct registry *r, uint64_t now)
{
    struct worker *w;

    while ((w = view_latest(r->view)) != NULL && now - w->beat_ms >= r->options.ttl_ms) {
        struct worker draft = *w;
        struct err err = {0};

        draft.lost = true;
        draft.since_unix_ms = clock_unix_ms(r->options.clock);
        if (!taken(r, r->driver->put(r->kept, &draft, &err), &err))
            return;
        w->lost = true;
        w->since_unix_ms = draft.since_unix_ms;
        w->since_ms = now;
        view_end_beats(r->view, w);
        told(r, w);
        view_changed(r->view, w);
    }
}

/* Who is lost or has ended changes no more, so the oldest changes are theirs, sooner or later. */
static void forget(struct registry *r, uint64_t now)
{
    struct worker *next;

    for (struct worker *w = view_after(r->view, 0); w != NULL; w = next) {
        struct err err = {0};

        next = view_next(w);
        if (w->expected || now - w->since_ms < r->options.keep_ms)
            continue;
        if (!taken(r, r->driver->remove(r->kept, w, &err), &err))
            return;
        r->untold -= w->untold;
        view_remove(r->view, w);
    }
}

static void tell_progress(struct registry *r, uint64_t now)
{
    struct worker *next;

    if (r->untold == 0)
        return;
    for (struct worker *w = view_after(r->view, 0); w != NULL; w = next) {
        next = view_next(w);
        if (!w->untold || now - w->told_ms < TELL_PROGRESS_MS)
            continue;
        told(r, w);
        view_changed(r->view, w);
    }
}

void registry_tick(struct registry *r)
{
    uint64_t now = clock_now_ms(r->options.clock);
    uint64_t before = r->tick_ms;

    if (now - before >= STALL_MS)
        r->blame_from_ms = now + r->options.ttl_ms;
    r->tick_ms = now;
    if (now >= r->blame_from_ms)
        lose(r, now);
    tell_progress(r, now);
    if (now / 1000 != before / 1000)
        forget(r, now);
}

int registry_ready(struct registry *r, struct err *err)
{
    return r->driver->ready(r->kept, err);
}

void registry_put_worker(struct buf *out, const struct worker *w)
{
    buf_addc(out, '{');
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
    buf_addz(out, "]}");
}

int registry_take_worker(struct view *view, struct str text, struct err *err)
{
    ARENA_SCOPED a = {0};
    JSON_SCOPED *doc = json_parse(text, FLEET_MESSAGE_MAX, "a worker that was kept", err);
    struct fleet_record record = fleet_record_new();
    const struct json *superseded;
    uint64_t since_ms = 0;
    bool lost = false;
    struct worker *w;

    if (doc == NULL || fleet_record_read(&record, &a, doc, err) < 0 ||
        fleet_record_check(&record, err) < 0 || json_bool(&lost, doc, "lost", err) < 0 ||
        json_need_u64(&since_ms, doc, "since_ms", err) < 0)
        return -1;
    if (view_find(view, str_from(record.id)) != NULL || !view_has_room(view, NULL, &record))
        return err_set(err, ERR_LIMIT, "a worker that was kept does not fit");
    w = view_add(view, &record);
    w->lost = lost;
    w->since_unix_ms = since_ms;
    superseded = json_get(doc, "superseded");
    for (size_t i = 0; i < json_len(superseded) && i < VIEW_SUPERSEDED_MAX; i++) {
        struct str one;

        if (json_as_str(&one, json_at(superseded, i)) && one.len <= FLEET_INSTANCE_MAX)
            memcpy(w->superseded[i], one.ptr, one.len);
    }
    return 0;
}
