/* The keys of a GGUF head that tell a model's shape; of gguf.c alone. */
#ifndef MODEL_GGUF_KEYS_H
#define MODEL_GGUF_KEYS_H

#include "model/gguf_scan.h"

/* Zero: not said. They may stand before general.architecture, so all are kept until the end. */
struct gguf_keys {
    struct str architecture, licence;
    uint64_t alignment, layers, hidden, intermediate, context, heads, kv_heads, kv_least, head_k,
        head_v, mla_k, mla_v, window, latent, rotary, experts, experts_used, vocab, image, patch,
        vision_heads;
    bool causal_said, causal, tokens;
};

/* Keeps the value of a key that is of use; numbers below FACTS_NUMBER alone. */
void gguf_keep(struct gguf_keys *keys, struct str key, const struct gguf_value *value);

#endif
