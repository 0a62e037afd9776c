/*
 * What engines say of their memory while they start, read out of their log: figures for later
 * plans, and why they died of too little of it.
 *
 * Pure: bytes are fed in as they come, in pieces of any size; lines are put together here, at most
 * ENGINE_LINE bytes of each (the rest of a longer one is passed over), colours and the prefixes of
 * loggers may stand before what is looked for. Texts are those that vLLM (0.9 to 0.29), PyTorch,
 * NCCL, llama-server and Ollama write; the tables are engine_log.def and engine_crash.def. A number
 * that is not understood is passed over. Hostile as any program's output: nothing allocates.
 */
#ifndef WORKER_ENGINE_LOG_H
#define WORKER_ENGINE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/str.h"

#define ENGINE_LINE    ((size_t)8192)
#define ENGINE_CAUSE   ((size_t)512)
#define ENGINE_VERSION ((size_t)48)

/* Bytes unless it says otherwise; 0: not said. */
struct engine_figures {
    uint64_t weights;   /* vLLM: the model as loaded, with its rope cache */
    uint64_t available; /* vLLM: for the cache */
    uint64_t kv_tokens;
    uint64_t graphs;
    uint64_t budget;     /* vLLM: what its share of the total came to */
    uint64_t activation; /* "Actual usage is", of newer ones */
    uint64_t other;
    uint64_t context; /* that --max-model-len auto came to, tokens */
    uint64_t free_at_start, total;
    uint64_t layers_on_gpu, layers; /* llama-server */
    uint64_t model_buffer, kv_buffer, compute_buffer;
    bool loaded; /* the weights were loaded */
};

/* Why it died, as far as memory goes. */
struct engine_crash {
    const char *code;          /* "no-cache-blocks"; NULL: no such thing was said */
    char cause[ENGINE_CAUSE];  /* one line */
    char change[ENGINE_CAUSE]; /* what would help */
};

struct engine_log {
    struct engine_figures figures;
    struct engine_crash crash;
    char version[ENGINE_VERSION]; /* of vLLM: "0.10.2"; "": not said */
    char line[ENGINE_LINE];
    size_t len;
    bool passing_over; /* the rest of a line that is too long */
};

void engine_log_feed(struct engine_log *log, struct str bytes);

/* The last line may have no end. */
void engine_log_end(struct engine_log *log);

/*
 * What an engine takes beside weights and cache: activation, what is not PyTorch's, graphs. From
 * what it said itself, else the budget less weights and cache. 0: not known.
 */
uint64_t engine_working(const struct engine_figures *figures);

#endif
