/*
 * A coordinator's touch with etcd, kept by two threads.
 *
 * The keeper holds one lease, and renews it three times in its time to live. A lease that etcd no
 * longer knows is followed by a new one: the keys that lay on the old one are gone or will be.
 * Each time it also writes a key of this coordinator's own, on that lease: so it is known that etcd
 * takes changes and not only questions, and that every watch of the prefix has something to hear.
 * A coordinator whose own thread stands still hears no beats: when it has not asked for the state
 * for half a lease, the keeper renews nothing either.
 *
 * The watcher hears all changes of all keys, in the order of their revisions, and hands them over
 * in batches. Where it cannot go on from the last revision it heard (etcd has compacted it away, or
 * is not the store that it was) it lists all keys, then goes on from there. A watch that hears
 * nothing for a whole lease is taken for broken, since connections can die without a word.
 *
 * The functions here are the owner's, one thread, but for what is marked.
 */
#ifndef COORD_ETCD_LINK_H
#define COORD_ETCD_LINK_H

#include "coord/etcd_text.h"
#include "coord/gateway.h"

enum etcd_batch_kind {
    ETCD_LIST_BEGINS, /* revision: as of which all keys follow */
    ETCD_LIST,        /* some of them */
    ETCD_LIST_ENDS,   /* who was not in the list is not there */
    ETCD_CHANGES,
};

struct etcd_batch {
    struct arena arena; /* it lies in there itself */
    enum etcd_batch_kind kind;
    uint64_t revision;
    bool other_store; /* ETCD_LIST_BEGINS: revisions from before mean nothing */
    const struct etcd_kv *kvs;
    size_t count;
    struct etcd_batch *next;
};

struct etcd_state {
    uint64_t lease;    /* 0: none yet */
    uint64_t lease_ms; /* its time to live, as etcd said */
    uint64_t alive_ms; /* when the keeper last set out to renew it and did; 0: never */
    bool up;           /* the last question was answered */
    bool watching;     /* changes are heard */
    struct err why;    /* of the last failure */
};

struct etcd_link;

/* config lives as long. ttl_ms: what the lease shall live, rounded up to seconds. NULL on failure.
 */
struct etcd_link *etcd_link_new(struct arena *a, const struct gateway_config *config,
                                const char *owner, uint64_t ttl_ms, struct err *err) MUST_CHECK;

/* Ends the threads within a second. The lease is left to run out, so that the workers have its time
 * to go to another coordinator. */
void etcd_link_free(struct etcd_link **link);

/* To be asked some times a second. */
struct etcd_state etcd_link_state(struct etcd_link *link);

/* A question of ours failed: it is down until the keeper, which looks at once, was answered. */
void etcd_link_doubt(struct etcd_link *link, const struct err *why);

/* The next batch, NULL if there is none now. To be freed. */
struct etcd_batch *etcd_link_next(struct etcd_link *link);
void etcd_batch_free(struct etcd_batch **batch);

/* Waits until there is a batch or the state has changed, at most that long. */
void etcd_link_wait(struct etcd_link *link, uint64_t ms);

#endif
