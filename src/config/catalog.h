/*
 * The catalog of known models and the worker types: built in, changed and extended by hostler.yaml.
 *
 * Every spelling of the guide is an alias of its entry (llava-next:34b-v1.5-q4_K_M too, which does
 * not exist: the entry's real name is used and the caller is told).
 */
#ifndef CONFIG_CATALOG_H
#define CONFIG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"
#include "model/ref.h"
#include "text/str.h"

struct catalog_model {
    const char *name;           /* "mistral-7b-instruct" */
    const char *ref;            /* "hf:mistralai/Mistral-7B-Instruct-v0.2" */
    const char *const *aliases; /* ends NULL */
    const char *kind;           /* llm, vision, embedding */
    const char *purpose;
    const char *const *variants; /* ends NULL */
    const char *const *mended;   /* spellings that never existed: told what was taken; ends NULL */
};

struct catalog_worker {
    const char *name;
    const char *const *models; /* names of entries; ends NULL */
    const char *const *optional;
    const char *engine; /* vllm, ollama, none */
    const char *gpu;    /* required, preferred, none */
    uint64_t min_gpu_memory_bytes;
};

struct catalog {
    const struct catalog_model *models;
    size_t model_count;
    const struct catalog_worker *workers;
    size_t worker_count;
};

/*
 * By short name or any alias, in either case; NULL if unknown. *ret_mended: the name written does
 * not exist.
 */
const struct catalog_model *catalog_model(const struct catalog *c, struct str name,
                                          bool *ret_mended);
const struct catalog_worker *catalog_worker(const struct catalog *c, struct str name);

/* One model to be had: what a TYPE or MODEL on the command line means. */
struct catalog_want {
    struct model_ref ref;
    const char *name; /* short name of the entry, or the reference's text */
    const char *note; /* something to tell ("taken for ..."), or NULL */
};

/* What is built in, without a configuration file. */
const struct catalog *catalog_builtin(void);

/* "vllm, gpu-worker, ...": for messages. */
const char *catalog_worker_names(struct arena *a, const struct catalog *c);

/* What is asked for: words of the command line, else a worker type. */
struct catalog_ask {
    const char *const *words; /* types, entries, references; ends NULL; NULL: none */
    const char *worker_type;  /* where there are no words; NULL: none */
    bool optional;            /* with a type: its optional models too */
};

struct catalog_choice {
    struct catalog_want *wants; /* in order, each model once */
    size_t count;
    const char *const *left_out; /* names of optional models that were not taken; ends NULL */
    /* No model may have more bytes of weights than that, which `most_of` has: ERR_GPU. 0: any. */
    uint64_t most_bytes;
    const char *most_of; /* "all usable GPUs together" */
};

/* Neither a word nor a type: ERR_USAGE with the list of types. */
int catalog_resolve(struct catalog_choice *out, struct arena *a, const struct catalog *c,
                    const struct catalog_ask *ask, struct err *err) MUST_CHECK;

#endif
