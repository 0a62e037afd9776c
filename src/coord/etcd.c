/*
 * The registry's driver on etcd, for several coordinators at once (doc/registry-etcd.md).
 *
 * A worker is one key. While it lives the key lies on the lease of the coordinator that hears its
 * beats, and vanishes with that; once the worker is lost or has ended it lies on none, and whoever
 * finds first that it is old enough takes it away. So a live key that vanishes means that its
 * coordinator is gone and the worker is lost, and a lasting one that vanishes that the worker is
 * forgotten. Whoever sees first that a worker was lost writes that down.
 *
 * Each change is a transaction on the revision that this coordinator knows of the key. When another
 * was quicker, the view gets what is there now, and the change is begun anew on that.
 *
 * Questions are asked on the thread of the coordinator, which waits for the answer: no longer than
 * PATIENCE, and not again before the link is known to be up.
 */
#include <inttypes.h>

#include "coord/etcd_link.h"
#include "coord/etcd_take.h"
#include "coord/kept.h"
#include "coord/registry.h"
#include "sys/stop.h"

/* A question may take a quarter of the lease, within these. */
#define PATIENCE_MIN_MS 1000
#define PATIENCE_MAX_MS 3000
/* How long open() waits for the first list. */
#define OPEN_MS 5000
/* Progress goes to the others so often in a time to live, of all workers together so many a tick.
 */
#define SHARES_TTL  3
#define SHARES_TICK 25
/* Lost ones that are written down in a tick. */
#define LOST_TICK 25
#define BODY_MAX  ((size_t)1 << 20)

struct etcd_driver {
    const struct registry_options *options;
    struct gateway_config config;
    struct gateway *gateway;
    struct etcd_link *link;
    struct etcd_taking taking;
    uint64_t lease; /* on which our workers are */
    unsigned shares;
    bool cut_off; /* for so long that beats were refused */
    bool was_up, told_down;
};

static uint64_t now_ms(const struct etcd_driver *d)
{
    return clock_now_ms(d->options->clock);
}

static bool is_lasting(const struct worker *w)
{
    return w->lost || fleet_state_invariant(w->record.state)->final;
}

/* Whether etcd was silent for half of our lease, so that others may soon take our workers for lost.
 */
static bool is_cut_off(const struct etcd_driver *d, const struct etcd_state *state)
{
    return state->lease == 0 || now_ms(d) - state->alive_ms > state->lease_ms / 2;
}

/* What the link says now. A lease other than before means that none of the workers is ours. */
static struct etcd_state look(struct etcd_driver *d)
{
    struct etcd_state state = etcd_link_state(d->link);

    if (state.lease != d->lease && d->lease != 0)
        etcd_disown(&d->taking);
    d->lease = d->taking.lease = state.lease;
    return state;
}

static int cannot(const struct etcd_driver *d, const struct etcd_state *state, struct err *err)
{
    if (state->why.code != ERR_NONE)
        return err_set(err, ERR_WAIT, "%s", state->why.msg);
    return err_set(err, ERR_WAIT, "etcd has not answered yet%s",
                   d->taking.listed ? "" : ", and the workers are not known");
}

/* Runs a transaction on a key. 0: done, *ret_revision is that of the store; 1: it was another. */
static int run(struct etcd_driver *d, uint64_t *ret_revision, struct str key, struct str body,
               struct err *err)
{
    ARENA_SCOPED a = {0};
    JSON_SCOPED *doc = NULL;
    struct etcd_answer answer;

    if (gateway_ask(&doc, d->gateway, "/v3/kv/txn", body, err) < 0 ||
        etcd_read_answer(&answer, &a, doc, err) < 0) {
        etcd_link_doubt(d->link, err);
        err->code = ERR_WAIT;
        return -1;
    }
    *ret_revision = answer.revision;
    if (answer.succeeded)
        return 0;
    if (answer.count > 0)
        etcd_take(&d->taking, &answer.kvs[0], true);
    else
        etcd_take(&d->taking,
                  &(struct etcd_kv){.key = key, .revision = answer.revision, .deleted = true},
                  true);
    return 1;
}

static struct str key_of(struct arena *a, const struct worker *w)
{
    return str_from(str_format(a, ETCD_WORKERS "%s", w->record.id));
}

static int put(struct etcd_driver *d, struct worker *draft, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct buf value = buf_new(&a, FLEET_MESSAGE_MAX);
    struct buf body = buf_new(&a, BODY_MAX);
    struct str key = key_of(&a, draft);
    uint64_t revision;
    int result;

    buf_addc(&value, '{');
    json_put_member(&value, "owner", str_from(d->options->etcd->owner));
    json_put_member(&value, "incarnation", str_from(str_format(&a, "%" PRIx64, d->lease)));
    kept_put(&value, draft);
    buf_addc(&value, '}');
    etcd_put_txn(&body, key, draft->revision, buf_str(&value), is_lasting(draft) ? 0 : d->lease);
    if (value.cut || body.cut)
        return err_set(err, ERR_WAIT, "a record is too long to be kept");
    result = run(d, &revision, key, buf_str(&body), err);
    if (result != 0)
        return result;
    draft->revision = revision;
    draft->elsewhere = false;
    draft->kept_ms = now_ms(d);
    return 0;
}

static bool can_ask(const struct etcd_driver *d, const struct etcd_state *state)
{
    return state->up && !is_cut_off(d, state) && d->taking.listed;
}

static int etcd_put(void *driver, struct worker *draft, struct err *err)
{
    struct etcd_driver *d = driver;
    struct etcd_state state = look(d);

    return can_ask(d, &state) ? put(d, draft, err) : cannot(d, &state, err);
}

/*
 * A beat of a worker that is ours costs nothing, but that the others see its progress now and then.
 * It is refused when the others may hold the worker for lost.
 */
static int etcd_beat(void *driver, struct worker *draft, struct err *err)
{
    struct etcd_driver *d = driver;
    struct etcd_state state = look(d);
    const struct worker *w;
    int result;

    if (is_cut_off(d, &state) || !d->taking.listed)
        return cannot(d, &state, err);
    w = view_find(d->taking.view, str_from(draft->record.id));
    if (w->elsewhere)
        return 1; /* as of this moment */
    if (fleet_same_progress(&w->record.progress, &draft->record.progress) ||
        now_ms(d) - draft->kept_ms < d->options->ttl_ms / SHARES_TTL || d->shares == 0 ||
        !can_ask(d, &state))
        return 0;
    d->shares--;
    result = put(d, draft, err);
    return result > 0 ? 1 : 0; /* what could not be shared is shared later */
}

static int etcd_remove(void *driver, const struct worker *w, struct err *err)
{
    struct etcd_driver *d = driver;
    struct etcd_state state = look(d);
    ARENA_SCOPED a = {0};
    struct buf body = buf_new(&a, BODY_MAX);
    struct str key = key_of(&a, w);
    uint64_t revision;

    if (!can_ask(d, &state))
        return cannot(d, &state, err);
    etcd_put_txn(&body, key, w->revision, (struct str){0}, 0);
    return run(d, &revision, key, buf_str(&body), err);
}

static int etcd_ready(void *driver, struct err *err)
{
    struct etcd_driver *d = driver;
    struct etcd_state state = look(d);

    return can_ask(d, &state) && state.watching ? 0 : cannot(d, &state, err);
}

static void take_batches(struct etcd_driver *d)
{
    struct etcd_batch *batch;

    while ((batch = etcd_link_next(d->link)) != NULL) {
        etcd_take_batch(&d->taking, batch);
        etcd_batch_free(&batch);
    }
}

/* Writes down that workers are lost whose keys have vanished; a part of them at a time. */
static void write_lost(struct etcd_driver *d)
{
    struct worker *next;
    unsigned left = LOST_TICK;

    for (struct worker *w = view_after(d->taking.view, 0); w != NULL; w = next) {
        struct worker draft = *w;
        struct err ignored = {0};
        int result;

        next = view_next(w);
        if (!is_lasting(w) || w->revision != 0)
            continue;
        if (left-- == 0)
            return;
        result = put(d, &draft, &ignored);
        if (result < 0)
            return;
        if (result == 0)
            w->revision = draft.revision;
    }
    d->taking.unwritten = false;
}

static void tell(struct etcd_driver *d, const struct etcd_state *state)
{
    ARENA_SCOPED a = {0};
    bool up = can_ask(d, state) && state->watching;

    if (up) {
        if (d->told_down)
            d->options->note(d->options->ctx, false, "etcd answers again");
        d->told_down = false;
        d->was_up = true;
    } else if (!d->told_down && (d->was_up || !d->taking.listed || state->why.code != ERR_NONE)) {
        d->options->note(
            d->options->ctx, true,
            str_format(&a, "%s; asking again",
                       state->why.code != ERR_NONE ? state->why.msg : "etcd does not answer"));
        d->told_down = true;
    }
}

static bool etcd_tick(void *driver)
{
    struct etcd_driver *d = driver;
    bool was_cut_off = d->cut_off;
    struct etcd_state state = look(d);

    d->shares = SHARES_TICK;
    take_batches(d);
    if (d->taking.unwritten && can_ask(d, &state))
        write_lost(d);
    etcd_vouch(&d->taking);
    tell(d, &state);
    d->cut_off = is_cut_off(d, &state);
    return was_cut_off && !d->cut_off;
}

/* Whether waiting for etcd may help. */
static bool is_final_word(const struct etcd_state *state)
{
    return !state->up && state->why.code == ERR_AUTH;
}

/* Waits for the first list. An etcd that is not there yet is no reason not to begin. */
static int wait_for_list(struct etcd_driver *d, struct err *err)
{
    uint64_t until_ms = now_ms(d) + OPEN_MS;
    struct etcd_state state;

    for (;;) {
        take_batches(d);
        state = look(d);
        if (is_final_word(&state)) {
            *err = state.why;
            return -1;
        }
        if ((d->taking.listed && can_ask(d, &state)) || stop_wanted() || now_ms(d) >= until_ms)
            break;
        if (!state.up && state.why.code != ERR_NONE)
            break;
        etcd_link_wait(d->link, until_ms - now_ms(d));
    }
    tell(d, &state);
    d->cut_off = is_cut_off(d, &state);
    return 0;
}

static int begin(struct etcd_driver *d, struct arena *a, struct view *view, const char *rest,
                 struct err *err)
{
    const struct registry_options *o = d->options;
    uint64_t patience_ms = o->ttl_ms / 4;

    if (gateway_configure(&d->config, a, rest, o->etcd, err) < 0)
        return -1;
    if (patience_ms < PATIENCE_MIN_MS)
        patience_ms = PATIENCE_MIN_MS;
    d->config.patience_ms = patience_ms < PATIENCE_MAX_MS ? patience_ms : PATIENCE_MAX_MS;
    d->taking =
        (struct etcd_taking){.view = view, .ttl_ms = o->ttl_ms, .note = o->note, .ctx = o->ctx};
    d->gateway = gateway_new(a, &d->config, err);
    if (d->gateway == NULL)
        return -1;
    d->link = etcd_link_new(a, &d->config, o->etcd->owner, o->ttl_ms, err);
    return d->link != NULL ? wait_for_list(d, err) : -1;
}

static void etcd_close(void *driver)
{
    struct etcd_driver *d = driver;

    etcd_link_free(&d->link);
    gateway_free(&d->gateway);
}

static void *etcd_open(struct arena *a, struct view *view, const char *rest,
                       const struct registry_options *options, struct err *err)
{
    struct etcd_driver *d = arena_new(a, struct etcd_driver);
    struct registry_options *kept = arena_new(a, struct registry_options);

    *kept = *options;
    d->options = kept;
    if (begin(d, a, view, rest, err) == 0)
        return d;
    etcd_close(d);
    return NULL;
}

const struct registry_driver registry_etcd = {
    .name = "etcd",
    .open = etcd_open,
    .put = etcd_put,
    .beat = etcd_beat,
    .remove = etcd_remove,
    .tick = etcd_tick,
    .ready = etcd_ready,
    .close = etcd_close,
};
