/* What a coordinator's answer to a worker's message is: of the kinds that beats.h tells apart. */
#ifndef WORKER_ANSWERS_H
#define WORKER_ANSWERS_H

#include "mem/arena.h"
#include "transfer/http.h"
#include "worker/beats.h"

#define ANSWER_BODY_MAX  ((size_t)8 << 10)
#define ANSWER_WORDS_MAX ((size_t)240)

/*
 * Fills what, named_ms and every_ms of the event. Returns what can be told of it in a log, in the
 * arena: "it answers 503 (no etcd)"; nothing of the answer gets there with control characters, or
 * longer than ANSWER_WORDS_MAX.
 */
const char *answer_read(struct beats_event *event, struct arena *a,
                        const struct http_answer *answer, uint64_t unix_ms);

#endif
