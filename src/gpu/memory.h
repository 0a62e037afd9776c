/*
 * What a model needs of a GPU, by the rules that its engine follows. Pure: bytes in, bytes out;
 * sums that do not fit into 64 bits stay at MEMORY_MOST.
 *
 * Three ways of serving are known:
 *
 *     MEMORY_VLLM    vLLM takes a share of the GPU's total (the budget) at its start, and what is
 *                    left of it after weights and working memory becomes the KV cache
 *     MEMORY_OLLAMA  Ollama loads and unloads; llama-server below it places layer by layer and
 *                    leaves a margin
 *     MEMORY_SERVER  a small server (sentence-transformers) that holds the weights and no cache
 *
 * Every figure is a line of the sum, with where it comes from; doc/memory-model.md derives each
 * rule, and recomputes one case by hand. How far estimates are off stands there, too.
 */
#ifndef GPU_MEMORY_H
#define GPU_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/facts.h"

#define MEMORY_MIB  ((uint64_t)1 << 20)
#define MEMORY_MOST (UINT64_MAX / 4) /* no sum is larger: differences fit into an int64_t */

enum memory_engine {
    MEMORY_VLLM,
    MEMORY_OLLAMA,
    MEMORY_SERVER,
    MEMORY_ENGINES,
};

/* Where a figure comes from, from sure to unsure. */
enum memory_source {
    MEMORY_MEASURED, /* the engine printed it at an earlier start with the same settings */
    MEMORY_HEADER,   /* summed up from the headers of the weights */
    MEMORY_FORMULA,  /* follows from the model's shape and the settings */
    MEMORY_ESTIMATE, /* drawn from logs of other models */
    MEMORY_SOURCES,
};

/* The parts of a sum, in the order in which they are shown. */
enum memory_part {
    MEMORY_WEIGHTS,
    MEMORY_PROJECTOR,  /* Ollama: of a model that sees */
    MEMORY_ROPE,       /* table of positions; vLLM counts it with the weights */
    MEMORY_ACTIVATION, /* the largest step of the profile run, or llama-server's compute buffer */
    MEMORY_OTHER,      /* cuBLAS and what else is allocated past PyTorch */
    MEMORY_GRAPHS,     /* CUDA graphs */
    MEMORY_KV,         /* keys and values of one request of the whole context */
    MEMORY_MARGIN,     /* Ollama: what llama-server leaves free on each GPU */
    MEMORY_CONTEXT,    /* the CUDA context, NCCL; outside of vLLM's budget */
    MEMORY_PARTS,
};

/* What an earlier start with these settings has shown; of each 0 is not known. */
struct memory_learned {
    uint64_t weights;
    uint64_t working;    /* activation, other and graphs together */
    const char *version; /* of the engine that took that; "" or NULL: not known */
};

/* How an engine is started, as far as it moves its memory. */
struct memory_settings {
    enum memory_engine engine;
    uint64_t context;      /* tokens of the longest request: max_model_len, num_ctx */
    uint64_t batch_tokens; /* vLLM: max_num_batched_tokens */
    uint64_t seqs;         /* vLLM: max_num_seqs; Ollama: requests at once */
    uint32_t tp;           /* GPUs of one instance: tensor parallel; 0 is 1 */
    bool eager;            /* vLLM: without CUDA graphs */
    bool kv_fp8;           /* keys and values in 8 bits */
    bool weights_fp8;      /* vLLM: --quantization fp8 of a model of 16 bits */
    struct memory_learned learned;
};

/* What it needs of each of its GPUs, in bytes. */
struct memory_need {
    uint64_t part[MEMORY_PARTS];
    enum memory_source source[MEMORY_PARTS];
    uint64_t kv_token; /* of one more token; 0: there is no cache */
    uint64_t fixed;    /* inside the budget, without the cache */
    uint64_t inside;   /* the budget that is enough for one request: fixed and MEMORY_KV */
    uint64_t whole;    /* all that must be free: inside and what stands outside of a budget */
    uint64_t resident; /* Ollama: what stays taken once it is loaded; else whole */
};

/* Fills out for the engine that the settings name. */
void memory_reckon(struct memory_need *out, const struct model_facts *facts,
                   const struct memory_settings *settings);

/* Tokens of one instance that a cache of so many bytes on each GPU holds; whole blocks of 16. */
uint64_t memory_tokens(const struct memory_need *need, const struct memory_settings *s,
                       uint64_t cache_bytes);

/* Ollama: how many of the layers are put on a GPU with so many bytes free. */
uint64_t memory_layers(const struct memory_need *need, const struct model_facts *facts,
                       uint64_t free_bytes);

/* The other way round: bytes that must be free for so many of the layers, fewer than all. */
uint64_t memory_of_layers(const struct memory_need *need, const struct model_facts *facts,
                          uint64_t layers);

/* CUDA graphs that vLLM captures for so many sequences, of both kinds together. */
uint64_t memory_captures(uint64_t seqs);

/* Bytes to MiB, to the nearest; for what is printed. Signed for what may be missing. */
uint64_t memory_mib(uint64_t bytes);
int64_t memory_mib_signed(int64_t bytes);

/* "weights", "KV cache"; "read from the header". */
const char *memory_part_name(enum memory_part part);
const char *memory_source_name(enum memory_source source);
const char *memory_engine_name(enum memory_engine engine);

#endif
