#include "worker/beats.h"

#include <assert.h>

#include "transfer/retry.h"

enum go {
    STAY, /* with this coordinator */
    NEXT, /* to the next in order whose wait is over */
    OVER, /* nothing more is said */
};

enum wait {
    NONE, /* ask at once, or at the next beat */
    SOON, /* growing, from a quarter second to the time between two beats */
    LATE, /* a minute */
};

struct row {
    const char *seen;
    enum go go;
    enum wait wait;
    bool named;  /* a wait that the server names is taken in place of that */
    bool forget; /* it does not know us (any more): register */
    const char *done;
};

static const struct row table[BEATS_WHATS] = {
    [BEATS_OK] = {"2xx that says when to beat", STAY, NONE, false, false,
                  "the next beat when it is due, changes sooner"},
    [BEATS_NOTHING] = {"no connection, no answer in time, cut off", NEXT, SOON, false, false,
                       "what it did not take is told again"},
    [BEATS_RUBBISH] = {"2xx that is no answer of a coordinator, or too long", NEXT, SOON, false,
                       true, "as if there were none"},
    [BEATS_REDIRECT] = {"3xx", NEXT, LATE, false, true,
                        "never followed, so that record and token go nowhere else"},
    [BEATS_TOKEN] = {"401, 403", NEXT, LATE, false, true,
                     "a token's file is looked at each second: another token is tried at once"},
    [BEATS_UNKNOWN] = {"404 with code `unknown`", STAY, NONE, false, true,
                       "registers again, with the whole record"},
    [BEATS_SUPERSEDED] = {"409 with code `superseded`", OVER, NONE, false, true,
                          "a newer instance has this id: no more is said, the worker goes on"},
    [BEATS_TOO_LARGE] = {"413", STAY, NONE, false, true,
                         "registers again without GPUs; if that is too large too, as other 4xx"},
    [BEATS_BUSY] = {"429", STAY, SOON, true, false, "the same coordinator is asked again"},
    [BEATS_REFUSED] = {"any other 4xx", NEXT, LATE, false, true,
                       "the log has what it answered, once"},
    [BEATS_FAILING] = {"5xx, 408, 425", NEXT, SOON, true, false,
                       "what it did not take is told again"},
};

void beats_init(struct beats *b, size_t count, uint64_t now_ms)
{
    assert(count > 0 && count <= BEATS_COORDINATORS_MAX);
    *b = (struct beats){.count = count, .every_ms = BEATS_EVERY_MS, .beat_ms = now_ms};
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Between 4/5 and 6/5 of it, so that workers that were started together do not beat together. */
static uint64_t jitter(uint64_t ms, uint32_t random)
{
    return ms * 4 / 5 + (ms * 2 / 5) * random / UINT32_MAX;
}

uint64_t beats_due_ms(const struct beats *b, enum beats_change change, uint64_t now_ms)
{
    uint64_t due = b->beat_ms;

    if (b->over)
        return UINT64_MAX;
    if (!b->registered || change == BEATS_STATE || b->failures[b->at] > 0)
        due = now_ms;
    else if (change != BEATS_SAME && b->sent_ms + BEATS_CHANGES_MS < due)
        due = b->sent_ms + BEATS_CHANGES_MS;
    return later(later(due, b->not_before_ms[b->at]), now_ms);
}

enum beats_message beats_message(const struct beats *b, enum beats_change change)
{
    if (!b->registered)
        return BEATS_REGISTER;
    return change > BEATS_PROGRESS ? BEATS_REPORT : BEATS_BEAT;
}

static enum beats_news take(struct beats *b, const struct beats_event *e)
{
    enum beats_news news = BEATS_QUIET;

    if (!b->ever)
        news = BEATS_FIRST;
    else if (b->lost)
        news = BEATS_BACK;
    else if (b->last != b->at)
        news = BEATS_MOVED;
    if (e->every_ms != 0)
        b->every_ms = e->every_ms < BEATS_EVERY_LEAST_MS  ? BEATS_EVERY_LEAST_MS
                      : e->every_ms > BEATS_EVERY_MOST_MS ? BEATS_EVERY_MOST_MS
                                                          : e->every_ms;
    b->registered = b->ever = true;
    b->last = b->at;
    b->lost = false;
    b->misses = 0;
    b->failures[b->at] = 0;
    b->not_before_ms[b->at] = 0;
    b->sent_ms = e->now_ms;
    b->beat_ms = e->now_ms + jitter(b->every_ms, e->random);
    return news;
}

/* UNKNOWN to a registration and TOO_LARGE of the shortest are refusals: asking again mends nothing.
 */
static enum beats_what understand(const struct beats *b, enum beats_what what)
{
    if ((what == BEATS_UNKNOWN && !b->registered) || (what == BEATS_TOO_LARGE && b->lean))
        return BEATS_REFUSED;
    return what;
}

static uint64_t wait_of(const struct beats *b, const struct row *row, const struct beats_event *e)
{
    uint64_t named = e->named_ms < BEATS_NAMED_MOST_MS ? e->named_ms : BEATS_NAMED_MOST_MS;
    uint64_t grown = retry_backoff_ms(b->failures[b->at], e->random);
    uint64_t most = jitter(b->every_ms, e->random);

    /* Everyone who was told the same second comes back in it, so come a little later. */
    if (row->named && e->named_ms > 0)
        return named + UINT64_C(500) * e->random / UINT32_MAX;
    if (row->wait == LATE)
        return jitter(BEATS_LATE_MS, e->random);
    return grown < most ? grown : most;
}

/* The first after the present one whose wait is over, else whose is over first. */
static size_t choose(const struct beats *b, uint64_t now_ms)
{
    size_t best = b->at;

    for (size_t i = 1; i <= b->count; i++) {
        size_t one = (b->at + i) % b->count;

        if (b->not_before_ms[one] <= now_ms)
            return one;
        if (b->not_before_ms[one] < b->not_before_ms[best])
            best = one;
    }
    return best;
}

static void go_on(struct beats *b, uint64_t now_ms)
{
    size_t next = choose(b, now_ms);

    if (next == b->at)
        return;
    b->at = next;
    b->registered = b->lean = false;
}

/* One more miss than there are coordinators: a single answer that got lost is not worth a line. */
static enum beats_news complain(struct beats *b, const struct row *row, uint64_t now_ms)
{
    size_t enough = row->wait == LATE ? b->count : b->count + 1;

    if (b->lost || b->misses < enough ||
        (b->complained && now_ms - b->complained_ms < BEATS_QUIET_MS))
        return BEATS_QUIET;
    b->lost = b->complained = true;
    b->complained_ms = now_ms;
    return BEATS_LOST;
}

enum beats_news beats_answer(struct beats *b, const struct beats_event *e)
{
    enum beats_what what = understand(b, e->what);
    const struct row *row = &table[what];

    if (what == BEATS_OK)
        return take(b, e);
    if (row->forget)
        b->registered = false;
    if (row->go == OVER) {
        b->over = true;
        return BEATS_ENDED;
    }
    if (what == BEATS_TOO_LARGE)
        b->lean = true;
    if (row->wait == NONE)
        return BEATS_QUIET;
    b->failures[b->at]++;
    b->misses++;
    b->not_before_ms[b->at] = e->now_ms + wait_of(b, row, e);
    if (row->go == NEXT)
        go_on(b, e->now_ms);
    return complain(b, row, e->now_ms);
}

void beats_mended(struct beats *b, uint64_t now_ms)
{
    b->not_before_ms[b->at] = now_ms;
}

bool beats_is_final(enum beats_what what)
{
    return table[what].wait == LATE;
}

void beats_table(struct buf *out)
{
    static const char *const goes[] = {"stays", "next", "ends"};
    static const char *const waits[] = {"none", "growing", "1 min"};

    buf_addz(out, "| the coordinator answers | asked next | wait | known to it | what is done |\n"
                  "|---|---|---|---|---|\n");
    for (size_t i = 0; i < BEATS_WHATS; i++)
        buf_addf(out, "| %s | %s | %s%s | %s | %s |\n", table[i].seen, goes[table[i].go],
                 table[i].named ? "as named, else " : "", waits[table[i].wait],
                 table[i].forget ? "no" : "as before", table[i].done);
}
