/*
 * What a model is, as far as its need of memory goes: plain values, whoever found them out.
 *
 *     safetensors.h   the table of tensors of one file       bytes, types, shapes
 *     gguf.h          the same of a GGUF file, and its keys
 *     config_json.h   config.json, quantize_config.json      shape, quantisation
 *     facts.h         all of it as one value, which the rules of gpu/memory.h reckon with
 *
 * A number that is 0 is not known or does not apply, unless it says otherwise. What could not be
 * understood stands in `odd`, in the order it was met; the numbers are then the best that is known.
 */
#ifndef MODEL_FACTS_H
#define MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/arena.h"

#define FACTS_WORD    ((size_t)48)        /* a name of an architecture, a type, a method */
#define FACTS_ODD_MAX ((size_t)16)        /* more are counted and not kept */
#define FACTS_NUMBER  ((uint64_t)1 << 31) /* every number of a shape is smaller */

/* Which cache of keys and values a model has. */
enum facts_cache {
    FACTS_CACHE_ATTENTION, /* keys and values of each KV head; with `window` less in some layers */
    FACTS_CACHE_LATENT,    /* MLA: one latent a token and layer, the same on each rank */
    FACTS_CACHE_NONE,      /* encoders */
};

/* Layers, widths and heads; of a model that sees, those of the part that writes text. */
struct model_shape {
    char
        architecture[FACTS_WORD]; /* "mistral", "llama", "bert": model_type, general.architecture */
    uint64_t layers;
    uint64_t hidden;
    uint64_t intermediate; /* of one token's way: a mixture's experts that it takes, and shared */
    uint64_t heads;
    uint64_t kv_heads;
    uint64_t head_k; /* width of a head's key */
    uint64_t head_v;
    uint64_t vocab;
    uint64_t context; /* positions that it was trained for */
    uint64_t rotary;  /* width that turns by position: of the rope cache */
    enum facts_cache cache;
    uint64_t latent;        /* FACTS_CACHE_LATENT: elements a token and layer */
    uint64_t window;        /* of layers with a sliding window */
    uint64_t window_layers; /* how many of the layers have it */
    uint64_t experts;       /* of a mixture, in each layer */
    uint64_t vision_heads;  /* of the part that sees; 0: it has none */
    uint64_t image_tokens;  /* that one image of full resolution takes, at most */
    bool tied;              /* lm_head is the embedding */
    bool remote_code;       /* wants code of the repository: auto_map */
    bool guessed;           /* no shape that we know: weights alone are sure */
};

/* How the weights are packed; method "": they are not. */
struct model_quant {
    char method[FACTS_WORD]; /* "gptq", "awq", "fp8", "bitsandbytes", "compressed-tensors", ... */
    uint64_t bits;
    uint64_t group; /* inputs that share a scale; 0: all of them */
    bool desc_act;
    bool static_activations; /* fp8: activation_scheme static */
};

/* Bytes of weights by type: "BF16", "Q4_K". */
struct model_dtype {
    char name[16];
    uint64_t tensors;
    uint64_t elements;
    uint64_t bytes;
};

#define FACTS_DTYPES ((size_t)24)

struct model_facts {
    struct model_shape shape;
    struct model_quant quant;
    char dtype[FACTS_WORD]; /* what config.json says: "bfloat16" */
    char licence[FACTS_WORD];
    struct model_dtype dtypes[FACTS_DTYPES]; /* of what the engine loads, most bytes first */
    size_t dtype_count;
    uint64_t tensor_bytes;    /* of what the engine loads, as it lies on the disk */
    uint64_t load_bytes;      /* the same as vLLM holds it: F32 of a float model as 16 bits */
    uint64_t elements;        /* of all those tensors, as they are packed */
    uint64_t params;          /* of the model as if it were not packed; 0: not known */
    uint64_t file_bytes;      /* Ollama: of the file of weights */
    uint64_t projector_bytes; /* GGUF: tensors of the file that sees, apart from tensor_bytes */
    uint64_t layer_bytes;     /* GGUF: tensors of the largest layer */
    const char *odd[FACTS_ODD_MAX]; /* "config.json: no num_hidden_layers"; in the facts' arena */
    size_t odd_count;               /* may be more than are kept */
};

/* Notes what was not understood, by printf. */
void facts_odd(struct model_facts *facts, struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a tensor to its type's line and to tensor_bytes and elements; false if a sum overflows. */
bool facts_add_tensor(struct model_facts *facts, const char *dtype, uint64_t elements,
                      uint64_t bytes);

/* Most bytes first. */
void facts_sort_dtypes(struct model_facts *facts);

#endif
