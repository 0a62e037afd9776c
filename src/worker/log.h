/* The observer that logs each move of the worker. */
#ifndef WORKER_LOG_H
#define WORKER_LOG_H

#include "report/report.h"
#include "worker/news.h"

struct worker_log {
    struct report *report;
    const char *type; /* of the worker */
};

/* Fits news_add(); ctx is a struct worker_log. Moves come on the report's thread. */
void worker_log_observe(void *ctx, enum news_kind kind, const struct worker_news *now);

#endif
