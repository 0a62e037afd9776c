/*
 * The worker's news, told to the coordinators: an observer, and the process that it feeds.
 *
 *     worker/news.h --observe--> records, through a pipe --> registrar's process --> coordinators
 *     the log      <--observe--- words,   through a pipe <--
 *
 * A process of its own (worker/registration.h runs in it) for the reasons that the prober is one:
 * what hangs in a name server or a TLS library holds nobody up, libcurl does not stay in the memory
 * of who stands beside the engine, and who forks commands has no threads that hold its locks. It
 * ends when we close the pipe, having told the end, or at once when we die.
 */
#ifndef WORKER_REGISTRAR_H
#define WORKER_REGISTRAR_H

#include <pthread.h>

#include "config/config.h"
#include "fleet/record.h"
#include "report/report.h"
#include "worker/news.h"

#define REGISTRAR_WORDS ((size_t)8192)

struct registrar {
    pid_t pid; /* 0: nobody is told */
    int to;    /* records */
    int from;  /* words for the log */
    struct report *report;
    pthread_t leader; /* who may use the report */
    struct fleet_record record;
    char words[REGISTRAR_WORDS]; /* that are not whole lines yet */
    size_t len;
    /* What the record points to. */
    char reason[FLEET_REASON_MAX + 1];
    char gpus[FLEET_GPUS_BYTES];
    struct fleet_hold holds[FLEET_HOLDS_MAX];
    char uuids[FLEET_HOLDS_MAX][FLEET_UUID_MAX + 1];
};

struct registrar_of {
    const struct config *config;
    struct report *report;
    const struct catalog_worker *type;
    const struct catalog_choice *choice;
};

/*
 * Where COORDINATOR_URL is set, starts the process. ERR_USAGE for what the operator wrote; that no
 * process can be started is a warning, and nobody is told. To be called before there are threads.
 */
int registrar_open(struct registrar *r, struct arena *a, const struct registrar_of *of,
                   struct err *err) MUST_CHECK;

/* An observer of the worker's news. */
void registrar_observe(void *ctx, enum news_kind kind, const struct worker_news *now);

/* What is known by now, to be told with the next news: revisions, and the GPUs as a JSON array,
 * which is copied. */
void registrar_models(struct registrar *r, struct arena *a, const struct config *config,
                      const struct catalog_choice *choice);
void registrar_gpus(struct registrar *r, struct str gpus);

/* What CMD holds of the GPUs: told at once, and copied. At most FLEET_HOLDS_MAX. */
void registrar_holds(struct registrar *r, const struct fleet_hold *holds, size_t count);

/* Waits until the end was told, REGISTRATION_LEAVE_MS and a little at most. */
void registrar_close(struct registrar *r);

/* The process: reads records until the end of `from`, and writes words. Does not return. */
_Noreturn void registrar_run(int from, int to, const struct config *config);

#endif
