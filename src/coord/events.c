#include "coord/events.h"

#include <inttypes.h>
#include <string.h>

#include "fleet/record.h"
#include "json/json.h"
#include "text/num.h"

/* The beginning of a frame with all ids that can be gone, each escaped at its worst. */
#define HEAD_MAX (VIEW_GONE_MAX * (6 * FLEET_ID_MAX + 4))

/* Workers are written until there is so much text. */
#define PIECE_BYTES ((size_t)32 << 10)

/* The number in an id of this view's epoch; false: another epoch, or no such id. */
static bool parse_id(uint64_t *out, const struct view *view, struct str id)
{
    struct err ignored = {0};
    struct str epoch;

    return str_cut(&id, '-', &epoch) && str_eqz(epoch, view_epoch(view)) &&
           num_parse_u64(out, id, UINT64_MAX, &ignored) == 0;
}

void events_init(struct events *e, const struct view *view, struct str last_id)
{
    *e = (struct events){.view = view};
    e->reset =
        last_id.ptr == NULL || !parse_id(&e->seq, view, last_id) || !view_knows_since(view, e->seq);
    /* The first frame or comment is due at once: the client sees that it is heard. */
    e->wrote_ms = clock_now_ms(view_clock(view)) - EVENTS_IDLE_MS;
}

void events_done(struct events *e)
{
    arena_free(&e->arena);
}

bool events_due(const struct events *e)
{
    uint64_t quiet_ms = clock_now_ms(view_clock(e->view)) - e->wrote_ms;

    if (e->rest.len > 0 || e->open)
        return true;
    if (e->reset || e->seq < view_seq(e->view))
        return quiet_ms >= EVENTS_MS;
    return quiet_ms >= EVENTS_IDLE_MS;
}

static void put_gone(struct buf *b, struct events *e)
{
    uint64_t seq = e->seq;
    const char *comma = "";

    json_put_key(b, "gone");
    buf_addc(b, '[');
    for (;;) {
        const char *id = view_gone_after(e->view, &seq);

        if (id == NULL)
            break;
        buf_addz(b, comma);
        json_put_str(b, str_from(id));
        comma = ",";
    }
    buf_addc(b, ']');
}

/* Begins a frame of all that has changed up to now. */
static void begin(struct events *e, struct buf *b)
{
    e->reset = e->reset || !view_knows_since(e->view, e->seq);
    e->target = view_seq(e->view);
    buf_addf(b, "event: %s\nid: %s-%" PRIu64 "\ndata: {", e->reset ? "reset" : "change",
             view_epoch(e->view), e->target);
    if (e->reset)
        e->seq = 0;
    else
        put_gone(b, e);
    json_put_key(b, "workers");
    buf_addc(b, '[');
    e->open = true;
    e->first = true;
    e->reset = false;
}

static void end(struct events *e, struct buf *b)
{
    buf_addz(b, "]}\n\n");
    e->seq = e->target;
    e->open = false;
    e->wrote_ms = clock_now_ms(view_clock(e->view));
}

/*
 * The next workers of the frame, or its end. One that changes while the frame is written gets a
 * number beyond the target, and stands in the next frame. Several at once, since each time the
 * place is looked for anew: whoever stood there may be gone.
 */
static void go_on(struct events *e, struct buf *b)
{
    const struct worker *w = view_after(e->view, e->seq);

    for (; w != NULL && w->seq <= e->target && b->len < PIECE_BYTES; w = view_next(w)) {
        struct fleet_listed listed = view_listed(e->view, w);

        buf_addz(b, e->first ? "" : ",");
        fleet_listed_put(b, &listed);
        e->first = false;
        e->seq = w->seq;
    }
    if (w == NULL || w->seq > e->target)
        end(e, b);
}

/* Makes the next piece of text; nothing if there is none now. */
static void make(struct events *e)
{
    struct buf b;

    arena_free(&e->arena);
    e->rest = (struct str){0};
    if (!events_due(e))
        return;
    b = buf_new(&e->arena, HEAD_MAX);
    if (e->open) {
        go_on(e, &b);
    } else if (e->reset || e->seq < view_seq(e->view)) {
        begin(e, &b);
    } else {
        buf_addz(&b, ":\n\n");
        e->wrote_ms = clock_now_ms(view_clock(e->view));
    }
    e->rest = buf_str(&b);
}

size_t events_read(struct events *e, char *out, size_t max)
{
    size_t len = 0;

    while (len < max) {
        size_t part;

        if (e->rest.len == 0)
            make(e);
        if (e->rest.len == 0)
            break;
        part = e->rest.len < max - len ? e->rest.len : max - len;
        memcpy(out + len, e->rest.ptr, part);
        e->rest.ptr += part;
        e->rest.len -= part;
        len += part;
    }
    return len;
}
