#include "worker/read_order.h"

#include "../check.h"
#include "../store/scratch.h"
#include "sys/fd.h"
#include "sys/file.h"

static void make(struct scratch *s, const char *path, size_t bytes)
{
    FD_SCOPED fd = file_open(s->fd, path, O_WRONLY | O_CREAT, 0644, &s->err);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
}

/* The names in order, with commas between. */
static const char *order_of(struct scratch *s)
{
    struct read_order order;
    const char *all = "";

    assert_int_equal(read_order_folder(&order, &s->arena, s->path, &s->err), 0);
    for (size_t i = 0; i < order.files.len; i++)
        all = str_format(&s->arena, "%s%s%s", all, i == 0 ? "" : ",",
                         order.files.at[i].path + strlen(s->path) + 1);
    return all;
}

static void shards_come_by_name_and_nothing_beside_them(void **state)
{
    struct scratch *s = *state;

    make(s, "model-00003-of-00003.safetensors", 30);
    make(s, "model-00001-of-00003.safetensors", 10);
    make(s, "blob", 20);
    assert_int_equal(symlinkat("blob", s->fd, "model-00002-of-00003.safetensors"), 0);
    assert_int_equal(symlinkat("gone", s->fd, "model-00000-of-00003.safetensors"), 0);
    make(s, "consolidated.safetensors", 60);
    make(s, "pytorch_model.bin", 60);
    make(s, "config.json", 1);
    make(s, "empty.safetensors", 0);
    assert_string_equal(order_of(s), "model-00001-of-00003.safetensors,"
                                     "model-00002-of-00003.safetensors,"
                                     "model-00003-of-00003.safetensors");
}

static void sizes_and_identities_are_those_of_the_bytes(void **state)
{
    struct scratch *s = *state;
    struct read_order order;
    struct stat st;

    make(s, "blob", 12345);
    assert_int_equal(symlinkat("blob", s->fd, "model.safetensors"), 0);
    assert_int_equal(fstatat(s->fd, "blob", &st, 0), 0);
    assert_int_equal(read_order_folder(&order, &s->arena, s->path, &s->err), 0);
    assert_int_equal(order.files.len, 2 - 1);
    assert_int_equal(order.bytes, 12345);
    assert_int_equal(order.files.at[0].bytes, 12345);
    assert_int_equal(order.files.at[0].inode, st.st_ino);
    assert_int_equal(order.files.at[0].device, st.st_dev);
}

static void folders_come_after_the_top_each_in_its_own_format(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(mkdirat(s->fd, "2_Dense", 0755), 0);
    assert_int_equal(mkdirat(s->fd, "1_Pooling", 0755), 0);
    assert_int_equal(mkdirat(s->fd, "onnx", 0755), 0);
    make(s, "2_Dense/pytorch_model.bin", 5);
    make(s, "1_Pooling/config.json", 5);
    make(s, "onnx/model.safetensors", 5);
    make(s, "model.safetensors", 5);
    assert_string_equal(order_of(s), "model.safetensors,2_Dense/pytorch_model.bin");
}

static void a_model_without_safetensors_is_read_in_the_format_it_has(void **state)
{
    struct scratch *s = *state;

    make(s, "training_args.bin", 5);
    assert_string_equal(order_of(s), "");
    make(s, "q4.gguf", 5);
    assert_string_equal(order_of(s), "q4.gguf");
    make(s, "pytorch_model-2.bin", 5);
    make(s, "pytorch_model-1.bin", 5);
    assert_string_equal(order_of(s), "pytorch_model-1.bin,pytorch_model-2.bin");
    make(s, "consolidated.safetensors", 5);
    assert_string_equal(order_of(s), "consolidated.safetensors");
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    struct scratch *s = *state;
    struct read_order order;

    assert_int_equal(read_order_folder(&order, &s->arena, "/nowhere/model", &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, "/nowhere/model"));
}

/* A manifest that names two blobs, of which the projector comes first. */
static void of_ollama_the_model_comes_before_its_projector(void **state)
{
    struct scratch *s = *state;
    struct layout_config config = {.ollama_models = s->path};
    const char *hex[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    };
    const char *text =
        str_format(&s->arena,
                   "{\"schemaVersion\":2,\"mediaType\":\"application/"
                   "vnd.docker.distribution.manifest.v2+json\","
                   "\"config\":{\"mediaType\":\"application/vnd.docker.container.image.v1+json\","
                   "\"digest\":\"sha256:%s\",\"size\":3},\"layers\":["
                   "{\"mediaType\":\"application/"
                   "vnd.ollama.image.projector\",\"digest\":\"sha256:%s\",\"size\":4},"
                   "{\"mediaType\":\"application/"
                   "vnd.ollama.image.model\",\"digest\":\"sha256:%s\",\"size\":5}]}",
                   hex[0], hex[1], hex[2]);
    const char *folder = "manifests/registry.ollama.ai/library/llava";
    struct read_order order;
    struct model_ref ref;
    struct volume volume;

    assert_int_equal(volume_open(&volume, &s->arena, s->path, false, &s->err), 0);
    config.volume = &volume;
    assert_int_equal(ref_parse(&ref, &s->arena, STR("ollama:llava:7b"), &s->err), 0);
    assert_int_equal(read_order_ollama(&order, &s->arena, &config, &ref, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NOT_FOUND);
    assert_int_equal(file_mkdirs(s->fd, folder, NULL, &s->err), 0);
    assert_int_equal(file_mkdirs(s->fd, "blobs", NULL, &s->err), 0);
    for (size_t i = 0; i < 3; i++)
        make(s, str_format(&s->arena, "blobs/sha256-%s", hex[i]), 3 + i);
    FD_SCOPED fd =
        file_open(s->fd, str_format(&s->arena, "%s/7b", folder), O_WRONLY | O_CREAT, 0644, &s->err);
    assert_int_equal(file_write_all(fd, str_from(text), "manifest", &s->err), 0);
    if (read_order_ollama(&order, &s->arena, &config, &ref, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    assert_int_equal(order.files.len, 2);
    assert_int_equal(order.files.at[0].bytes, 5);
    assert_int_equal(order.files.at[1].bytes, 4);
    assert_int_equal(order.bytes, 9);
    volume_close(&volume);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(shards_come_by_name_and_nothing_beside_them),
        TEST(sizes_and_identities_are_those_of_the_bytes),
        TEST(folders_come_after_the_top_each_in_its_own_format),
        TEST(a_model_without_safetensors_is_read_in_the_format_it_has),
        TEST(a_folder_that_is_not_there_is_named),
        TEST(of_ollama_the_model_comes_before_its_projector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
