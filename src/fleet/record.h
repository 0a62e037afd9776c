/*
 * A worker's record: what it says of itself, and what the coordinator gives out about it.
 *
 * A worker registers with all members of a struct fleet_record as one JSON object; beat, report and
 * leave are objects with its instance and those members that have changed. So one reader serves
 * all: fleet_record_read() writes over what the record holds. The coordinator's listing (`hostler
 * workers
 * --json`) is made of struct fleet_listed: the record with a state that may also be `lost`, the
 * time since when it is in it, and the age of the last beat.
 *
 * Everything read is within the limits below and has no control characters; members that are not
 * known are passed over, so that a newer worker can talk to an older coordinator. Texts live in the
 * arena that the reader is given. What is broken is ERR_NET, what passes a limit ERR_LIMIT; the
 * message names the member.
 */
#ifndef FLEET_RECORD_H
#define FLEET_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "err/err.h"
#include "fleet/state.h"
#include "json/json.h"
#include "mem/arena.h"
#include "text/buf.h"
#include "text/str.h"

/* Bytes, and how many. */
#define FLEET_ID_MAX       ((size_t)253)
#define FLEET_INSTANCE_MAX ((size_t)64)
#define FLEET_TYPE_MAX     ((size_t)64)
#define FLEET_HOST_MAX     ((size_t)253)
#define FLEET_VERSION_MAX  ((size_t)64)
#define FLEET_URL_MAX      ((size_t)1024)
#define FLEET_REASON_MAX   ((size_t)800)
#define FLEET_MODEL_MAX    ((size_t)512)
#define FLEET_REVISION_MAX ((size_t)128)
#define FLEET_KEY_MAX      ((size_t)63)
#define FLEET_VALUE_MAX    ((size_t)255)
#define FLEET_MODELS_MAX   ((size_t)64)
#define FLEET_LABELS_MAX   ((size_t)32)
#define FLEET_GPUS_MAX     ((size_t)64)
#define FLEET_GPUS_BYTES   ((size_t)16 << 10)
#define FLEET_HOLDS_MAX    ((size_t)64)
#define FLEET_UUID_MAX     ((size_t)96)
/* A message of a worker; a record written out stays below it in any case. */
#define FLEET_MESSAGE_MAX ((size_t)256 << 10)

/* The state that only a coordinator gives: its beats have stopped. */
#define FLEET_LOST "lost"

/* The codes of a refusal: {"error":{"code":"superseded","message":"..."}}. */
#define FLEET_UNKNOWN    "unknown"    /* 404: it is not registered (any more): register again */
#define FLEET_SUPERSEDED "superseded" /* 409: a newer instance of this id has registered: end */

struct fleet_model {
    const char *name;     /* as the worker was asked for it: "hf:org/name", a catalog's name */
    const char *revision; /* commit or manifest digest; "": not known yet */
};

struct fleet_label {
    const char *key;
    const char *value;
};

/* What the worker holds of one GPU since it was ready. */
struct fleet_hold {
    const char *uuid;
    uint64_t mib;         /* that it took, as measured; 0: not known */
    uint64_t planned_mib; /* that its plan gave it; 0: it was not planned */
};

struct fleet_progress {
    uint64_t bytes;
    uint64_t total; /* 0: nothing to do, or not known */
    uint64_t bps;
};

/* No text is NULL after fleet_record_new(); gpus is a JSON array of inventory entries. */
struct fleet_record {
    const char *id;       /* WORKER_ID, else the hostname; needed */
    const char *instance; /* of each start another: letters, digits, - and _; needed */
    const char *type;     /* "": none */
    const char *host;     /* needed */
    const char *version;  /* of the worker's hostler */
    const char *url;      /* where it serves, http or https; "": nowhere that others reach */
    enum fleet_state state;
    const char *reason; /* why it failed, or what else is to be told of the state */
    const struct fleet_model *models;
    size_t model_count;
    const struct fleet_label *labels; /* each key once */
    size_t label_count;
    struct str gpus;
    const struct fleet_hold *holds;
    size_t hold_count;
    struct fleet_progress progress;
};

static inline bool fleet_same_progress(const struct fleet_progress *x,
                                       const struct fleet_progress *y)
{
    return x->bytes == y->bytes && x->total == y->total && x->bps == y->bps;
}

struct fleet_listed {
    struct fleet_record record;
    bool lost;
    uint64_t since_unix_ms; /* in this state */
    uint64_t last_beat_s;   /* ago */
};

/* An empty one in state starting. */
struct fleet_record fleet_record_new(void);

/* Takes the members that object has, over those that record holds; untouched on failure. */
int fleet_record_read(struct fleet_record *record, struct arena *a, const struct json *object,
                      struct err *err) MUST_CHECK;

/* ERR_NET if a member that a registration needs is empty. */
int fleet_record_check(const struct fleet_record *record, struct err *err) MUST_CHECK;

/* The members, without braces, as a registration sends them. */
void fleet_record_put(struct buf *out, const struct fleet_record *record);

/* The members by themselves: the bits of a set, in the order in which they are written. */
enum fleet_member {
    FLEET_ID = 1,
    FLEET_INSTANCE = 2,
    FLEET_TYPE = 4,
    FLEET_HOST = 8,
    FLEET_VERSION = 16,
    FLEET_STATE = 32,
    FLEET_REASON = 64,
    FLEET_MODELS = 128,
    FLEET_URL = 256,
    FLEET_LABELS = 512,
    FLEET_GPUS = 1024,
    FLEET_PROGRESS = 2048,
    FLEET_HOLDS = 4096,
    FLEET_ALL = 8191,
};

/* Only those of the set, as a report has what changed. */
void fleet_record_put_some(struct buf *out, const struct fleet_record *record, unsigned members);

/* The set of those that differ. */
unsigned fleet_record_changes(const struct fleet_record *a, const struct fleet_record *b);

/* A deep copy takes fleet_record_bytes() of one arena block at most. */
size_t fleet_record_bytes(const struct fleet_record *record);
void fleet_record_copy(struct fleet_record *out, struct arena *a,
                       const struct fleet_record *record);

/* One object of the listing, with its braces; and back. */
void fleet_listed_put(struct buf *out, const struct fleet_listed *listed);
int fleet_listed_read(struct fleet_listed *out, struct arena *a, const struct json *object,
                      struct err *err) MUST_CHECK;

/* "running", ..., or "lost". */
const char *fleet_listed_state(const struct fleet_listed *listed);

/*
 * Whether the text may stand in a record: valid UTF-8 of at most max bytes, no control characters
 * (C1 and separators of lines among them).
 */
bool fleet_text_ok(struct str text, size_t max);

#endif
