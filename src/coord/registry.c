#include "coord/registry.h"

#include <string.h>

#include "coord/kept.h"

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
    bool failing;           /* the driver refused what a tick asked */
};

static const struct registry_driver *const drivers[] = {&registry_sqlite, &registry_etcd};

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
    (void)err_hint(err, "it takes sqlite, or etcd:URL,...");
    return NULL;
}

/* Drivers may take their time, so what stands in the view can be newer than now. */
static uint64_t age_ms(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
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
        if (!w->lost && !w->elsewhere && !is_final(w))
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

/* The list of who is expected follows from the state. */
static void enter_state(struct registry *r, struct worker *w, bool changed)
{
    if (changed)
        w->since_ms = clock_now_ms(r->options.clock);
    view_beat(r->view, w);
    if (is_final(w))
        view_end_beats(r->view, w);
}

/* What the driver notes of what it has kept. */
static void take_notes(struct worker *w, const struct worker *draft)
{
    w->elsewhere = draft->elsewhere;
    w->revision = draft->revision;
    w->kept_ms = draft->kept_ms;
}

/* Whether y says more than how far it is. */
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

/* Told at once, or when the last telling is long enough ago. */
static void take_progress(struct registry *r, struct worker *w, const struct fleet_progress *now)
{
    if (fleet_same_progress(&w->record.progress, now))
        return;
    w->record.progress = *now;
    if (clock_now_ms(r->options.clock) - w->told_ms >= TELL_PROGRESS_MS)
        view_changed(r->view, w);
    else
        view_defer(r->view, w);
}

/*
 * What is drafted of w is kept, then true. Where nobody sees a difference there is no change: a
 * worker registers again whenever it does not know whether it was heard.
 */
static enum registry_answer keep(struct registry *r, struct worker *w, struct worker *draft,
                                 bool changed, struct err *err)
{
    struct fleet_progress before;
    bool news;
    int result;

    if (!view_has_room(r->view, w, &draft->record))
        return REGISTRY_FULL;
    result = r->driver->put(r->kept, draft, err);
    if (result != 0)
        return result < 0 ? REGISTRY_FAILED : REGISTRY_CHANGED;
    news = w == NULL || changed || w->lost || says_more(&w->record, &draft->record);
    before = news ? draft->record.progress : w->record.progress;
    w = kept_take(r->view, w, draft);
    take_notes(w, draft);
    enter_state(r, w, changed);
    w->record.progress = before;
    if (news)
        view_changed(r->view, w);
    else
        take_progress(r, w, &draft->record.progress);
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

enum registry_answer registry_beat(struct registry *r, struct worker *w,
                                   const struct fleet_record *said, struct err *err)
{
    struct worker draft = *w;
    int result = 0;

    draft.record.progress = said->progress;
    draft.lost = false;
    if (w->lost)
        draft.since_unix_ms = clock_unix_ms(r->options.clock);
    if (w->lost || w->elsewhere)
        return keep(r, w, &draft, w->lost, err);
    if (r->driver->beat != NULL)
        result = r->driver->beat(r->kept, &draft, err);
    if (result != 0)
        return result < 0 ? REGISTRY_FAILED : REGISTRY_CHANGED;
    take_notes(w, &draft);
    if (!is_final(w))
        view_beat(r->view, w);
    take_progress(r, w, &said->progress);
    return REGISTRY_OK;
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

/*
 * A driver that refuses is told of once, and asked again at the next tick. Where it has another's
 * change in place of ours, the worker is as that says.
 */
static bool taken(struct registry *r, int result, const struct err *err)
{
    if (result < 0 && !r->failing)
        r->options.note(r->options.ctx, true, err->msg);
    r->failing = result < 0;
    return result >= 0;
}

void registry_lose(struct view *view, struct worker *w, uint64_t since_unix_ms)
{
    w->lost = true;
    w->elsewhere = false;
    w->since_unix_ms = since_unix_ms;
    w->since_ms = clock_now_ms(view_clock(view));
    view_end_beats(view, w);
    view_changed(view, w);
}

static void lose(struct registry *r, uint64_t now)
{
    struct worker *w;

    while ((w = view_latest(r->view)) != NULL && age_ms(now, w->beat_ms) >= r->options.ttl_ms) {
        struct worker draft = *w;
        struct err err = {0};
        int result;

        draft.lost = true;
        draft.since_unix_ms = clock_unix_ms(r->options.clock);
        result = r->driver->put(r->kept, &draft, &err);
        if (!taken(r, result, &err))
            return;
        if (result > 0)
            continue;
        take_notes(w, &draft);
        registry_lose(r->view, w, draft.since_unix_ms);
    }
}

/* Who is lost or has ended changes no more, so the oldest changes are theirs, sooner or later. */
static void forget(struct registry *r, uint64_t now)
{
    struct worker *next;

    for (struct worker *w = view_after(r->view, 0); w != NULL; w = next) {
        struct err err = {0};
        int result;

        next = view_next(w);
        if ((!w->lost && !is_final(w)) || age_ms(now, w->since_ms) < r->options.keep_ms)
            continue;
        result = r->driver->remove(r->kept, w, &err);
        if (!taken(r, result, &err))
            return;
        if (result == 0)
            view_remove(r->view, w);
    }
}

static void tell_progress(struct registry *r, uint64_t now)
{
    struct worker *next;

    if (view_deferred(r->view) == 0)
        return;
    for (struct worker *w = view_after(r->view, 0); w != NULL; w = next) {
        next = view_next(w);
        if (w->untold && age_ms(now, w->told_ms) >= TELL_PROGRESS_MS)
            view_changed(r->view, w);
    }
}

void registry_tick(struct registry *r)
{
    uint64_t now = clock_now_ms(r->options.clock);
    uint64_t before = r->tick_ms;

    if ((r->driver->tick != NULL && r->driver->tick(r->kept)) || now - before >= STALL_MS)
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
