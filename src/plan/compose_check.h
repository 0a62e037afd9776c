/*
 * What is wrong with a compose file, as far as engines, GPUs and the volume go: a table of faults,
 * each a function that looks at the file and tells what it finds, with the line and the mend.
 * doc/plan.md has the list. A fault that cannot be told from the file alone is not told.
 */
#ifndef PLAN_COMPOSE_CHECK_H
#define PLAN_COMPOSE_CHECK_H

#include "config/catalog.h"
#include "plan/compose_read.h"

#define COMPOSE_FAULTS_MAX ((size_t)1000)

struct compose_fault {
    size_t line;
    const char *code; /* "comment-in-command" */
    const char *text; /* what is wrong */
    const char *mend;
};

struct compose_faults {
    struct compose_fault *at; /* by line */
    size_t count;
};

/*
 * Whether a model runs as a service would start it. NULL: it does, or nobody can tell; else why it
 * does not, and *ret_mend what would help.
 */
typedef const char *compose_fit(void *ctx, const char **ret_mend,
                                const struct compose_service *service, const char *model);

struct compose_check_ask {
    const struct catalog *catalog;
    compose_fit *fit; /* NULL: nobody plans */
    void *ctx;
};

void compose_check(struct compose_faults *out, struct arena *a, const struct compose *compose,
                   const struct compose_check_ask *ask);

#endif
