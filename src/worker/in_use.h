/*
 * The models that CMD uses, marked on the volume for as long as we live (store/use.h). We live as
 * long as it does: it gets SIGKILL when we die. That nothing can be marked is told and no failure:
 * who may not write a volume cannot mark, and who may not write it cannot be cleaned away by
 * anybody with the same rights.
 */
#ifndef WORKER_IN_USE_H
#define WORKER_IN_USE_H

#include "config/config.h"
#include "report/report.h"
#include "store/use.h"
#include "worker/news.h"

struct in_use {
    struct volume volume;
    struct use *use; /* NULL: nothing is marked */
    const struct clock *clock;
    uint64_t looked_ms;
};

/* After the pull, before the first command is started. */
void in_use_begin(struct in_use *in_use, struct arena *a, const struct config *config,
                  struct report *report, const struct catalog_choice *choice);

/* The GPUs that CMD holds, in place of those told before. */
void in_use_gpus(struct in_use *in_use, const struct use_gpu *gpus, size_t count);

/* An observer of the worker's news: marks again what was lost. */
void in_use_observe(void *ctx, enum news_kind kind, const struct worker_news *now);

/* The last command has ended. */
void in_use_end(struct in_use *in_use);

/* What is marked: "hf:org/name@<commit>", "ollama:llava:7b". */
const char *in_use_name(struct arena *a, const struct config *config,
                        const struct catalog_want *want);

#endif
