#include <stdio.h>

#include "../check.h"
#include "model/manifest.h"
#include "text/buf.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct manifest manifest_of(struct arena *a, const char *const *paths)
{
    struct manifest m = {.ref = {.source = "hf", .text = "hf:org/name"}};
    struct err err = {0};

    while (paths[m.file_count] != NULL)
        m.file_count++;
    m.files = arena_array(a, struct model_file, m.file_count);
    for (size_t i = 0; i < m.file_count; i++)
        m.files[i] = (struct model_file){.path = paths[i], .size = 1000 * (i + 1)};
    assert_int_equal(manifest_check(&m, &err), 0);
    return m;
}

/* The wanted paths, in the order of the manifest, divided by blanks. */
static const char *wanted(struct arena *a, const struct manifest *m)
{
    struct buf b = buf_new(a, 4096);

    for (size_t i = 0; i < m->file_count; i++)
        if (m->files[i].wanted)
            buf_addf(&b, "%s%s", b.len > 0 ? " " : "", m->files[i].path);
    return b.ptr;
}

static void check(const char *const *paths, struct selection s, const char *expected)
{
    ARENA_SCOPED a = {0};
    struct manifest m = manifest_of(&a, paths);
    struct err err = {0};
    bool whole;

    if (selection_apply(&whole, &m, &s, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(wanted(&a, &m), expected);
    assert_int_equal(whole, manifest_wanted_count(&m) == m.file_count);
}

static void safetensors_drop_the_other_formats_of_their_folder(void **state)
{
    (void)state;
    check(LIST("README.md", "config.json", "model.safetensors", "pytorch_model.bin", "m.pt",
               "m.pth", "m.ckpt", "tf_model.h5", "flax_model.msgpack", "rust_model.ot", "m.gguf",
               "m.tflite", "m.onnx", "m.onnx_data", "m.mlmodel", "tokenizer.json",
               "tokenizer.model", "pytorch_model.bin.index.json"),
          (struct selection){0},
          "README.md config.json model.safetensors pytorch_model.bin.index.json tokenizer.json "
          "tokenizer.model");
}

static void without_safetensors_the_bin_files_stay(void **state)
{
    (void)state;
    check(LIST("config.json", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"),
          (struct selection){0}, "config.json pytorch_model.bin");
}

static void each_folder_is_judged_alone(void **state)
{
    (void)state;
    check(LIST("model.safetensors", "pytorch_model.bin", "1_Pooling/config.json",
               "2_Dense/pytorch_model.bin", "2_Dense/config.json", "unet/x.bin",
               "unet/x.safetensors", "vae/x.bin"),
          (struct selection){0},
          "1_Pooling/config.json 2_Dense/config.json 2_Dense/pytorch_model.bin model.safetensors "
          "unet/x.safetensors vae/x.bin");
}

static void folders_for_other_programs_are_left_out_at_any_depth(void **state)
{
    (void)state;
    check(LIST("model.safetensors", "onnx/model.onnx", "onnx/config.json", "openvino/o.xml",
               "coreml/a/b", "original/params.json", "metal/model.bin", "x/onnx/y.json",
               "m.mlpackage/Data/w", "onnx_readme.txt", "my-onnx/a"),
          (struct selection){0}, "model.safetensors my-onnx/a onnx_readme.txt");
}

static void consolidated_files_go_where_a_model_file_stands_beside_them(void **state)
{
    (void)state;
    check(LIST("consolidated.safetensors", "model-00001-of-00002.safetensors",
               "model-00002-of-00002.safetensors", "x/consolidated.safetensors"),
          (struct selection){0},
          "model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
          "x/consolidated.safetensors");
    check(LIST("consolidated.safetensors", "params.json"), (struct selection){0},
          "consolidated.safetensors params.json");
}

static void only_gguf_asks_for_a_file(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = manifest_of(&a, LIST("README.md", "m.Q4_K_M.gguf", "m.Q8_0.gguf"));
    struct err err = {0};
    bool whole;

    (void)state;
    assert_int_equal(selection_apply(&whole, &m, &(struct selection){0}, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.msg, "hf:org/name holds weights as GGUF only, name the files to have: "
                                 "m.Q4_K_M.gguf (2.0 kB), m.Q8_0.gguf (3.0 kB)");
    assert_string_equal(err.hint, "--include 'FILE or GLOB' (and --include '*.json' for what "
                                  "belongs to it), or --all-files");
    check(LIST("README.md", "m.Q4_K_M.gguf", "m.Q8_0.gguf"),
          (struct selection){.include = LIST("*Q8_0*")}, "m.Q8_0.gguf");
    check(LIST("README.md", "m.Q4_K_M.gguf"), (struct selection){.all_files = true},
          "README.md m.Q4_K_M.gguf");
}

static void a_long_list_ends_in_a_count(void **state)
{
    ARENA_SCOPED a = {0};
    const char *paths[101];
    struct manifest m;
    struct err err = {0};
    bool whole;

    (void)state;
    for (size_t i = 0; i < 100; i++)
        paths[i] = str_format(&a, "model-%03zu.gguf", i);
    paths[100] = NULL;
    m = manifest_of(&a, paths);
    assert_int_equal(selection_apply(&whole, &m, &(struct selection){0}, &err), -1);
    assert_non_null(strstr(err.msg, "model-000.gguf (1.0 kB), model-001.gguf (2.0 kB), "));
    assert_non_null(strstr(err.msg, ", model-010.gguf (11.0 kB) and 89 more"));
}

static void other_formats_alone_ask_for_a_file_too(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m =
        manifest_of(&a, LIST("config.json", "onnx/model.onnx", "training_args.bin"));
    struct err err = {0};
    bool whole;

    (void)state;
    assert_int_equal(selection_apply(&whole, &m, &(struct selection){0}, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.msg, "hf:org/name holds no safetensors and no .bin weights, name the "
                                 "files to have: onnx/model.onnx (2.0 kB)");
}

static void a_repository_without_weights_is_taken_whole(void **state)
{
    (void)state;
    check(LIST("tokenizer.json", "vocab.txt"), (struct selection){0}, "tokenizer.json vocab.txt");
}

static void include_takes_exactly_what_matches_less_exclude(void **state)
{
    const char *const *paths = LIST("a.bin", "a.safetensors", "onnx/a.onnx", "b/a.json");

    (void)state;
    check(paths, (struct selection){.include = LIST("*.bin", "onnx/")}, "a.bin onnx/a.onnx");
    check(paths, (struct selection){.include = LIST("a*", "b/*"), .exclude = LIST("*.bin")},
          "a.safetensors b/a.json");
}

static void exclude_alone_narrows_the_default_selection(void **state)
{
    (void)state;
    check(LIST("a.bin", "a.safetensors", "b.json"), (struct selection){.exclude = LIST("*.json")},
          "a.safetensors");
    check(LIST("a.bin", "a.safetensors", "b.json"),
          (struct selection){.exclude = LIST("*.json"), .all_files = true}, "a.bin a.safetensors");
}

static void nothing_selected_is_an_error_with_the_patterns(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = manifest_of(&a, LIST("a", "b"));
    struct manifest empty = {.ref = {.source = "hf", .text = "hf:org/name"}};
    struct selection s = {.include = LIST("x*", "A"), .exclude = LIST("b")};
    struct err err = {0};
    bool whole;

    (void)state;
    assert_int_equal(selection_apply(&whole, &m, &s, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.msg, "hf:org/name: none of its 2 files is selected by --include 'x*' "
                                 "--include 'A' --exclude 'b'");
    assert_string_equal(err.hint, "--dry-run --all-files lists the files");
    assert_int_equal(selection_apply(&whole, &empty, &(struct selection){0}, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.msg, "hf:org/name holds no files");
    assert_string_equal(err.hint, "check the name and the revision");
}

static void models_of_ollama_are_always_whole(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = manifest_of(&a, LIST("a.gguf", "b"));
    struct selection s = {.include = LIST("x*"), .exclude = LIST("b")};
    struct err err = {0};
    bool whole = false;

    (void)state;
    m.ref.source = "ollama";
    assert_int_equal(selection_apply(&whole, &m, &s, &err), 0);
    assert_true(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_drop_the_other_formats_of_their_folder),
        cmocka_unit_test(without_safetensors_the_bin_files_stay),
        cmocka_unit_test(each_folder_is_judged_alone),
        cmocka_unit_test(folders_for_other_programs_are_left_out_at_any_depth),
        cmocka_unit_test(consolidated_files_go_where_a_model_file_stands_beside_them),
        cmocka_unit_test(only_gguf_asks_for_a_file),
        cmocka_unit_test(a_long_list_ends_in_a_count),
        cmocka_unit_test(other_formats_alone_ask_for_a_file_too),
        cmocka_unit_test(a_repository_without_weights_is_taken_whole),
        cmocka_unit_test(include_takes_exactly_what_matches_less_exclude),
        cmocka_unit_test(exclude_alone_narrows_the_default_selection),
        cmocka_unit_test(nothing_selected_is_an_error_with_the_patterns),
        cmocka_unit_test(models_of_ollama_are_always_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
