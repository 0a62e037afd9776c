#include "model/gguf_keys.h"

#include "model/facts.h"

/* What one key is for: the part behind the architecture, or the whole. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {".block_count", offsetof(struct gguf_keys, layers)},
    {".embedding_length", offsetof(struct gguf_keys, hidden)},
    {".feed_forward_length", offsetof(struct gguf_keys, intermediate)},
    {".context_length", offsetof(struct gguf_keys, context)},
    {".attention.head_count", offsetof(struct gguf_keys, heads)},
    {".attention.key_length", offsetof(struct gguf_keys, head_k)},
    {".attention.value_length", offsetof(struct gguf_keys, head_v)},
    {".attention.key_length_mla", offsetof(struct gguf_keys, mla_k)},
    {".attention.value_length_mla", offsetof(struct gguf_keys, mla_v)},
    {".attention.sliding_window", offsetof(struct gguf_keys, window)},
    {".attention.kv_lora_rank", offsetof(struct gguf_keys, latent)},
    {".rope.dimension_count", offsetof(struct gguf_keys, rotary)},
    {".expert_count", offsetof(struct gguf_keys, experts)},
    {".expert_used_count", offsetof(struct gguf_keys, experts_used)},
    {".vocab_size", offsetof(struct gguf_keys, vocab)},
    {"clip.vision.image_size", offsetof(struct gguf_keys, image)},
    {"clip.vision.patch_size", offsetof(struct gguf_keys, patch)},
    {"clip.vision.attention.head_count", offsetof(struct gguf_keys, vision_heads)},
    {"general.alignment", offsetof(struct gguf_keys, alignment)},
};

static void keep_number(struct gguf_keys *keys, struct str key, const struct gguf_value *value)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        bool whole = numbers[i].name[0] != '.';

        if (whole ? str_eqz(key, numbers[i].name) : str_ends(key, str_from(numbers[i].name)))
            memcpy((char *)keys + numbers[i].offset, &value->number, sizeof(value->number));
    }
    if (str_ends(key, STR(".attention.head_count_kv"))) {
        keys->kv_heads = value->number;
        keys->kv_least = value->least;
    } else if (str_ends(key, STR(".attention.causal"))) {
        keys->causal_said = true;
        keys->causal = value->number != 0;
    }
}

void gguf_keep(struct gguf_keys *keys, struct str key, const struct gguf_value *value)
{
    if (value->is_number && value->number < FACTS_NUMBER)
        keep_number(keys, key, value);
    if (value->is_list && str_eqz(key, "tokenizer.ggml.tokens")) {
        keys->vocab = value->count;
        keys->tokens = true;
    }
    if (value->is_text && str_eqz(key, "general.architecture"))
        keys->architecture = value->text;
    if (value->is_text && str_eqz(key, "general.license"))
        keys->licence = value->text;
}
