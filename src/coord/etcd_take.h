/*
 * What etcd says, taken into the view: keys that were put, keys that vanished, whole lists.
 *
 * Changes come in order, but from two sides: as answers to our own transactions, and later, by the
 * watch, once more. So what is no newer than what the view has is passed over. One thread.
 */
#ifndef COORD_ETCD_TAKE_H
#define COORD_ETCD_TAKE_H

#include "coord/etcd_link.h"
#include "coord/view.h"

struct etcd_taking {
    struct view *view;
    uint64_t ttl_ms;
    void (*note)(void *ctx, bool warning, const char *text);
    void *ctx;
    uint64_t lease;         /* ours; workers on others are elsewhere */
    uint64_t list_revision; /* of the list that is being taken */
    uint64_t list;          /* which one that is */
    uint64_t vouched_ms;
    bool listed;    /* at least one list was taken whole */
    bool unwritten; /* there are lost workers whose keys have vanished */
    bool noted;     /* that something in etcd cannot be taken was said */
};

/* The key as it is now. known_now: it was just read, so that it counts whatever the view has. */
void etcd_take(struct etcd_taking *t, const struct etcd_kv *kv, bool known_now);

void etcd_take_batch(struct etcd_taking *t, const struct etcd_batch *batch);

/* Our lease is no more: all workers that were ours are elsewhere, until they beat here again. */
void etcd_disown(struct etcd_taking *t);

/*
 * When the last beat of a worker elsewhere was is not known, but that it was less than its time to
 * live ago, as long as nobody says that it is lost. To be called some times a second.
 */
void etcd_vouch(struct etcd_taking *t);

#endif
