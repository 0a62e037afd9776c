/*
 * The transfer engine: many files, many ranges, one network thread.
 *
 * It is given targets (where the bytes come from, how many, which digest, a staging file) and gives
 * back verified files and events. It knows no protocol above HTTP and no store. One thread runs
 * curl multi; a few threads hash, each file in order, and one thread at a time writes each file.
 * A full buffer goes to hash and writer from the same memory; what arrives too far ahead is written
 * and read back for the digest later, so a late range stops nobody. All buffers of the process
 * together stay within net.buffer_bytes.
 *
 * The caller owns the descriptors, journals and strings of a target until its DONE or FAILED event
 * has been returned, or the engine is freed. All functions are for the caller's one thread.
 */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "digest/digest.h"
#include "err/err.h"
#include "store/journal.h"
#include "transfer/http.h"
#include "transfer/net.h"

/* Where a file's bytes come from, and how its host's refusals read. Made by a source. */
struct transfer_origin {
    struct url url;            /* the canonical URL: asked again when a signed location expires */
    const char *authorization; /* for url's own origin only; NULL: none */
    /*
     * Where the authorization changes while files are on their way: gives the one that is good now,
     * NULL: none. In place of the above; may be NULL. Called on the engine's thread, which copies
     * the text at once, for each request to url's own origin.
     */
    const char *(*authorize)(const void *judge_ctx);
    /*
     * Judges what the canonical origin itself answered to a request for bytes: a redirect's
     * headers, or a status from 400 to 499 that is no matter of ranges or rates. Returns 0 to go on
     * by the general rules, 1 to ask again in a moment (of a status: a new authorization is being
     * got), -1 with err set for a final refusal (gated, gone, another file), whose words name the
     * model themselves. May be NULL. Called on the engine's thread.
     */
    int (*judge)(const void *ctx, const struct http_answer *answer, struct err *err);
    const void *judge_ctx;
};

struct transfer_target {
    const char *name; /* for messages: "org/name: model.safetensors" */
    uint64_t size;
    struct digest want;
    /*
     * The staging file, open for reading and writing, writable at any offset up to size. With
     * verify_only: an existing file open for reading, hashed and nothing else; a mismatch is FAILED
     * with ERR_DIGEST.
     */
    int fd;
    bool verify_only;
    struct journal *journal;      /* gets what is written; NULL with verify_only */
    struct journal_claims claims; /* what is staged already, unproven */
    bool claims_all; /* the staging file is whole, without checksums: hash it before fetching */
    const struct transfer_origin *origin;
    void *user;
};

enum transfer_event_kind {
    TRANSFER_TICK,   /* nothing new; at least twice a second */
    TRANSFER_DONE,   /* this file is written (not synced) and its digest is right */
    TRANSFER_FAILED, /* this file will not come; what is staged stays for the next run */
    TRANSFER_IDLE,   /* nothing left to do: all targets have been reported */
};

struct transfer_event {
    enum transfer_event_kind kind;
    void *user; /* the target's */
    struct err err;
};

struct transfer_progress {
    uint64_t received_bytes; /* over the network since the engine began, content only */
    uint64_t staged_bytes;   /* of the target: written or found staged */
    uint64_t hashed_bytes;
    uint64_t bps; /* of all together, over the last seconds */
    unsigned connections;
};

struct transfer;

struct transfer *transfer_new(const struct net_config *net, struct err *err) MUST_CHECK;

/* May be called while others run. Size 0 is done without a request. */
int transfer_add(struct transfer *t, const struct transfer_target *target,
                 struct err *err) MUST_CHECK;

/* Waits for the next event, at most wait_ms. A stop (sys/stop.h) makes it return TICK at once. */
struct transfer_event transfer_next(struct transfer *t, uint64_t wait_ms);

/* Of all together: user NULL; of one target: its user pointer. */
struct transfer_progress transfer_progress(struct transfer *t, const void *user);

/*
 * Ends the transfer of all targets, or of those whose user satisfies pick: what has arrived is
 * written and journalled, then each is reported FAILED with ERR_INTERRUPTED. Returns within a
 * second, also with a disk or a resolver that hangs.
 */
void transfer_cancel(struct transfer *t, bool (*pick)(const void *user, void *ctx), void *ctx);

/* Cancels what runs, joins the threads (but one that hangs in a resolver), frees. */
void transfer_free(struct transfer **t);

#endif
