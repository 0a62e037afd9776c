/*
 * How many connections one address of a host gets: pure control on a clock that is passed in.
 *
 * It starts with few, adds while the goodput grows by enough, goes back when it does not, halves at
 * once when it falls as connections rise or falls for long while they stay, and remembers the
 * number that provoked it: that many are never tried again at that address. Source of the rule: a
 * CDN that gives 300 MB/s to 4 connections for ever slows 64 of them, or after minutes 6, to a
 * crawl (facts of the Hub's CDN).
 *
 * A yes comes quickly, a no takes its time: where each connection brings its full share (an origin
 * that paces each of them), a window of a few waits for a first byte shows it, and the number
 * doubles; what brings less is judged after a whole second, in which new connections come up to
 * speed. Only a fall to nearly nothing is a quick no.
 */
#ifndef TRANSFER_PACE_H
#define TRANSFER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_START         4
#define PACE_QUICK_TICK_MS 20

enum pace_state {
    PACE_MEASURE, /* learning what the present number brings */
    PACE_TRY,     /* more than before: does it pay? */
    PACE_HOLD,    /* it did not, or there are no more to be had: watch for a collapse */
    PACE_LOW,     /* halved: lie low */
};

struct pace {
    enum pace_state state;
    unsigned allowed; /* connections now */
    unsigned before;  /* the number before the try */
    unsigned ceiling; /* never more */
    bool fixed;       /* the operator named the number: watched, not grown */
    uint64_t bytes;   /* of this epoch */
    uint64_t
        epoch_ms;     /* when it began: since then all that are allowed were at work for the host */
    uint64_t wait_ms; /* the longest wait for a first byte of late */
    uint64_t window_bps; /* of the window before, while measuring; 0: none */
    uint64_t quick_ms;   /* when the window of now began, and what had come until then */
    uint64_t quick_bytes;
    unsigned bad_windows;
    bool linear;       /* the last try brought a full share each */
    uint64_t until_ms; /* of HOLD and LOW */
    uint64_t hold_ms;  /* how long the next HOLD lasts */
    uint64_t base_bps; /* what the number before the try brought */
    uint64_t best_bps; /* most that was sustained while held */
    unsigned bad;      /* epochs in a row far below the best */
};

enum pace_change {
    PACE_SAME,
    PACE_CHANGED,   /* look at allowed; in PACE_LOW, those above it are to be cut off now */
    PACE_COLLAPSED, /* even few connections get a crawl: try another address */
};

void pace_init(struct pace *p, unsigned max, bool fixed, uint64_t now_ms);

/* The address is in use again after a while: what is being measured begins anew. */
void pace_restart(struct pace *p, uint64_t now_ms);

/* Bytes of content came over this address. */
void pace_bytes(struct pace *p, uint64_t n);

/* A request waited so long for its first byte. */
void pace_waited(struct pace *p, uint64_t ms);

/* It is being found out how many pay: call pace_tick() every PACE_QUICK_TICK_MS. */
bool pace_is_trying(const struct pace *p);

/*
 * Call a few times a second with the number of connections at work. limited: the host was not what
 * slowed us (buffers, the rate limit, a wait), so this epoch proves nothing.
 */
enum pace_change pace_tick(struct pace *p, unsigned active, bool limited, uint64_t now_ms);

#endif
