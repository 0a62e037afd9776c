/*
 * What a worker learns of its engine while that starts: the figures it prints, kept beside the
 * receipts for later plans; and, where it dies of too little memory, why and what would help.
 *
 * The stream that the engine logs on (vLLM: stdout, Ollama: stderr) becomes a pipe for as long as
 * CMD lives (listener.h); only until it is ready is anything heard. --learn auto: not where the
 * stream is a terminal or a file, which a program may look at; off: CMD has our streams themselves.
 * An engine that logs into a file is heard from what that file has got since CMD was started
 * (--learn-from FILE); then its streams are ours in any case.
 */
#ifndef WORKER_HEARING_H
#define WORKER_HEARING_H

#include <pthread.h>

#include "config/config.h"
#include "report/report.h"
#include "worker/engine_log.h"
#include "worker/listener.h"
#include "worker/supervise.h"

struct hearing {
    const struct config *config;
    struct report *report;
    const struct catalog_worker *type;
    const struct catalog_choice *choice;
    struct str gpus;
    struct listener *listener;
    uint64_t file_bytes; /* of --learn-from, when CMD was started */
    bool over;           /* what it wrote before its end was heard */
    pthread_mutex_t mutex;
    struct engine_log log; /* under the mutex while the listener runs */
};

/* gpus is the JSON array of the inventory, or empty; all of it must outlive h. */
void hearing_init(struct hearing *h, const struct config *config, struct report *report,
                  const struct catalog_worker *type, const struct catalog_choice *choice,
                  struct str gpus);

/* Before CMD is started: its stream, where it is to be heard. */
void hearing_prepare(struct hearing *h, struct supervised *cmd);

/* It was started, or not (pid is 0). */
void hearing_begin(struct hearing *h, const struct supervised *cmd);

/* It is ready: what it said is kept. */
void hearing_ready(struct hearing *h, const struct supervised *cmd);

/* It has ended: what it wrote is handed on yet, and if it died of memory that is told. */
void hearing_end(struct hearing *h, const struct supervised *cmd);

#endif
