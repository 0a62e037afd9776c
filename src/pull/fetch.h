/*
 * The bytes of one model: what is missing goes through the engine into staging, and from there, in
 * groups, to the blobs of its layout. What is there without a record is hashed by the same engine.
 */
#ifndef PULL_FETCH_H
#define PULL_FETCH_H

#include "pull/survey.h"

/*
 * Runs it all. *ret_lost: the lease was lost on the way and nothing more was published. On failure
 * what has arrived stays in staging.
 */
int fetch_run(struct job *job, struct survey *survey, bool *ret_lost, struct err *err) MUST_CHECK;

#endif
