/*
 * From names to items: what stands on the command line, or a worker type, becomes the engine
 * instances that have to be placed.
 *
 * A type's models of the Hub are an instance each, of vLLM or, for embeddings, of a small server;
 * its models of Ollama are one server that loads one of them at a time. A model that is named alone
 * is judged as it stands; of a type's model a smaller form of the catalog may be taken.
 * What is named first is more important where not all of it fits.
 */
#ifndef PLAN_GATHER_H
#define PLAN_GATHER_H

#include "config/catalog.h"
#include "plan/plan.h"

/* Where the facts of a model come from: sets out->facts and out->from. */
typedef int gather_facts(void *ctx, struct plan_model *out, const struct model_ref *ref,
                         struct err *err);

struct gather_ask {
    const struct catalog *catalog;
    const char *const *words; /* types and models; ends NULL */
    const char *worker_type;  /* where there are no words; NULL: none */
    bool optional;            /* of types the optional models too */
    bool no_variants;         /* no smaller form is taken for a type's model */
    bool engine_named;        /* --engine */
    enum memory_engine engine;
    const char *const *pins; /* "ITEM=GPU", ends NULL; NULL: none */
    gather_facts *facts;
    void *facts_ctx;
};

struct gather {
    struct plan_item *items;
    size_t count;
    const char *const *notes; /* what is to be told: "taken for ..."; ends NULL */
};

/* ERR_USAGE for names that are none, ERR_LIMIT, or what the facts' source says. */
int gather_items(struct gather *out, struct arena *a, const struct gather_ask *ask,
                 struct err *err) MUST_CHECK;

#endif
