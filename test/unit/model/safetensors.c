#include "model/safetensors.h"

#include <string.h>

#include "../check.h"

/* The head of a file with this JSON. */
static struct str head(struct arena *a, const char *json)
{
    size_t len = strlen(json);
    char *bytes = arena_array(a, char, len + SAFETENSORS_HEAD + 1);

    bytes[0] = (char)len;
    bytes[1] = (char)(len >> 8);
    memcpy(bytes + SAFETENSORS_HEAD, json, len);
    return (struct str){bytes, len + SAFETENSORS_HEAD};
}

static int read_json(struct model_facts *facts, struct arena *a, const char *json, uint64_t data,
                     struct err *err)
{
    struct str bytes = head(a, json);

    return safetensors_read(facts, a, bytes, bytes.len + data, "f", err);
}

#define BF16_8  "{\"dtype\":\"BF16\",\"shape\":[2,4],\"data_offsets\":[0,16]}"
#define A_ALONE "{\"a\":{\"dtype\":\"BF16\",\"shape\":[2,4],\"data_offsets\":[0,16]}"
#define F32_4   "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}"

static void shards_of_one_model_add_up(void **state)
{
    struct model_facts facts = {0};
    struct arena a = {0};
    struct err err;

    (void)state;
    assert_int_equal(read_json(&facts, &a, "{\"a\":" BF16_8 "}", 16, &err), 0);
    assert_int_equal(read_json(&facts, &a, "{\"a\":" F32_4 "}  ", 16, &err), 0);
    assert_int_equal(facts.tensor_bytes, 32);
    assert_int_equal(facts.elements, 12);
    assert_int_equal(facts.dtype_count, 2);
    arena_free(&a);
}

static void f32_of_a_float_model_is_loaded_in_16_bits_and_scales_stay(void **state)
{
    struct model_facts facts = {0};
    struct arena a = {0};
    struct err err;

    (void)state;
    assert_int_equal(read_json(&facts, &a, "{\"a\":" F32_4 "}", 16, &err), 0);
    safetensors_load_bytes(&facts);
    assert_int_equal(facts.load_bytes, 8);
    (void)snprintf(facts.quant.method, sizeof(facts.quant.method), "gptq");
    safetensors_load_bytes(&facts);
    assert_int_equal(facts.load_bytes, 16);
    arena_free(&a);
}

static void a_type_that_is_not_known_is_taken_by_its_bytes_and_said(void **state)
{
    struct model_facts facts = {0};
    struct arena a = {0};
    struct err err;

    (void)state;
    assert_int_equal(read_json(&facts, &a,
                               "{\"x\":{\"dtype\":\"F2\",\"shape\":[9],\"data_offsets\":[0,5]}}", 5,
                               &err),
                     0);
    assert_int_equal(facts.tensor_bytes, 5);
    assert_int_equal(facts.odd_count, 1);
    assert_string_equal(facts.odd[0], "f: tensor x is of a type that is not known: F2");
    arena_free(&a);
}

static void empty_tensors_scalars_and_no_tensor_at_all_are_fine(void **state)
{
    struct model_facts facts = {0};
    struct arena a = {0};
    struct err err;

    (void)state;
    assert_int_equal(
        read_json(&facts, &a,
                  "{\"__metadata__\":{\"a\":\"b\"},\"e\":{\"dtype\":\"F16\",\"shape\":[0,7],\"data_"
                  "offsets\":[0,0]},\"s\":{\"shape\":[],\"dtype\":\"F64\",\"data_offsets\":[0,8]}}",
                  8, &err),
        0);
    assert_int_equal(facts.elements, 1);
    assert_int_equal(read_json(&facts, &a, "{}", 0, &err), 0);
    arena_free(&a);
}

static void what_is_refused_leaves_the_facts_as_they_were(void **state)
{
    static const char a_twice[] = A_ALONE ",\"a\":" BF16_8 "}";
    static const char closed_twice[] = A_ALONE "}}";
    static const char *const bad[] = {
        a_twice,
        closed_twice,
        A_ALONE,
        "{\"a\":[]}",
        "{\"a\":{\"dtype\":\"BF16\",\"shape\":[-1],\"data_offsets\":[0,16]}}",
        "{\"a\":{\"dtype\":\"BF16\",\"shape\":[8],\"data_offsets\":[0,16],\"dtype\":\"BF16\"}}",
        "{\"a\":{\"dtype\":\"BF16\",\"shape\":[08],\"data_offsets\":[0,16]}}",
        "{\"a\":{\"dtype\":\"BF16\",\"shape\":[8]}}",
        "{\"__metadata__\":{\"a\":1}}",
        " {}",
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct model_facts facts = {.tensor_bytes = 7};
        struct err err = {0};

        assert_int_equal(read_json(&facts, &a, bad[i], 16, &err), -1);
        assert_int_equal(err.code, ERR_LIMIT);
        assert_int_equal(facts.tensor_bytes, 7);
        assert_int_equal(facts.dtype_count, 0);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_of_one_model_add_up),
        cmocka_unit_test(f32_of_a_float_model_is_loaded_in_16_bits_and_scales_stay),
        cmocka_unit_test(a_type_that_is_not_known_is_taken_by_its_bytes_and_said),
        cmocka_unit_test(empty_tensors_scalars_and_no_tensor_at_all_are_fine),
        cmocka_unit_test(what_is_refused_leaves_the_facts_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
