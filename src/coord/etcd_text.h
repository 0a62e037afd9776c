/*
 * What we say to etcd and what it answers, as JSON: bodies of the calls that we use, and readers of
 * their answers (etcd's rpc.proto and kv.proto; in JSON bytes are base64 and 64-bit numbers are
 * strings of digits, and what is zero or empty is left out).
 *
 * What is read is within limits and lives in the arena; what is broken is ERR_NET.
 */
#ifndef COORD_ETCD_TEXT_H
#define COORD_ETCD_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "err/err.h"
#include "json/json.h"
#include "mem/arena.h"
#include "text/buf.h"
#include "text/str.h"

/* All keys are beneath the first, those of the workers beneath the second: their ids follow. */
#define ETCD_PREFIX       "/hostler/v1/"
#define ETCD_WORKERS      ETCD_PREFIX "workers/"
#define ETCD_COORDINATORS ETCD_PREFIX "coordinators/"

/* A key as it is or, deleted, was until that revision. */
struct etcd_kv {
    struct str key;
    struct str value;
    uint64_t lease; /* 0: none */
    uint64_t revision;
    bool deleted;
};

/* Put value, or delete where value.ptr is NULL, if the key's revision is this one; else get it. */
void etcd_put_txn(struct buf *out, struct str key, uint64_t revision, struct str value,
                  uint64_t lease);
/* Plain put. */
void etcd_put_put(struct buf *out, struct str key, struct str value, uint64_t lease);
/* At most limit keys from first on that begin with prefix, as of a revision (0: now). */
void etcd_put_range(struct buf *out, struct str first, struct str prefix, unsigned limit,
                    uint64_t revision);
/* All changes of keys beneath prefix from a revision on. */
void etcd_put_watch(struct buf *out, struct str prefix, uint64_t revision);

/* The answer to a transaction or a range. */
struct etcd_answer {
    uint64_t revision; /* of the store */
    bool succeeded;    /* of a transaction */
    bool more;         /* of a range: there are keys beyond the limit */
    const struct etcd_kv *kvs;
    size_t count;
};

int etcd_read_answer(struct etcd_answer *out, struct arena *a, const struct json *doc,
                     struct err *err) MUST_CHECK;

/* A lease's id and time to live, from a grant or a keepalive; no time to live: it is no more. */
int etcd_read_lease(uint64_t *ret_id, uint64_t *ret_ttl_s, const struct json *doc,
                    struct err *err) MUST_CHECK;

/* A line of a watch. */
struct etcd_heard {
    uint64_t revision;
    bool created;
    bool cancelled;
    bool compacted; /* why it is cancelled: that revision is no longer kept */
    bool partial;   /* what belongs to this revision goes on in the next line */
    const struct etcd_kv *kvs;
    size_t count;
};

int etcd_read_heard(struct etcd_heard *out, struct arena *a, struct str line,
                    struct err *err) MUST_CHECK;

#endif
