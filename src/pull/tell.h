/* What a pull tells its report: one function for each event, so that states read without noise. */
#ifndef PULL_TELL_H
#define PULL_TELL_H

#include "pull/job.h"
#include "pull/survey.h"

/* For --debug=pull: a move of its state. */
void tell_move(const struct job *job, enum job_state to);

/* It was complete already, or somebody else has just completed it. */
void tell_present(const struct job *job);

/* Who holds the lease and how far they are; at most once in five seconds. */
void tell_waiting(struct job *job, const struct lease_state *holder, uint64_t now_ms);

void tell_start(const struct job *job, const struct survey *survey);

/* Progress of the engine on this model; the report decides what of it is shown. */
void tell_progress(struct job *job, const struct survey *survey);

/* One file is whole. */
void tell_file(const struct job *job, const struct survey_item *item);

/* What the network threads have to say. */
void tell_notices(struct pull *pull);

void tell_published(const struct job *job);

/* The model failed: what, where, why and the way out. Marks the error as reported. */
void tell_failed(const struct job *job, struct err *err);

#endif
