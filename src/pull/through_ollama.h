/*
 * A model of Ollama that a running Ollama (OLLAMA_URL) pulls for us, into its own store: where
 * --ollama-via says so, and where the store cannot be written here (doc/ollama-server.md).
 *
 *     checking -> waiting -> checking    is it ready? then: does it list the model?
 *     checking -> done                   it does
 *     checking -> downloading            it pulls, and we show how far it is
 *     downloading -> waiting             it was cut off or stood still: it is asked again
 *     downloading -> publishing -> done  it said success, lists the model and shows it
 *
 * No lease is held in any of these: a running Ollama is one process and fetches each blob once,
 * however many ask. What it says is not verified by us, and every event says so.
 */
#ifndef PULL_THROUGH_OLLAMA_H
#define PULL_THROUGH_OLLAMA_H

#include "pull/job.h"

/* --ollama-via api: this model is not looked for in the store at all. */
bool through_ollama_always(const struct job *job);

/* --ollama-via auto: it may be tried where the store cannot be written. */
bool through_ollama_may(const struct job *job);

/*
 * One step. *ret_taken is false, and nothing was done, where the running Ollama is not the way: it
 * is only a possibility (auto), and none is there, none that was named got ready in time, or it is
 * not ready and nobody is patient. Else the job moved to done, or back to waiting (*ret_again_ms:
 * look again then), or failed.
 */
int through_ollama_try(struct job *job, bool patient, bool *ret_taken, uint64_t *ret_again_ms,
                       struct err *err) MUST_CHECK;

/*
 * For --dry-run: asks whether it lists the model, and adds what would be to out, as text or (by
 * --json) as the first or a further element of a list. *ret_taken as above.
 */
int through_ollama_dry_run(struct buf *out, struct job *job, bool first, bool *ret_taken,
                           struct err *err) MUST_CHECK;

/* ERR_NOT_FOUND: --offline means that it is not asked. Returns -1. */
int through_ollama_offline(const struct job *job, struct err *err);

/* The client, made when it is first needed; NULL with err. Belongs to the pull. */
struct ollama_server *through_ollama_client(struct pull *pull, struct err *err) MUST_CHECK;

#endif
