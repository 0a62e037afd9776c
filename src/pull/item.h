/*
 * One file of a model on its way to the engine: what is there without a record is opened to be
 * hashed, what is absent is claimed and staged.
 */
#ifndef PULL_ITEM_H
#define PULL_ITEM_H

#include "pull/survey.h"

/*
 * From HASH or ABSENT as far as it goes: *ret_ready with item->target set for the engine (and
 * item->hashing says which of the two); or the state is WAITING (another is downloading it) or OVER
 * (another has).
 */
int item_prepare(bool *ret_ready, struct job *job, struct survey_item *item,
                 struct err *err) MUST_CHECK;

#endif
