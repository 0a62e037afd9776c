#include "transfer/pace.h"

#define EPOCH_MS      1000
#define HOLD_FIRST_MS 30000
#define HOLD_MAX_MS   300000
#define LOW_MS        60000
#define BAD_EPOCHS    3

void pace_init(struct pace *p, unsigned max, bool fixed, uint64_t now_ms)
{
    *p = (struct pace){.state = PACE_MEASURE,
                       .ceiling = max,
                       .fixed = fixed,
                       .epoch_ms = now_ms,
                       .hold_ms = HOLD_FIRST_MS};
    p->allowed = fixed || max < PACE_START ? max : PACE_START;
}

void pace_restart(struct pace *p, uint64_t now_ms)
{
    p->bytes = 0;
    p->epoch_ms = now_ms;
    p->idle = false;
    p->bad = 0;
}

void pace_bytes(struct pace *p, uint64_t n)
{
    p->bytes += n;
}

static void hold(struct pace *p, uint64_t bps, uint64_t now_ms)
{
    p->state = PACE_HOLD;
    p->until_ms = now_ms + p->hold_ms;
    p->hold_ms = p->hold_ms * 2 > HOLD_MAX_MS ? HOLD_MAX_MS : p->hold_ms * 2;
    p->best_bps = bps;
    p->bad = 0;
}

/* Asks for more connections and remembers what the present number brought. */
static enum pace_change grow(struct pace *p, uint64_t bps, uint64_t now_ms)
{
    unsigned more = p->allowed / 2 > 2 ? p->allowed / 2 : 2;

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
    return PACE_CHANGED;
}

static enum pace_change judge_try(struct pace *p, uint64_t bps, uint64_t now_ms)
{
    if (bps < p->base_bps / 10 * 7) {
        p->best_bps = p->base_bps;
        return halve(p, now_ms);
    }
    if (bps >= p->base_bps + p->base_bps / 10)
        return grow(p, bps, now_ms);
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

enum pace_change pace_tick(struct pace *p, unsigned active, bool limited, uint64_t now_ms)
{
    uint64_t passed = now_ms - p->epoch_ms;
    bool proves;
    uint64_t bps;

    if (limited || active < p->allowed)
        p->idle = true;
    if (passed < EPOCH_MS)
        return PACE_SAME;
    bps = p->bytes * 1000 / passed;
    proves = !p->idle;
    p->bytes = 0;
    p->epoch_ms = now_ms;
    p->idle = false;
    if (!proves)
        return PACE_SAME;
    switch (p->state) {
    case PACE_MEASURE: return grow(p, bps, now_ms);
    case PACE_TRY: return judge_try(p, bps, now_ms);
    case PACE_HOLD: return judge_hold(p, bps, now_ms);
    case PACE_LOW: return judge_low(p, bps, now_ms);
    }
    return PACE_SAME;
}
