#include "model/gguf.h"

#include <string.h>

#include "../check.h"
#include "text/buf.h"

/* A head that is written piece by piece. */
struct writing {
    struct buf out;
};

static void put(struct writing *w, uint64_t n, unsigned bytes)
{
    for (; bytes > 0; bytes--, n >>= 8)
        buf_addc(&w->out, (char)n);
}

static void put_text(struct writing *w, const char *text)
{
    put(w, strlen(text), 8);
    buf_addz(&w->out, text);
}

static void put_start(struct writing *w, uint64_t tensors, uint64_t keys)
{
    buf_addz(&w->out, "GGUF");
    put(w, 3, 4);
    put(w, tensors, 8);
    put(w, keys, 8);
}

static void put_word(struct writing *w, const char *key, const char *value)
{
    put_text(w, key);
    put(w, 8, 4);
    put_text(w, value);
}

static void put_u32(struct writing *w, const char *key, uint64_t value)
{
    put_text(w, key);
    put(w, 4, 4);
    put(w, value, 4);
}

static void put_tensor(struct writing *w, const char *name, uint64_t elements, uint64_t offset)
{
    put_text(w, name);
    put(w, 1, 4);
    put(w, elements, 8);
    put(w, 0, 4); /* F32 */
    put(w, offset, 8);
}

static struct str text_head(struct arena *a)
{
    struct writing w = {buf_new(a, 65536)};

    put_start(&w, 3, 8);
    put_u32(&w, "llama.block_count", 2); /* before the architecture is told */
    put_word(&w, "general.architecture", "llama");
    put_u32(&w, "llama.embedding_length", 64);
    put_u32(&w, "llama.attention.head_count", 4);
    put_text(&w, "llama.attention.head_count_kv"); /* one of each layer */
    put(&w, 9, 4);
    put(&w, 4, 4);
    put(&w, 2, 8);
    put(&w, 1, 4);
    put(&w, 2, 4);
    put_u32(&w, "llama.context_length", 2048);
    put_u32(&w, "llama.vocab_size", 7);
    put_text(&w, "tokenizer.ggml.tokens");
    put(&w, 9, 4);
    put(&w, 8, 4);
    put(&w, 3, 8);
    put_text(&w, "a");
    put_text(&w, "b");
    put_text(&w, "c");
    put_tensor(&w, "token_embd.weight", 8, 0);
    put_tensor(&w, "blk.0.a", 4, 32);
    put_tensor(&w, "blk.1.a", 12, 64);
    return buf_str(&w.out);
}

#define DATA ((uint64_t)32 + 32 + 48)

static struct gguf_file file_of(struct str head, uint64_t data)
{
    return (struct gguf_file){.what = "f", .bytes = (head.len + 31) / 32 * 32 + data, .head = head};
}

static void the_shape_is_read_and_what_is_not_told_follows(void **state)
{
    struct model_facts facts = {0};
    struct arena a = {0};
    struct gguf_file file = file_of(text_head(&a), DATA);
    uint64_t need;
    struct err err;

    (void)state;
    assert_int_equal(gguf_read(&facts, &a, &need, &file, &err), 0);
    assert_int_equal(need, 0);
    assert_string_equal(facts.shape.architecture, "llama");
    assert_int_equal(facts.shape.layers, 2);
    assert_int_equal(facts.shape.kv_heads, 2); /* the most that a layer has */
    assert_int_equal(facts.shape.head_k, 16);
    assert_int_equal(facts.shape.vocab, 3); /* the list knows it better than the number */
    assert_int_equal(facts.tensor_bytes, 96);
    assert_int_equal(facts.layer_bytes, 48);
    assert_int_equal(facts.odd_count, 1);
    assert_non_null(strstr(facts.odd[0], "layers of 1 to 2 key and value heads"));
    arena_free(&a);
}

static void a_part_of_the_head_asks_for_more_until_it_is_whole(void **state)
{
    struct arena a = {0};
    struct str whole = text_head(&a);

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        struct model_facts facts = {0};
        struct gguf_file file = file_of(whole, DATA);
        uint64_t need = 0;
        struct err err;

        file.head.len = len;
        assert_int_equal(gguf_read(&facts, &a, &need, &file, &err), 0);
        assert_true(need > len);
        assert_true(need <= file.bytes);
        assert_int_equal(facts.tensor_bytes, 0);
    }
    arena_free(&a);
}

static void a_file_that_ends_before_its_tensors_is_refused(void **state)
{
    struct arena a = {0};
    struct gguf_file file = file_of(text_head(&a), 1);
    struct model_facts facts = {0};
    uint64_t need;
    struct err err;

    (void)state;
    assert_int_equal(gguf_read(&facts, &a, &need, &file, &err), -1);
    assert_non_null(strstr(err.msg, "it is cut off"));
    arena_free(&a);
}

static void a_projector_changes_no_shape_of_text(void **state)
{
    struct model_facts facts = {0};
    struct arena a = {0};
    struct writing w = {buf_new(&a, 65536)};
    struct gguf_file file = file_of(text_head(&a), DATA);
    uint64_t need;
    struct err err;

    (void)state;
    assert_int_equal(gguf_read(&facts, &a, &need, &file, &err), 0);
    put_start(&w, 1, 3);
    put_word(&w, "general.architecture", "clip");
    put_u32(&w, "clip.vision.image_size", 336);
    put_u32(&w, "clip.vision.patch_size", 14);
    put_tensor(&w, "v.patch", 16, 0);
    file = file_of(buf_str(&w.out), 64);
    assert_int_equal(gguf_read(&facts, &a, &need, &file, &err), 0);
    assert_int_equal(facts.projector_bytes, 64);
    assert_int_equal(facts.tensor_bytes, 96);
    assert_int_equal(facts.shape.layers, 2);
    assert_int_equal(facts.shape.image_tokens, 576);
    arena_free(&a);
}

/* deepseek2 as it is written now, and as it was before the latent was kept. */
static void a_latent_is_kept_only_where_both_keys_of_it_are(void **state)
{
    (void)state;
    for (unsigned keys = 6; keys <= 8; keys += 2) {
        struct model_facts facts = {0};
        struct arena a = {0};
        struct writing w = {buf_new(&a, 65536)};
        struct gguf_file file;
        uint64_t need;
        struct err err;

        put_start(&w, 0, keys);
        put_word(&w, "general.architecture", "deepseek2");
        put_u32(&w, "deepseek2.block_count", 2);
        put_u32(&w, "deepseek2.embedding_length", 64);
        put_u32(&w, "deepseek2.attention.head_count", 4);
        put_u32(&w, "deepseek2.attention.kv_lora_rank", 512);
        put_u32(&w, "deepseek2.rope.dimension_count", 64);
        if (keys == 8) {
            put_u32(&w, "deepseek2.attention.key_length_mla", 192);
            put_u32(&w, "deepseek2.attention.value_length_mla", 128);
        }
        file = file_of(buf_str(&w.out), 64);
        assert_int_equal(gguf_read(&facts, &a, &need, &file, &err), 0);
        assert_int_equal(facts.shape.cache, keys == 8 ? FACTS_CACHE_LATENT : FACTS_CACHE_ATTENTION);
        assert_int_equal(facts.shape.latent, keys == 8 ? 576 : 0);
        arena_free(&a);
    }
}

/* The file that was written is refused, in these words. */
static void assert_refused(const struct writing *w, const char *words)
{
    struct model_facts facts = {0};
    struct gguf_file file = file_of(buf_str(&w->out), 64);
    struct arena a = {0};
    uint64_t need;
    struct err err;

    assert_int_equal(gguf_read(&facts, &a, &need, &file, &err), -1);
    assert_string_equal(err.msg, str_format(&a, "f: no GGUF file that can be read: %s", words));
    arena_free(&a);
}

static void offsets_are_the_running_sum_of_padded_sizes(void **state)
{
    struct arena a = {0};
    struct writing w = {buf_new(&a, 65536)};

    (void)state;
    put_start(&w, 2, 0);
    put_tensor(&w, "a", 4, 0);
    put_tensor(&w, "b", 4, 16); /* 32 would be right */
    assert_refused(&w, "tensor b begins at 16, and the one before it ends at 32");
    arena_free(&a);
}

static void names_that_come_twice_and_odd_alignments_are_refused(void **state)
{
    struct arena a = {0};
    struct writing twice = {buf_new(&a, 65536)}, odd = {buf_new(&a, 65536)};

    (void)state;
    put_start(&twice, 2, 0);
    put_tensor(&twice, "a", 8, 0);
    put_tensor(&twice, "a", 8, 32);
    assert_refused(&twice, "tensor a is there twice");
    put_start(&odd, 0, 1);
    put_u32(&odd, "general.alignment", 24);
    assert_refused(&odd, "an alignment of 24");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shape_is_read_and_what_is_not_told_follows),
        cmocka_unit_test(a_part_of_the_head_asks_for_more_until_it_is_whole),
        cmocka_unit_test(a_file_that_ends_before_its_tensors_is_refused),
        cmocka_unit_test(a_projector_changes_no_shape_of_text),
        cmocka_unit_test(a_latent_is_kept_only_where_both_keys_of_it_are),
        cmocka_unit_test(offsets_are_the_running_sum_of_padded_sizes),
        cmocka_unit_test(names_that_come_twice_and_odd_alignments_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
