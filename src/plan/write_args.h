/* What the forms of a plan share: how an engine is started, in which order, and names. */
#ifndef PLAN_WRITE_ARGS_H
#define PLAN_WRITE_ARGS_H

#include "plan/write.h"

/* Memory rules change between versions: these are the ones that the plan goes by. */
#define WRITE_VLLM_IMAGE   "vllm/vllm-openai:v0.29.0"
#define WRITE_OLLAMA_IMAGE "ollama/ollama:0.30.0"
#define WRITE_MOUNT        "/models" /* where containers have the volume */

/* What the plan settles, as arguments of vLLM: "--dtype", "bfloat16", ...; ends with NULL. */
const char *const *write_vllm_settings(const struct write_ask *ask,
                                       const struct plan_placed *placed);

/* The words behind `vllm serve`: the model, its name, and the settings; ends with NULL. */
const char *const *write_vllm_args(const struct write_ask *ask, const struct plan_placed *placed);

struct write_variable {
    const char *name, *value;
};

/* The environment of the engine; ends with a NULL name. */
const struct write_variable *write_environment(const struct write_ask *ask,
                                               const struct plan_placed *placed);

/*
 * "gpu-worker-ollama": small letters, figures and dashes, at most 50: good for all of them. No two
 * items of a plan have the same.
 */
const char *write_name(const struct write_ask *ask, const struct plan_placed *placed);

/*
 * The items that run, in the order in which they are to be started: vLLM takes its share at once
 * and measures what is free, so one after the other; Ollama last. Indices; *ret_count of them.
 */
const size_t *write_order(const struct write_ask *ask, size_t *ret_count);

/*
 * Those that have to answer before it is started: of each of its GPUs the one before it in that
 * order. Ends with NULL.
 */
const struct plan_placed *const *write_after(const struct write_ask *ask,
                                             const struct plan_placed *placed);

/*
 * It runs in a container that the forms know: not a small server, nor vLLM on the CPU, for which
 * its image is not built.
 */
bool write_in_container(const struct plan_placed *placed);

/* "GPU-5c3f...", the i-th of its GPUs. */
const char *write_gpu(const struct write_ask *ask, const struct plan_placed *placed, size_t i);

/* A comment of one line, "# " and what was said; whatever is in it stays in that line. */
void write_comment(struct buf *out, const struct write_ask *ask, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Comments on what has no place in this form: items that do not run, or in no container. */
void write_left_out(struct buf *out, const struct write_ask *ask);

/* Of a fleet's plan a comment that says which host it is for. */
void write_host(struct buf *out, const struct write_ask *ask, const struct plan_placed *placed);

/* In single quotes, for a shell. */
void write_shell(struct buf *out, const char *text);

/* In double quotes, for YAML 1.1 and 1.2. JSON's quotes do not do: YAML refuses some characters. */
void write_yaml(struct buf *out, const char *text);

/* ["a", "b"] in such quotes. */
void write_list(struct buf *out, const char *const *words);

#endif
