#include "transfer/pace.h"

#define EPOCH_MS      1000
#define HOLD_FIRST_MS 30000
#define HOLD_MAX_MS   300000
#define LOW_MS        60000
#define BAD_EPOCHS    3

/* A window that may say yes: long enough to count in, and for new connections to have begun. */
#define QUICK_LEAST_MS 40
#define QUICK_WAITS    3

/* So many of them in a row far below what fewer connections brought need no whole second either. */
#define BAD_WINDOWS 3

void pace_init(struct pace *p, unsigned max, bool fixed, uint64_t now_ms)
{
    *p = (struct pace){.state = PACE_MEASURE,
                       .ceiling = max,
                       .fixed = fixed,
                       .epoch_ms = now_ms,
                       .quick_ms = now_ms,
                       .hold_ms = HOLD_FIRST_MS};
    p->allowed = fixed || max < PACE_START ? max : PACE_START;
}

/* A new epoch: nothing has come, all are at work. */
static void begin_epoch(struct pace *p, uint64_t now_ms)
{
    p->bytes = p->quick_bytes = 0;
    p->epoch_ms = p->quick_ms = now_ms;
    p->window_bps = 0;
    p->bad_windows = 0;
}

void pace_restart(struct pace *p, uint64_t now_ms)
{
    begin_epoch(p, now_ms);
    p->bad = 0;
}

void pace_bytes(struct pace *p, uint64_t n)
{
    p->bytes += n;
}

void pace_waited(struct pace *p, uint64_t ms)
{
    p->wait_ms = ms > p->wait_ms ? ms : (3 * p->wait_ms + ms) / 4;
}

bool pace_is_trying(const struct pace *p)
{
    return !p->fixed && (p->state == PACE_MEASURE || p->state == PACE_TRY);
}

static void hold(struct pace *p, uint64_t bps, uint64_t now_ms)
{
    p->state = PACE_HOLD;
    p->until_ms = now_ms + p->hold_ms;
    p->hold_ms = p->hold_ms * 2 > HOLD_MAX_MS ? HOLD_MAX_MS : p->hold_ms * 2;
    p->best_bps = bps;
    p->bad = 0;
    p->linear = false;
}

/* Asks for more connections and remembers what the present number brought. */
static enum pace_change grow(struct pace *p, uint64_t bps, uint64_t now_ms)
{
    unsigned more = p->linear ? p->allowed : p->allowed / 2 > 2 ? p->allowed / 2 : 2;

    if (p->fixed || p->allowed >= p->ceiling) {
        hold(p, bps, now_ms);
        return PACE_SAME;
    }
    p->before = p->allowed;
    p->base_bps = bps;
    p->allowed = p->allowed + more > p->ceiling ? p->ceiling : p->allowed + more;
    p->state = PACE_TRY;
    return PACE_CHANGED;
}

/* Fewer connections at once, and never again as many as provoked it. */
static enum pace_change halve(struct pace *p, uint64_t now_ms)
{
    if (p->ceiling >= p->allowed && p->allowed > 1)
        p->ceiling = p->allowed - 1;
    p->allowed = p->allowed > 1 ? p->allowed / 2 : 1;
    p->state = PACE_LOW;
    p->until_ms = now_ms + LOW_MS;
    p->bad = 0;
    p->linear = false;
    return PACE_CHANGED;
}

/* More connections brought less: somewhere above what was before is the number that is punished. */
static enum pace_change take_back(struct pace *p, uint64_t now_ms)
{
    p->best_bps = p->base_bps;
    (void)halve(p, now_ms);
    p->ceiling = p->before;
    return PACE_CHANGED;
}

static enum pace_change judge_try(struct pace *p, uint64_t bps, uint64_t now_ms)
{
    if (bps < p->base_bps / 10 * 7)
        return take_back(p, now_ms);
    if (bps >= p->base_bps + p->base_bps / 10) {
        p->linear = false;
        return grow(p, bps, now_ms);
    }
    p->allowed = p->before;
    hold(p, p->base_bps, now_ms);
    return PACE_CHANGED;
}

/* True after enough epochs in a row with less than two fifths of the best. */
static bool collapsed(struct pace *p, uint64_t bps)
{
    p->bad = bps < p->best_bps / 5 * 2 ? p->bad + 1 : 0;
    if (bps > p->best_bps)
        p->best_bps = bps;
    return p->bad >= BAD_EPOCHS;
}

static enum pace_change judge_hold(struct pace *p, uint64_t bps, uint64_t now_ms)
{
    if (collapsed(p, bps))
        return halve(p, now_ms);
    if (p->bad == 0 && now_ms >= p->until_ms)
        return grow(p, bps, now_ms);
    return PACE_SAME;
}

static enum pace_change judge_low(struct pace *p, uint64_t bps, uint64_t now_ms)
{
    if (collapsed(p, bps)) {
        (void)halve(p, now_ms);
        return PACE_COLLAPSED;
    }
    if (now_ms >= p->until_ms && p->bad == 0) {
        p->state = PACE_MEASURE;
        p->best_bps = 0;
    }
    return PACE_SAME;
}

/* Whether what a window brought is full speed, and not still on its way there. */
static bool is_steady(struct pace *p, uint64_t bps)
{
    bool steady = p->window_bps > 0 && bps <= p->window_bps + p->window_bps / 7;

    p->window_bps = bps;
    return steady;
}

/* More than three fifths of what the new connections would bring if each brought a full share. */
static bool is_linear(const struct pace *p, uint64_t bps)
{
    uint64_t more = p->base_bps * (p->allowed - p->before) / p->before;

    return bps >= p->base_bps + more / 5 * 3;
}

static bool is_punished(struct pace *p, uint64_t bps)
{
    p->bad_windows = bps < p->base_bps / 4 ? p->bad_windows + 1 : 0;
    return p->bad_windows >= BAD_WINDOWS;
}

/* A window within the epoch: says yes, a clear no, or nothing. */
static enum pace_change judge_window(struct pace *p, uint64_t now_ms)
{
    uint64_t passed = now_ms - p->quick_ms;
    uint64_t bps;

    if (!pace_is_trying(p) || passed < QUICK_LEAST_MS || passed < QUICK_WAITS * p->wait_ms)
        return PACE_SAME;
    bps = (p->bytes - p->quick_bytes) * 1000 / passed;
    p->quick_bytes = p->bytes;
    p->quick_ms = now_ms;
    if (p->state == PACE_TRY && is_punished(p, bps)) {
        begin_epoch(p, now_ms);
        return take_back(p, now_ms);
    }
    if (p->state == PACE_MEASURE ? !is_steady(p, bps) : !is_linear(p, bps))
        return PACE_SAME;
    p->linear = p->state == PACE_TRY;
    begin_epoch(p, now_ms);
    return grow(p, bps, now_ms);
}

enum pace_change pace_tick(struct pace *p, unsigned active, bool limited, uint64_t now_ms)
{
    uint64_t passed = now_ms - p->epoch_ms;
    uint64_t bps;

    if (limited || active < p->allowed) {
        begin_epoch(p, now_ms);
        return PACE_SAME;
    }
    if (passed < EPOCH_MS)
        return judge_window(p, now_ms);
    bps = p->bytes * 1000 / passed;
    begin_epoch(p, now_ms);
    switch (p->state) {
    case PACE_MEASURE: return grow(p, bps, now_ms);
    case PACE_TRY: return judge_try(p, bps, now_ms);
    case PACE_HOLD: return judge_hold(p, bps, now_ms);
    case PACE_LOW: return judge_low(p, bps, now_ms);
    }
    return PACE_SAME;
}
