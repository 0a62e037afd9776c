/*
 * The inside of the link: what its threads and its owner share. Included by etcd_link.c (the face),
 * etcd_keep.c and etcd_watch.c; by nobody else.
 */
#ifndef COORD_ETCD_THREADS_H
#define COORD_ETCD_THREADS_H

#include <pthread.h>

#include "coord/etcd_link.h"

#define ETCD_RETRY_MIN_MS 100
#define ETCD_RETRY_MAX_MS 1000
/* Batches that wait for the owner; the watcher waits when there are so many. */
#define ETCD_BATCHES_MAX 64
#define ETCD_BODY_LIMIT  ((size_t)8192)

struct etcd_link {
    const struct gateway_config *config;
    const char *owner;
    uint64_t ttl_s;
    struct gateway *keeper;
    struct gateway *watcher;
    pthread_t threads[2];
    size_t thread_count;
    /* The watcher's own. */
    uint64_t next_revision; /* that is heard next; 0: a list is needed */
    uint64_t seen_revision; /* the newest of the store that we know of */
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t news;   /* for the owner */
    pthread_cond_t wanted; /* for the threads */
    struct etcd_state state;
    uint64_t asked_ms; /* when the owner last asked for it */
    struct etcd_batch *first, **last;
    size_t batches;
    bool doubted; /* the keeper shall look at once */
    bool relist;  /* the store may be another one */
    bool ended;
};

void etcd_lock(struct etcd_link *l);
void etcd_unlock(struct etcd_link *l);

/* Under the lock: waits for one of the two conditions, at most that long. */
void etcd_wait_for(struct etcd_link *l, pthread_cond_t *condition, uint64_t ms);

/* Under the lock: whether the threads are to end. */
bool etcd_is_over(const struct etcd_link *l);

/* How long to wait after a failure that followed such a wait. */
uint64_t etcd_longer(uint64_t wait_ms);

/* The threads; ctx is the link. */
void *etcd_keep(void *ctx);
void *etcd_watch(void *ctx);

#endif
