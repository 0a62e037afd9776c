/*
 * What a model is made of, as far as it has to be asked: from its receipt, from the store, from its
 * origin, in that order; and with the selection applied, whether it is all there.
 */
#ifndef PULL_LISTING_H
#define PULL_LISTING_H

#include "pull/job.h"

/*
 * Is everything wanted there, by receipts and stat() (and with --update one request)? Leaves the
 * receipt's listing in job->manifest unless the revision has moved on. A selection that the old
 * listing cannot satisfy is no answer.
 */
int listing_is_complete(struct job *job, bool *ret_complete, struct err *err) MUST_CHECK;

/* Sets job->manifest with the selection applied. Offline and unknown is ERR_NOT_FOUND. */
int listing_make(struct job *job, struct err *err) MUST_CHECK;

#endif
