/*
 * `{path:MODEL}` and `{name:MODEL}` in the words of a command: where a model of this worker lies,
 * and the name its clients ask for. With a plan (run --plan auto) also `{u:MODEL}`, `{ctx:MODEL}`,
 * `{tp:MODEL}`, `{gpus:MODEL}`: share of the GPU, context, GPUs of one instance, their UUIDs; and a
 * word `{vllm-args:MODEL}` becomes all the arguments that the plan gives vLLM. Of these MODEL may
 * be left out (`{u:}`, `{vllm-args}`) where the plan has one engine. Braces of any other form stay
 * as they are.
 */
#ifndef WORKER_SUBSTITUTE_H
#define WORKER_SUBSTITUTE_H

#include <stdbool.h>

#include "config/catalog.h"
#include "err/err.h"
#include "mem/arena.h"
#include "worker/planned.h"

enum substitute_kind {
    SUBSTITUTE_PATH,
    SUBSTITUTE_NAME,
    SUBSTITUTE_UTILIZATION,
    SUBSTITUTE_CONTEXT,
    SUBSTITUTE_TP,
    SUBSTITUTE_GPUS,
};

/* What stands for a model, in the arena. NULL with err where it cannot be told. */
typedef const char *substitute_text(const void *ctx, struct arena *a, enum substitute_kind kind,
                                    const struct catalog_want *want, struct err *err);

struct substitution {
    const struct catalog *catalog; /* knows aliases */
    const struct catalog_want *wants;
    size_t count;
    const struct planned *planned; /* NULL: there is no plan, and what needs one is refused */
    bool will_plan;                /* but there will be one */
    substitute_text *text;         /* NULL: the names are checked, and every text is empty */
    const void *ctx;
};

/*
 * The words with all of it put in; ends with NULL. A model that is none of the worker's is
 * ERR_USAGE with the nearest that is.
 */
int substitute(char *const **out, struct arena *a, char *const *words, const struct substitution *s,
               struct err *err) MUST_CHECK;

/* Some word has a `{path:`. */
bool substitute_has_path(char *const *words);

#endif
