#include "model/weights.h"

#include "../check.h"

static uint64_t bytes_of(const char *source, struct model_file *files, size_t count)
{
    const struct manifest m = {.ref = {.source = source}, .files = files, .file_count = count};

    return weights_bytes(&m);
}

static void only_wanted_files_that_an_engine_reads_count(void **state)
{
    struct model_file files[] = {
        {.path = "config.json", .size = 7, .wanted = true},
        {.path = "model-00001-of-00002.safetensors", .size = 100, .wanted = true},
        {.path = "model-00002-of-00002.safetensors", .size = 20, .wanted = true},
        {.path = "optimizer.pt", .size = 9000, .wanted = true},
        {.path = "training_args.bin", .size = 9000, .wanted = true},
        {.path = "other.safetensors", .size = 9000},
    };

    (void)state;
    assert_int_equal(bytes_of("hf", files, 6), 120);
    assert_int_equal(bytes_of("hf", files, 1), 0);
    assert_int_equal(bytes_of("hf", NULL, 0), 0);
}

static void of_several_formats_the_larger_one_counts(void **state)
{
    struct model_file files[] = {
        {.path = "model.safetensors", .size = 100, .wanted = true},
        {.path = "pytorch_model.bin", .size = 110, .wanted = true},
        {.path = "sub/unet.bin", .size = 30, .wanted = true},
        {.path = "x.gguf", .size = 50, .wanted = true},
    };

    (void)state;
    assert_int_equal(bytes_of("hf", files, 4), 140);
}

static void of_ollama_the_largest_part_is_the_model(void **state)
{
    struct model_file files[] = {
        {.path = "blobs/sha256-aa", .size = 5000, .wanted = true},
        {.path = "blobs/sha256-bb", .size = 600, .wanted = true},
    };

    (void)state;
    assert_int_equal(bytes_of("ollama", files, 2), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_wanted_files_that_an_engine_reads_count),
        cmocka_unit_test(of_several_formats_the_larger_one_counts),
        cmocka_unit_test(of_ollama_the_largest_part_is_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
