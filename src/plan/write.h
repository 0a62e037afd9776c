/*
 * A plan as others read it. Each form is a file and a line of the table in write.c.
 *
 *     table    for people: each GPU as a bar, then the items, what is wrong and what would help
 *     json     the document of doc/plan.md, in one line
 *     svg      the bars as a picture
 *     env      variables for the scripts that start engines
 *     docker   a docker run for each item
 *     compose  a compose file: what Debian 12's docker-compose (1.29.2) takes, too
 *     k8s      a Deployment for each item
 *
 * Settings are always written out, also where they are the engine's defaults: those change between
 * versions, and on a MIG instance they are those of another card.
 */
#ifndef PLAN_WRITE_H
#define PLAN_WRITE_H

#include "plan/plan.h"
#include "text/buf.h"

#define PLAN_TEXT_MAX ((size_t)8 << 20)

struct write_ask {
    const struct plan *plan;
    struct arena *arena;
    const char *volume; /* path of the shared volume: paths of models lie beneath */
    size_t width;       /* table: columns of the terminal; 0: 80 */
    bool explain;       /* table: each line of the sum, with its source */
};

typedef void plan_writer(struct buf *out, const struct write_ask *ask);

struct plan_format {
    const char *name;
    plan_writer *write;
    bool places; /* names paths in a container: the stores where they lie on a volume by default */
};

/* NULL for a name that is none. */
const struct plan_format *plan_format(struct str name);
const struct plan_format *plan_formats(void); /* ends with a NULL name */

plan_writer plan_write_table, plan_write_json, plan_write_svg, plan_write_env, plan_write_docker,
    plan_write_compose, plan_write_k8s;

/* The lines of one item's sum. */
void plan_write_explained(struct buf *out, const struct write_ask *ask,
                          const struct plan_placed *placed);

/* "0.92" of 920; "0.653" of 653. */
void plan_put_share(struct buf *out, uint32_t thousandths);

#endif
