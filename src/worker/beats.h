/*
 * When a worker tells which coordinator what, and what becomes of each answer: a pure state machine
 * and one table (doc/registration.md prints it, and a test compares the two). No clock, no chance
 * and no network in it: the caller passes the time, a random number and what came of a message.
 *
 * A calling sequence:
 *
 *     while (!b.over) {
 *         wait until beats_due_ms(&b, change, now) or until there is more to tell
 *         send beats_message(&b, change) to coordinator b.at
 *         beats_answer(&b, &(struct beats_event){...})    and log what it returns
 *     }
 *
 * The first message to a coordinator is the whole record, later ones what changed. It stays with a
 * coordinator that answers; one that does not is left for the next in order whose wait is over.
 * Waits are each coordinator's own: they grow from a quarter second to the time between two beats,
 * and no further, so that who comes back knows its workers within one beat, and is asked no more
 * than it would be if it were there.
 */
#ifndef WORKER_BEATS_H
#define WORKER_BEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/buf.h"

#define BEATS_COORDINATORS_MAX ((size_t)16)
#define BEATS_EVERY_MS         UINT64_C(5000) /* until a coordinator says otherwise */
#define BEATS_EVERY_LEAST_MS   UINT64_C(500)  /* what it can say */
#define BEATS_EVERY_MOST_MS    UINT64_C(60000)
#define BEATS_CHANGES_MS       UINT64_C(1000)  /* progress is told at most this often */
#define BEATS_LATE_MS          UINT64_C(60000) /* for what somebody has to mend */
#define BEATS_NAMED_MOST_MS    UINT64_C(60000) /* a wait that a server names is obeyed up to this */
#define BEATS_QUIET_MS         UINT64_C(60000) /* between two lines of the log about a loss */

/* What came of a message. */
enum beats_what {
    BEATS_OK,
    BEATS_NOTHING,    /* no connection, no answer in time, cut off */
    BEATS_RUBBISH,    /* 2xx, and not what a coordinator says */
    BEATS_REDIRECT,   /* 3xx */
    BEATS_TOKEN,      /* 401, 403 */
    BEATS_UNKNOWN,    /* 404 with the code "unknown" */
    BEATS_SUPERSEDED, /* 409 with the code "superseded" */
    BEATS_TOO_LARGE,  /* 413 */
    BEATS_BUSY,       /* 429 */
    BEATS_REFUSED,    /* any other 4xx */
    BEATS_FAILING,    /* 5xx, 408, 425 */
    BEATS_WHATS,
};

/* What is to be told, as urgent as it is. */
enum beats_change {
    BEATS_SAME,
    BEATS_PROGRESS, /* of the download */
    BEATS_MEMBERS,  /* anything else but the state */
    BEATS_STATE,
};

enum beats_message {
    BEATS_REGISTER, /* the whole record */
    BEATS_BEAT,     /* alive, and the progress */
    BEATS_REPORT,   /* what changed */
};

/* What is worth a line of the log. */
enum beats_news {
    BEATS_QUIET,
    BEATS_FIRST, /* registered for the first time */
    BEATS_LOST,  /* no coordinator takes what we say */
    BEATS_BACK,  /* one does again */
    BEATS_MOVED, /* another one than before does */
    BEATS_ENDED, /* superseded: no more is said */
};

struct beats_event {
    enum beats_what what;
    uint64_t named_ms; /* a wait that the server named; 0: none */
    uint64_t every_ms; /* between two beats, as an OK answer says; 0: it does not */
    uint64_t now_ms;
    uint32_t random;
};

/* A plain value. The fields are for reading; functions below set them. */
struct beats {
    size_t count;
    size_t at;         /* the coordinator that is spoken to */
    bool registered;   /* with it */
    bool lean;         /* it takes no long messages: without GPUs */
    bool over;         /* nothing is said any more */
    uint64_t every_ms; /* as the coordinator wishes */
    uint64_t beat_ms;  /* when the next beat is due */
    uint64_t sent_ms;  /* when it last took something */
    uint64_t not_before_ms[BEATS_COORDINATORS_MAX];
    unsigned failures[BEATS_COORDINATORS_MAX]; /* of each in a row */
    size_t misses;                             /* of all in a row */
    bool ever;                                 /* some message was taken */
    size_t last;                               /* who took the last one */
    bool lost;                                 /* and the log says so */
    bool complained;
    uint64_t complained_ms;
};

/* count from 1 to BEATS_COORDINATORS_MAX. The first message is due at once. */
void beats_init(struct beats *b, size_t count, uint64_t now_ms);

/* When the next message is due, at now_ms the earliest; UINT64_MAX: never. */
uint64_t beats_due_ms(const struct beats *b, enum beats_change change, uint64_t now_ms);

enum beats_message beats_message(const struct beats *b, enum beats_change change);

enum beats_news beats_answer(struct beats *b, const struct beats_event *event);

/* What somebody had to mend has been: the present coordinator is asked again at once. */
void beats_mended(struct beats *b, uint64_t now_ms);

/* Whether what was seen is of the kind that somebody has to mend, so that a log line says so. */
bool beats_is_final(enum beats_what what);

/* The table as doc/registration.md has it, in Markdown. */
void beats_table(struct buf *out);

#endif
