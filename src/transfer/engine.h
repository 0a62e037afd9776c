/*
 * The inside of the engine: what its threads share. Included by transfer.c (the face), loop.c (the
 * network thread), schedule.c (which request next), fetch.c (a request's bytes), answer.c (what an
 * answer means), failure.c (what follows from one that was no good), address.c (which address of a
 * host), disk.c (the lanes), hash.c and write.c; by nobody else.
 *
 * One lock, t->lock, protects all that more than one thread touches: the lists of files, the books
 * of each (ranges), the chunks, the queues of the lanes, the events. It is never held over I/O.
 * What is marked [net] belongs to the network thread alone.
 */
#ifndef TRANSFER_ENGINE_H
#define TRANSFER_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "transfer/curl.h"
#include "transfer/fit.h"
#include "transfer/out.h"
#include "transfer/pace.h"
#include "transfer/pool.h"
#include "transfer/ranges.h"
#include "transfer/rate.h"
#include "transfer/request.h"
#include "transfer/retry.h"
#include "transfer/transfer.h"

#define ENGINE_CONNS       64 /* requests under way, of all hosts together */
#define ENGINE_FILES       64 /* files under way */
#define ENGINE_THREADS_MAX 8  /* of each kind */
#define ENGINE_HOPS        10 /* redirects from a canonical URL to the bytes */
#define ENGINE_WORDS       256
#define ENGINE_REQUEST_MIN ((uint64_t)2 << 20) /* a request for a range begins with that */
#define ENGINE_REQUEST_MAX ((uint64_t)64 << 20)

/* [net] One origin that we fetch from, and how it bears us. */
struct host {
    struct host *next;
    struct transfer *t;
    struct url url; /* its scheme, name and port */
    const char *name;
    struct pace *pace;       /* of the address in use */
    struct address *address; /* in use */
    struct address *addresses;
    struct curl_slist *connect_to; /* NULL: as the name resolves */
    struct lookup *lookup;         /* of more addresses, under way */
    bool looked_up;
    unsigned active; /* requests under way */
    uint64_t not_before_ms;
    uint64_t progress_ms; /* when it last did what it was asked */
    unsigned failures;    /* since then */
    uint64_t failed_ms;   /* when the last of them was counted */
    uint64_t request_bytes;
    const char *issuer; /* of a certificate that was refused; NULL: not known */
};

/* [net] Where a file's bytes were last found. */
struct file_link {
    struct arena arena;
    struct url url;
    bool known;  /* else the canonical URL is to be asked */
    bool left;   /* the canonical origin, on the way here: no authorization from there on */
    bool proved; /* it has answered with bytes; until then one request at a time goes there */
    unsigned hops;
    unsigned id; /* grows whenever it changes */
};

struct file {
    struct file *next;
    struct transfer *t;
    struct transfer_target target;
    struct arena arena; /* of the books */
    struct ranges ranges;
    _Atomic bool ended;  /* its event is out; only the network thread may unlink and free it */
    _Atomic bool failed; /* err says why; it ends when all that is under way has been put down */
    bool abandoned;      /* reported while a disk hung: never to be touched or freed again */
    struct err err;
    unsigned conns; /* requests under way */

    /* [net] */
    struct file_link link;
    struct host *host;
    bool proving;        /* a request to a link not yet proved is under way */
    _Atomic bool single; /* one plain stream only */
    uint64_t not_before_ms;
    uint64_t progress_ms;
    unsigned attempt;   /* failures in a row without progress */
    uint64_t failed_ms; /* when the last of them was counted */
    unsigned same;
    enum retry_what what;
    int status;

    /* The lanes: at most one thread at a time in each. */
    struct chunk *write_first;
    struct chunk **write_last;
    struct chunk *unhashed; /* by offset */
    struct file *next_write;
    struct file *next_hash;
    bool write_queued, writing;
    bool hash_queued, hashing;
    unsigned writes;     /* chunks that are for the writer */
    uint64_t blocked_ms; /* since when the hash waits for bytes; 0: it does not */
    struct digest_stream *stream;
    bool read_all;   /* hash what is on disk without checksums */
    bool had_claims; /* what is hashed now holds bytes of earlier runs */
    struct out out;
    unsigned bad_digests;
};

/* [net] One request under way. */
struct conn {
    struct request request;
    struct transfer *t;
    struct file *file; /* NULL: free */
    struct host *host;
    struct pace *pace; /* of the address it went to */
    unsigned link_id;
    bool canonical; /* asked of the canonical origin */
    bool ranged;    /* a Range was asked for */
    bool proves;    /* the file's link was not proved when it began */
    bool probe;     /* looks who issued a certificate */
    bool accepted;  /* the body is the file's bytes */
    bool enough;    /* ended by us, all is well */
    bool judged;    /* the answer was no good: what, status, words say why */
    bool paused;    /* for a chunk or for the rate */
    bool hungry;    /* for a chunk */
    enum retry_what what;
    int status;
    char words[ENGINE_WORDS];
    struct ranges_span span; /* taken for it and not yet handed over; start moves along */
    uint64_t pos;            /* of the body's next byte */
    size_t consumed;         /* of a delivery that was paused half-way: it comes once more */
    size_t counted;          /* of that delivery, in the statistics */
    struct chunk *chunk;     /* being filled; its bytes are behind span.start */
    uint64_t chunk_ms;       /* when its first byte came */
    uint64_t first_ms;       /* of the body's first byte; 0: none yet */
    uint64_t got;            /* bytes of body */
    uint64_t window_ms;      /* of the stall watch */
    uint64_t window_got;
    size_t drained;
};

struct event {
    struct event *next;
    struct transfer_event event;
    struct arena arena; /* it lives in its own */
};

struct lane {
    pthread_cond_t work;
    unsigned wakes; /* to be done */
    struct file *first;
    struct file **last;
    pthread_t threads[ENGINE_THREADS_MAX];
    unsigned thread_count;
};

struct transfer {
    struct net_config net;
    const struct curl_api *curl;
    struct arena arena;
    pthread_mutex_t lock;
    pthread_cond_t quiet; /* a file ended */
    bool quit;
    bool sleeping; /* the network thread polls: wake it */
    bool news;     /* for the network thread, since its turn began: it shall not sleep */

    struct file *queue; /* not begun */
    struct file **queue_last;
    struct file *files; /* under way */
    unsigned file_count;
    unsigned unreported; /* added, event not yet returned */

    struct pool pool;
    unsigned starved; /* connections that wait for a chunk */
    struct lane hash;
    struct lane write;

    struct event *events;
    struct event **events_last;
    int event_fd;

    _Atomic uint64_t received;
    uint64_t ended_staged;
    uint64_t ended_hashed;
    uint64_t bps;
    unsigned busy; /* connections */

    /* [net] */
    pthread_t thread;
    CURLM *multi;
    struct host *hosts;
    struct conn conns[ENGINE_CONNS];
    struct rate rate;
    struct fit fit; /* of requests into memory */
    bool throttled; /* it held something up since the pace was looked at */
    uint32_t random;
    uint64_t now_ms; /* when this turn of its loop began */
    uint64_t pace_ms;
    uint64_t tick_ms;
    uint64_t tick_every_ms;
    uint64_t bps_bytes[8]; /* received in the last seconds, one each */
    unsigned bps_at;
    uint64_t bps_ms;
};

static inline uint64_t engine_now(const struct transfer *t)
{
    return clock_now_ms(t->net.clock);
}

/*
 * A thread that is woken while the lock is held would only wait for it, so wakes are counted under
 * the lock and done when it is let go.
 */
static inline void engine_lock(struct transfer *t)
{
    (void)pthread_mutex_lock(&t->lock);
}

void engine_unlock(struct transfer *t);

/* transfer.c; with the lock held */
void engine_fail(struct file *f, const struct err *err);
void engine_settle(struct file *f); /* ends f if it failed and all is put down */
void engine_done(struct file *f);
void engine_wake(struct transfer *t);

/* loop.c */
void *engine_loop(void *ctx);          /* what the network thread runs until t->quit */
void engine_free_file(struct file *f); /* nobody else knows it any more; with the lock held */

/* disk.c; with the lock held */
/*
 * A filled chunk, to hash and writer. They are woken for a good stretch, or if it is urgent, else
 * by disk_kick_all().
 */
void disk_put(struct file *f, struct chunk *c, bool urgent);
void disk_kick_all(struct transfer *t);
void disk_kick_hash(struct file *f);
bool disk_reclaim(struct transfer *t);              /* frees what can be read back later */
void disk_release(struct file *f, struct chunk *c); /* if nobody wants it any more */
bool disk_hashable(const struct file *f);           /* there is something to do for the hash */
/* One more thread of t; a limit that forbids it is ERR_LIMIT. */
int disk_thread(pthread_t *out, void *(*run)(void *), struct transfer *t,
                struct err *err) MUST_CHECK;
int disk_start(struct transfer *t, struct err *err) MUST_CHECK;

/* One turn of a file on its lane; the lock is held on entry and exit. */
void write_turn(struct file *f);           /* write.c */
void hash_turn(struct file *f, char *buf); /* hash.c; buf: POOL_CHUNK bytes to read back into */

/* schedule.c [net] */
void schedule(struct transfer *t);                                    /* with the lock held */
uint64_t schedule_wait_ms(struct transfer *t);                        /* with the lock held */
void schedule_ticks(struct transfer *t);                              /* timers; without the lock */
void schedule_link(struct file *f, const struct url *url, bool left); /* a redirect led there */
void schedule_forget_link(struct file *f);
void schedule_served(struct host *h); /* it did what it was asked */
void schedule_proved(struct conn *c); /* the link that c asked answers with bytes */

/* fetch.c [net] */
int fetch_start(struct conn *c, struct file *f, struct ranges_span span,
                struct err *err) MUST_CHECK;
void fetch_flush(struct conn *c);      /* hands over what the chunk holds; without the lock */
void fetch_stop(struct conn *c);       /* out of the multi, books put right; with the lock held */
void fetch_resume(struct transfer *t); /* lets paused requests go on */
bool fetch_resumable(const struct conn *c); /* it waits for a chunk and may have one; locked */

/* answer.c [net] */
bool answer_headers(void *conn);                  /* judges an answer's headers */
void answer_end(struct conn *c, CURLcode result); /* the exchange has ended; without the lock */
void answer_slow(struct conn *c, enum retry_what what, const char *words);

/* failure.c [net]; without the lock */
void failure_note(struct conn *c, enum retry_what what, int status, const char *fmt, ...)
    PRINTF_LIKE(4, 5);                                     /* c was no good, in these words */
void failure_final(struct file *f, const struct err *err); /* no other try will help f */
void failure_retry(struct conn *c);                        /* what was noted decides what is next */
bool failure_probe(struct conn *c);      /* c goes on, to see who issued a certificate */
void failure_read_probe(struct conn *c); /* it has seen it */

/* address.c [net] */
void address_init(struct host *h);
void address_seen(struct host *h, const char *ip); /* that curl connected to */
void address_collapsed(struct host *h);            /* this one gives a crawl: try another */
void address_poll(struct host *h);
void address_done(struct host *h);

#endif
