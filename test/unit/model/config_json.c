#include "model/config_json.h"

#include <string.h>

#include "../check.h"

/* What published configurations say, as far as it is read, and what must come of it. */
static const struct row {
    const char *name, *text;
    uint64_t layers, kv_heads, head_k, context, intermediate, window, window_layers, latent, images;
    enum facts_cache cache;
    bool tied;
} rows[] = {
    {"Mistral-7B-Instruct-v0.2",
     "{\"model_type\":\"mistral\",\"hidden_size\":4096,\"intermediate_size\":14336,\"num_hidden_"
     "layers\":32,\"num_attention_heads\":32,\"num_key_value_heads\":8,\"vocab_size\":32000,"
     "\"max_position_embeddings\":32768,\"sliding_window\":null,\"tie_word_embeddings\":false}",
     .layers = 32, .kv_heads = 8, .head_k = 128, .context = 32768, .intermediate = 14336},
    {"Mistral-7B-v0.1, with its window",
     "{\"model_type\":\"mistral\",\"hidden_size\":4096,\"intermediate_size\":14336,\"num_hidden_"
     "layers\":32,\"num_attention_heads\":32,\"num_key_value_heads\":8,\"max_position_embeddings\":"
     "32768,\"sliding_window\":4096}",
     .layers = 32, .kv_heads = 8, .head_k = 128, .context = 32768, .intermediate = 14336,
     .window = 4096, .window_layers = 32},
    {"Qwen2.5-7B, whose window is off",
     "{\"model_type\":\"qwen2\",\"hidden_size\":3584,\"intermediate_size\":18944,\"num_hidden_"
     "layers\":28,\"num_attention_heads\":28,\"num_key_value_heads\":4,\"max_position_embeddings\":"
     "32768,\"sliding_window\":131072,\"use_sliding_window\":false,\"max_window_layers\":28}",
     .layers = 28, .kv_heads = 4, .head_k = 128, .context = 32768, .intermediate = 18944},
    {"gemma-2-9b, every second layer",
     "{\"model_type\":\"gemma2\",\"hidden_size\":3584,\"intermediate_size\":14336,\"num_hidden_"
     "layers\":42,\"num_attention_heads\":16,\"num_key_value_heads\":8,\"head_dim\":256,\"max_"
     "position_embeddings\":8192,\"sliding_window\":4096}",
     .layers = 42, .kv_heads = 8, .head_k = 256, .context = 8192, .intermediate = 14336,
     .window = 4096, .window_layers = 21, .tied = true},
    {"gemma-3-12b, five of six, nested",
     "{\"model_type\":\"gemma3\",\"text_config\":{\"model_type\":\"gemma3_text\",\"hidden_size\":"
     "3840,\"intermediate_size\":15360,\"num_hidden_layers\":48,\"num_attention_heads\":16,\"num_"
     "key_value_heads\":8,\"head_dim\":256,\"max_position_embeddings\":131072,\"sliding_window\":"
     "1024,\"sliding_window_pattern\":6},\"vision_config\":{\"image_size\":896,\"patch_size\":14}}",
     .layers = 48, .kv_heads = 8, .head_k = 256, .context = 131072, .intermediate = 15360,
     .window = 1024, .window_layers = 40, .images = 4096, .tied = true},
    {"layers that are named one by one",
     "{\"model_type\":\"gemma3_text\",\"hidden_size\":64,\"intermediate_size\":128,\"num_hidden_"
     "layers\":3,\"num_attention_heads\":4,\"max_position_embeddings\":512,\"sliding_window\":128,"
     "\"layer_types\":[\"sliding_attention\",\"full_attention\",\"sliding_attention\"]}",
     .layers = 3, .kv_heads = 4, .head_k = 16, .context = 512, .intermediate = 128, .window = 128,
     .window_layers = 2, .tied = true},
    {"Mixtral-8x7B, two experts of eight",
     "{\"model_type\":\"mixtral\",\"hidden_size\":4096,\"intermediate_size\":14336,\"num_hidden_"
     "layers\":32,\"num_attention_heads\":32,\"num_key_value_heads\":8,\"max_position_embeddings\":"
     "32768,\"num_local_experts\":8,\"num_experts_per_tok\":2}",
     .layers = 32, .kv_heads = 8, .head_k = 128, .context = 32768, .intermediate = 28672},
    {"DeepSeek-V3, one latent",
     "{\"model_type\":\"deepseek_v3\",\"hidden_size\":7168,\"intermediate_size\":18432,\"num_"
     "hidden_layers\":61,\"num_attention_heads\":128,\"num_key_value_heads\":128,\"max_position_"
     "embeddings\":163840,\"kv_lora_rank\":512,\"qk_rope_head_dim\":64,\"qk_nope_head_dim\":128,"
     "\"v_head_dim\":128,\"n_routed_experts\":256,\"num_experts_per_tok\":8,\"moe_intermediate_"
     "size\":2048,\"n_shared_experts\":1}",
     .layers = 61, .kv_heads = 128, .head_k = 192, .context = 163840, .intermediate = 18432,
     .latent = 576, .cache = FACTS_CACHE_LATENT},
    {"llava-1.5-7b, of which little is said",
     "{\"model_type\":\"llava\",\"text_config\":{\"model_type\":\"llama\",\"max_position_"
     "embeddings\":4096},\"vision_config\":{\"image_size\":336,\"patch_size\":14}}",
     .layers = 32, .kv_heads = 32, .head_k = 128, .context = 4096, .intermediate = 11008,
     .images = 576},
    {"all-MiniLM-L6-v2",
     "{\"model_type\":\"bert\",\"hidden_size\":384,\"intermediate_size\":1536,\"num_hidden_"
     "layers\":"
     "6,\"num_attention_heads\":12,\"max_position_embeddings\":512,\"vocab_size\":30522}",
     .layers = 6, .kv_heads = 12, .head_k = 32, .context = 512, .intermediate = 1536,
     .cache = FACTS_CACHE_NONE},
    {"nomic-embed-text-v1, by names of its own",
     "{\"model_type\":\"nomic_bert\",\"n_embd\":768,\"n_inner\":3072,\"n_layer\":12,\"n_head\":12,"
     "\"n_positions\":8192}",
     .layers = 12, .kv_heads = 12, .head_k = 64, .context = 8192, .intermediate = 3072,
     .cache = FACTS_CACHE_NONE},
};

static bool same(const struct row *row, const char *what, uint64_t is, uint64_t wanted)
{
    if (is != wanted)
        print_error("%s: %s is %llu, not %llu\n", row->name, what, (unsigned long long)is,
                    (unsigned long long)wanted);
    return is == wanted;
}

static bool row_holds(const struct row *row)
{
    struct model_facts facts = {0};
    const struct model_shape *s = &facts.shape;
    struct arena a = {0};
    struct err err;
    bool good = config_json_read(&facts, &a, str_from(row->text), "config.json", &err) == 0;

    good &= same(row, "layers", s->layers, row->layers);
    good &= same(row, "kv_heads", s->kv_heads, row->kv_heads);
    good &= same(row, "head_k", s->head_k, row->head_k);
    good &= same(row, "context", s->context, row->context);
    good &= same(row, "intermediate", s->intermediate, row->intermediate);
    good &= same(row, "window", s->window, row->window);
    good &= same(row, "window_layers", s->window_layers, row->window_layers);
    good &= same(row, "latent", s->latent, row->latent);
    good &= same(row, "image_tokens", s->image_tokens, row->images);
    good &= same(row, "cache", s->cache, row->cache);
    good &= same(row, "tied", s->tied, row->tied);
    good &= same(row, "odd", facts.odd_count, 0) && !s->guessed;
    arena_free(&a);
    return good;
}

static void published_configurations_are_read_as_their_models_are(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        wrong += !row_holds(&rows[i]);
    assert_int_equal(wrong, 0);
}

static void packed_weights_are_told_by_method_bits_and_group(void **state)
{
    static const struct {
        const char *text, *method;
        uint64_t bits, group;
        bool desc_act, is_static;
    } quants[] = {
        {"{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":128,\"desc_act\":true}", "gptq", 4,
         128, true, false},
        {"{\"quant_method\":\"gptq\",\"bits\":8,\"group_size\":-1}", "gptq", 8, 0, false, false},
        {"{\"quant_method\":\"awq\",\"w_bit\":4,\"q_group_size\":64}", "awq", 4, 64, false, false},
        {"{\"quant_method\":\"fp8\",\"activation_scheme\":\"static\"}", "fp8", 8, 0, false, true},
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(quants) / sizeof(quants[0]); i++) {
        struct model_facts facts = {0};
        struct err err;
        const char *text =
            str_format(&a, "{\"model_type\":\"llama\",\"quantization_config\":%s}", quants[i].text);

        assert_int_equal(config_json_read(&facts, &a, str_from(text), "c", &err), 0);
        assert_string_equal(facts.quant.method, quants[i].method);
        assert_int_equal(facts.quant.bits, quants[i].bits);
        assert_int_equal(facts.quant.group, quants[i].group);
        assert_int_equal(facts.quant.desc_act, quants[i].desc_act);
        assert_int_equal(facts.quant.static_activations, quants[i].is_static);
    }
    arena_free(&a);
}

static void an_older_file_of_its_own_tells_it_too_and_counts_less(void **state)
{
    struct model_facts facts = {0};
    struct arena a = {0};
    struct err err;

    (void)state;
    assert_int_equal(config_json_read_quant(&facts, &a, STR("{\"bits\":4,\"group_size\":32}"),
                                            "quantize_config.json", &err),
                     0);
    assert_string_equal(facts.quant.method, "gptq");
    assert_int_equal(facts.quant.group, 32);
    (void)snprintf(facts.quant.method, sizeof(facts.quant.method), "awq");
    assert_int_equal(config_json_read_quant(&facts, &a, STR("{\"bits\":8}"), "q", &err), 0);
    assert_int_equal(facts.quant.bits, 4);
    arena_free(&a);
}

static void what_is_no_shape_is_said_and_the_weights_alone_are_sure(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"model_type\":\"llama\",\"hidden_size\":4096,\"num_hidden_layers\":-1}",
        "{\"model_type\":\"llama\",\"hidden_size\":4294967296,\"num_hidden_layers\":2}",
        "{\"model_type\":\"llama\",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_"
        "heads\":"
        "9,\"num_key_value_heads\":2}",
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct model_facts facts = {0};
        struct err err;

        assert_int_equal(config_json_read(&facts, &a, str_from(texts[i]), "c", &err), 0);
        assert_true(facts.shape.guessed);
        assert_true(facts.odd_count > 0);
    }
    arena_free(&a);
}

static void what_is_no_object_is_refused_for_good(void **state)
{
    static const char *const texts[] = {"", "[]", "{", "\"x\"", "{\"a\":1,\"a\":2}"};
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct model_facts facts = {0};
        struct err err = {0};

        assert_int_equal(config_json_read(&facts, &a, str_from(texts[i]), "config.json", &err), -1);
        assert_int_equal(err.code, ERR_LIMIT);
        assert_non_null(strstr(err.msg, "config.json"));
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_configurations_are_read_as_their_models_are),
        cmocka_unit_test(packed_weights_are_told_by_method_bits_and_group),
        cmocka_unit_test(an_older_file_of_its_own_tells_it_too_and_counts_less),
        cmocka_unit_test(what_is_no_shape_is_said_and_the_weights_alone_are_sure),
        cmocka_unit_test(what_is_no_object_is_refused_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
