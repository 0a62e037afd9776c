/*
 * The right to fetch one file, where models share blobs: a lease of that blob alone, beside its
 * staging, so that of two models that need it one fetches it, on whatever host. In a layout whose
 * models share none the model's own lease is right enough, and a claim is had at once.
 *
 * Nobody waits for a blob without working on what else there is; who waits for the last one holds
 * no other blob.
 */
#ifndef PULL_CLAIM_H
#define PULL_CLAIM_H

#include "pull/survey.h"

/*
 * Tries once. *ret_ours: item->claim says where to stage and by which token, until claim_leave().
 * Else another has it: item->claim.watch shows who, item->claim.again_at_ms says when to try again.
 */
int claim_try(bool *ret_ours, struct job *job, struct survey_item *item,
              struct err *err) MUST_CHECK;

/* A lease of the blob's own was lost: stop writing. */
bool claim_lost(const struct survey_item *item);

/* For waiters' eyes; as lease_tell(). */
void claim_tell(const struct survey_item *item, uint64_t done_bytes, uint64_t bps);

/*
 * Gives it back, also one that was only tried; what is staged stays for the next run, what the
 * published file made useless goes. Nothing, if there is none.
 */
void claim_leave(struct job *job, struct survey_item *item, bool published);

/*
 * Once the model is published: takes away what holders of its blobs left who died between the blob
 * and the end of their claim. Nobody else would look there again. Waits for nobody.
 */
void claim_sweep(struct job *job);

#endif
