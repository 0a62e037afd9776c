/*
 * Registration: tells the coordinators how the worker is, and is never in its way.
 *
 *     r = registration_start(&options, &err);          once; NULL where nothing can be started
 *     registration_tell(r, &record);                   whenever something has changed
 *     while (registration_heard(r, &word)) log it;     whenever convenient
 *     registration_stop(&r);                           the last record told has a final state
 *
 * It has a thread of its own, which alone speaks to the network, with short limits of time, by the
 * rules of worker/beats.h. What is told is copied and handed over to it; no call waits for it but
 * registration_stop(), and that REGISTRATION_LEAVE_MS at most, whatever the coordinator does. A
 * coordinator that cannot be reached fails nothing: how the worker is, and the states it went
 * through meanwhile, is told when it is back. All signals are blocked in the thread.
 *
 * tell, heard and stop may be called from any one thread at a time, each.
 */
#ifndef WORKER_REGISTRATION_H
#define WORKER_REGISTRATION_H

#include <stdbool.h>

#include "fleet/record.h"
#include "transfer/net.h"
#include "worker/coordinators.h"

#define REGISTRATION_LEAVE_MS  UINT64_C(1000)
#define REGISTRATION_ANSWER_MS UINT64_C(3000) /* for a connection, and again for the answer */
#define REGISTRATION_WORDS     ((size_t)800)

struct registration_options {
    const struct coordinators *coordinators; /* copied; at least one */
    const struct net_config *net;            /* certificates, user agent, clock: lives as long */
};

/* A line for the log. */
struct registration_word {
    bool warning;
    char text[REGISTRATION_WORDS];
};

struct registration;

struct registration *registration_start(const struct registration_options *options,
                                        struct err *err) MUST_CHECK;

/* The record is complete (fleet_record_check()); its id and instance stay the same. */
void registration_tell(struct registration *r, const struct fleet_record *record);

/* Readable while there are lines for the log. */
int registration_fd(const struct registration *r);

/* The oldest line for the log that was not fetched yet; false: there is none. */
bool registration_heard(struct registration *r, struct registration_word *out);

/*
 * Tells the end: leaves, or registers in its final state if it never could. The words that remain
 * are heard before, or never. r may be NULL.
 */
void registration_stop(struct registration **r);

#endif
