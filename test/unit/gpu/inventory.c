#include "gpu/inventory.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "../store/scratch.h"
#include "sys/fd.h"

static struct str written(struct arena *a, const struct gpu_inventory *inventory)
{
    struct buf b = buf_new(a, INVENTORY_MAX);

    inventory_write(&b, inventory);
    assert_false(b.cut);
    return buf_str(&b);
}

static void read_or_fail(struct gpu_inventory *out, struct arena *a, struct str text)
{
    struct err err = {0};

    if (inventory_read(out, a, text, "inventory", &err) < 0)
        fail_msg("%s", err.msg);
}

/* Of the one GPU in a document: "total_mib":1 and so on. */
static struct gpu read_one(struct arena *a, const char *members)
{
    struct gpu_inventory got;

    read_or_fail(&got, a, str_from(str_format(a, "{\"gpus\":[{%s}]}", members)));
    assert_int_equal(got.count, 1);
    return got.gpus[0];
}

static struct gpu full_gpu(struct arena *a)
{
    struct gpu gpu = {.uuid = "MIG-1",
                      .index = 3,
                      .name = "NVIDIA \"A100\" \\ 1g",
                      .sm = "8.0",
                      .pci = "00000000:01:00.0",
                      .total_mib = 9856,
                      .reserved_mib = 20,
                      .cuda_total_mib = 9836,
                      .used_mib = 36,
                      .free_mib = 9800,
                      .mig_parent = "GPU-a100",
                      .mig_profile = "1g.10gb",
                      .compute_mode = GPU_COMPUTE_EXCLUSIVE_PROCESS,
                      .display = true,
                      .unified = true,
                      .state = GPU_NO_PERMISSION,
                      .reason = "no\nline",
                      .hint = "ask",
                      .process_count = 2,
                      .link_count = 1};

    gpu.processes = arena_array(a, struct gpu_process, 2);
    gpu.processes[0] = (struct gpu_process){812, 100, true, "python3"};
    gpu.processes[1] = (struct gpu_process){.pid = UINT32_MAX};
    gpu.links = arena_array(a, struct gpu_link, 1);
    gpu.links[0] = (struct gpu_link){"GPU-77aa", GPU_LINK_PXB};
    return gpu;
}

static void what_is_written_is_read_back_the_same(void **state)
{
    struct scratch *s = *state;
    struct gpu gpus[] = {full_gpu(&s->arena), {.uuid = "GPU-2", .state = GPU_LOST, .index = 4}};
    const struct gpu_inventory inventory = {.driver = "nvml",
                                            .driver_version = "580.95.05",
                                            .cuda_version = "13.0",
                                            .reason = "why",
                                            .hint = "how",
                                            .gpus = gpus,
                                            .count = 2};
    struct str text = written(&s->arena, &inventory);
    struct gpu_inventory got;
    const struct gpu *gpu;

    read_or_fail(&got, &s->arena, text);
    assert_string_equal(written(&s->arena, &got).ptr, text.ptr);
    assert_string_equal(got.driver_version, "580.95.05");
    assert_string_equal(got.hint, "how");
    gpu = &got.gpus[0];
    assert_int_equal(gpu->index, 3);
    assert_string_equal(gpu->name, gpus[0].name);
    assert_int_equal(gpu->free_mib, 9800);
    assert_string_equal(gpu->mig_parent, "GPU-a100");
    assert_string_equal(gpu->mig_profile, "1g.10gb");
    assert_int_equal(gpu->compute_mode, GPU_COMPUTE_EXCLUSIVE_PROCESS);
    assert_int_equal(gpu->state, GPU_NO_PERMISSION);
    assert_true(gpu->display && gpu->unified);
    assert_string_equal(gpu->reason, "no\nline");
    assert_string_equal(gpu->hint, "ask");
    assert_int_equal(gpu->process_count, 2);
    assert_true(gpu->processes[0].mib_known && gpu->processes[0].mib == 100);
    assert_false(gpu->processes[1].mib_known);
    assert_int_equal(gpu->links[0].kind, GPU_LINK_PXB);
    assert_int_equal(got.gpus[1].state, GPU_LOST);
    assert_int_equal(got.gpus[1].total_mib, 0);
}

/* Each state, mode and kind has one word, and that word means it. */
static void every_word_is_read_back_as_itself(void **state)
{
    struct scratch *s = *state;

    for (unsigned i = 0; i < GPU_STATES; i++) {
        struct gpu gpu = read_one(
            &s->arena, str_format(&s->arena, "\"uuid\":\"G\",\"total_mib\":1,\"state\":\"%s\"",
                                  gpu_state_name((enum gpu_state)i)));
        assert_int_equal(gpu.state, i);
    }
    for (unsigned i = 0; i < GPU_COMPUTE_MODES; i++) {
        struct gpu gpu =
            read_one(&s->arena,
                     str_format(&s->arena, "\"uuid\":\"G\",\"total_mib\":1,\"compute_mode\":\"%s\"",
                                gpu_compute_mode_name((enum gpu_compute_mode)i)));
        assert_int_equal(gpu.compute_mode, i);
    }
    for (unsigned i = 0; i < GPU_LINK_KINDS; i++) {
        struct gpu gpu = read_one(
            &s->arena,
            str_format(&s->arena,
                       "\"uuid\":\"G\",\"total_mib\":1,\"links\":[{\"to\":\"H\",\"kind\":\"%s\"}]",
                       gpu_link_name((enum gpu_link_kind)i)));
        assert_int_equal(gpu.links[0].kind, i);
    }
}

static void sizes_that_are_missing_follow_from_the_rest(void **state)
{
    static const struct {
        const char *members;
        uint64_t total, reserved, cuda, used, free;
    } rows[] = {
        {"\"total_mib\":8188", 8188, 0, 8188, 0, 8188},
        {"\"total_mib\":8188,\"reserved_mib\":350", 8188, 350, 7838, 0, 7838},
        {"\"cuda_total_mib\":7838", 7838, 0, 7838, 0, 7838},
        {"\"cuda_total_mib\":7838,\"reserved_mib\":350", 8188, 350, 7838, 0, 7838},
        {"\"total_mib\":8188,\"cuda_total_mib\":7838,\"used_mib\":38", 8188, 0, 7838, 38, 7800},
        {"\"total_mib\":8188,\"free_mib\":8000", 8188, 0, 8188, 188, 8000},
        {"\"total_mib\":8188,\"free_mib\":0", 8188, 0, 8188, 8188, 0},
        {"\"total_mib\":8188,\"free_mib\":null,\"mig\":null", 8188, 0, 8188, 0, 8188},
        {"\"total_mib\":1073741824", 1073741824, 0, 1073741824, 0, 1073741824},
    };
    struct scratch *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gpu gpu =
            read_one(&s->arena, str_format(&s->arena, "\"uuid\":\"GPU-1\",%s", rows[i].members));

        assert_int_equal(gpu.total_mib, rows[i].total);
        assert_int_equal(gpu.reserved_mib, rows[i].reserved);
        assert_int_equal(gpu.cuda_total_mib, rows[i].cuda);
        assert_int_equal(gpu.used_mib, rows[i].used);
        assert_int_equal(gpu.free_mib, rows[i].free);
        assert_int_equal(gpu.state, GPU_OK);
    }
}

static void what_newer_versions_add_is_passed_over_and_places_are_the_indices(void **state)
{
    struct scratch *s = *state;
    struct gpu_inventory got;

    read_or_fail(
        &got, &s->arena,
        STR("{\"made_by\":[1,{}],\"gpus\":[{\"uuid\":\"GPU-1\",\"total_mib\":1,\"numa\":{}},"
            "{\"uuid\":\"GPU-2\",\"total_mib\":2}]}"));
    assert_int_equal(got.gpus[0].index, 0);
    assert_int_equal(got.gpus[1].index, 1);
    read_or_fail(&got, &s->arena, STR("{\"gpus\":[]}"));
    assert_int_equal(got.count, 0);
}

#define ONE(members) "{\"gpus\":[{" members "}]}"
#define OK_ONE       "\"uuid\":\"GPU-1\",\"total_mib\":8188"

static void what_is_no_inventory_is_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *part; /* of the message */
    } rows[] = {
        {"", ERR_USAGE, "inventory"},
        {"{\"gpus\":[", ERR_USAGE, "inventory"},
        {"[]", ERR_USAGE, "an array \"gpus\" is expected"},
        {"{}", ERR_USAGE, "an array \"gpus\" is expected"},
        {"{\"gpus\":{}}", ERR_USAGE, "an array \"gpus\" is expected"},
        {"{\"gpus\":[],\"gpus\":[]}", ERR_USAGE, "inventory"},
        {"{\"gpus\":[7]}", ERR_USAGE, "an entry of \"gpus\" should be an object"},
        {"{\"driver\":1,\"gpus\":[]}", ERR_USAGE, "\"driver\""},
        {"{\"driver\":\"0123456789abcdef\",\"gpus\":[]}", ERR_LIMIT,
         "\"driver\" is longer than 15"},
        {ONE("\"total_mib\":1"), ERR_USAGE, "GPU 0: \"uuid\" is missing"},
        {ONE("\"uuid\":\"GPU-1\""), ERR_USAGE, "\"cuda_total_mib\" is missing"},
        {ONE("\"uuid\":\"GPU-1\",\"total_mib\":0"), ERR_USAGE, "is missing"},
        {ONE("\"uuid\":7,\"total_mib\":1"), ERR_USAGE, "\"uuid\""},
        {ONE("\"uuid\":\"a\\u0000b\",\"total_mib\":1"), ERR_USAGE, "inventory"},
        {ONE("\"uuid\":\"GPU-1\",\"total_mib\":-1"), ERR_USAGE, "\"total_mib\""},
        {ONE("\"uuid\":\"GPU-1\",\"total_mib\":8.5"), ERR_USAGE, "\"total_mib\""},
        {ONE("\"uuid\":\"GPU-1\",\"total_mib\":\"8\""), ERR_USAGE, "\"total_mib\""},
        {ONE("\"uuid\":\"GPU-1\",\"total_mib\":1073741825"), ERR_LIMIT, "\"total_mib\" is more"},
        {ONE("\"uuid\":\"GPU-1\",\"total_mib\":18446744073709551617"), ERR_USAGE, "inventory"},
        {ONE("\"uuid\":\"GPU-1\",\"cuda_total_mib\":1073741824,\"reserved_mib\":1"), ERR_LIMIT,
         "\"total_mib\" is more"},
        {ONE(OK_ONE ",\"reserved_mib\":8189"), ERR_USAGE, "larger than \"total_mib\""},
        {ONE(OK_ONE ",\"cuda_total_mib\":8189"), ERR_USAGE, "larger than \"total_mib\""},
        {ONE(OK_ONE ",\"used_mib\":8189"), ERR_USAGE, "larger than \"cuda_total_mib\""},
        {ONE(OK_ONE ",\"free_mib\":8189"), ERR_USAGE, "larger than \"cuda_total_mib\""},
        {"{\"gpus\":[{\"uuid\":\"GPU-0\",\"total_mib\":1},{" OK_ONE
         ",\"reserved_mib\":350,\"used_mib\":800,\"free_mib\":7039}]}",
         ERR_USAGE,
         "GPU 1: \"used_mib\" 800 and \"free_mib\" 7039 are more than \"cuda_total_mib\" 7838"},
        {ONE(OK_ONE ",\"index\":512"), ERR_LIMIT, "\"index\" is more than 511"},
        {ONE(OK_ONE ",\"state\":\"fine\""), ERR_USAGE, "\"state\" has a word"},
        {ONE(OK_ONE ",\"state\":1"), ERR_USAGE, "\"state\""},
        {ONE(OK_ONE ",\"compute_mode\":\"OK\""), ERR_USAGE, "\"compute_mode\" has a word"},
        {ONE(OK_ONE ",\"display\":\"yes\""), ERR_USAGE, "\"display\""},
        {ONE(OK_ONE ",\"mig\":[]"), ERR_USAGE, "\"mig\" should be an object"},
        {ONE(OK_ONE ",\"mig\":{\"profile\":\"1g\"}"), ERR_USAGE, "lacks its \"parent\""},
        {ONE(OK_ONE ",\"processes\":{}"), ERR_USAGE, "\"processes\" should be an array"},
        {ONE(OK_ONE ",\"processes\":[[]]"), ERR_USAGE, "an entry of \"processes\""},
        {ONE(OK_ONE ",\"processes\":[{\"pid\":4294967296}]"), ERR_LIMIT, "\"pid\" is more"},
        {ONE(OK_ONE ",\"links\":\"GPU-2\""), ERR_USAGE, "\"links\" should be an array"},
        {ONE(OK_ONE ",\"links\":[{\"kind\":\"near\"}]"), ERR_USAGE, "\"kind\" has a word"},
        {"{\"gpus\":[{" OK_ONE "},{" OK_ONE "}]}", ERR_USAGE,
         "GPU 1: its \"uuid\" is that of GPU 0"},
    };
    struct scratch *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gpu_inventory got = {.count = 77};
        struct err err = {0};

        if (inventory_read(&got, &s->arena, str_from(rows[i].text), "inventory", &err) == 0)
            fail_msg("taken: %s", rows[i].text);
        if (err.code != rows[i].code || strstr(err.msg, rows[i].part) == NULL)
            fail_msg("%s: %u %s", rows[i].text, err.code, err.msg);
        assert_int_equal(got.count, 77);
    }
}

/* head, then count times one, parted by commas, then tail. */
static struct str many(struct arena *a, const char *head, const char *one, size_t count,
                       const char *tail)
{
    struct buf b = buf_new(a, INVENTORY_MAX + 1000);

    buf_addz(&b, head);
    for (size_t i = 0; i < count; i++)
        buf_addf(&b, "%s%s", i > 0 ? "," : "", one);
    buf_addz(&b, tail);
    return buf_str(&b);
}

static int read_many(struct scratch *s, const char *head, const char *one, size_t count,
                     const char *tail)
{
    struct gpu_inventory got;

    s->err = (struct err){0};
    return inventory_read(&got, &s->arena, many(&s->arena, head, one, count, tail), "inventory",
                          &s->err);
}

static void lists_have_an_end(void **state)
{
    static const char lost[] = "{\"state\":\"lost\"}";
    static const char processes[] = "{\"gpus\":[{" OK_ONE ",\"processes\":[";
    static const char links[] = "{\"gpus\":[{" OK_ONE ",\"links\":[";
    struct scratch *s = *state;

    assert_int_equal(read_many(s, "{\"gpus\":[", lost, GPU_MAX, "]}"), 0);
    assert_int_equal(read_many(s, "{\"gpus\":[", lost, GPU_MAX + 1, "]}"), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
    assert_int_equal(read_many(s, processes, "{}", GPU_PROCESS_MAX, "]}]}"), 0);
    assert_int_equal(read_many(s, processes, "{}", GPU_PROCESS_MAX + 1, "]}]}"), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
    assert_int_equal(read_many(s, links, "{}", GPU_LINK_MAX, "]}]}"), 0);
    assert_int_equal(read_many(s, links, "{}", GPU_LINK_MAX + 1, "]}]}"), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
    assert_int_equal(read_many(s, "{\"gpus\":[],\"x\":[", "[[[[[[[[]]]]]]]]", 1, "]}"), 0);
    assert_int_equal(read_many(s, "{\"gpus\":[],\"x\":[", "1", INVENTORY_MAX / 2, "]}"), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
}

static void texts_have_an_end(void **state)
{
    static const struct {
        const char *key;
        size_t most;
    } rows[] = {{"uuid", GPU_TEXT - 1},     {"name", GPU_TEXT - 1},  {"pci", 31}, {"sm", 15},
                {"reason", GPU_REASON - 1}, {"hint", GPU_REASON - 1}};
    struct scratch *s = *state;
    char text[GPU_REASON + 1];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *head =
            str_format(&s->arena, "{\"gpus\":[{\"state\":\"lost\",\"%s\":\"", rows[i].key);

        memset(text, 'x', sizeof(text));
        text[rows[i].most] = '\0';
        assert_int_equal(read_many(s, head, text, 1, "\"}]}"), 0);
        text[rows[i].most] = 'x';
        text[rows[i].most + 1] = '\0';
        assert_int_equal(read_many(s, head, text, 1, "\"}]}"), -1);
        assert_int_equal(s->err.code, ERR_LIMIT);
    }
}

static void a_file_will_do(void **state)
{
    static const char text[] = "{\"gpus\":[{" OK_ONE "}]}\n";
    struct scratch *s = *state;
    const char *path = str_format(&s->arena, "%s/inventory.json", s->path);
    struct gpu_inventory got;

    scratch_write(s, "inventory.json", text, sizeof(text) - 1);
    assert_int_equal(inventory_read_file(&got, &s->arena, path, &s->err), 0);
    assert_string_equal(got.gpus[0].uuid, "GPU-1");
}

/* More than a pipe holds, so that it comes in pieces. */
static void a_pipe_will_do_and_comes_in_pieces(void **state)
{
    struct scratch *s = *state;
    struct str text = many(&s->arena, "{\"x\":[", "123456789", 30000, "],\"gpus\":[{" OK_ONE "}]}");
    struct gpu_inventory got;
    FD_SCOPED read_end = -1;
    int status = 0;
    int ends[2];
    pid_t writer;

    assert_int_equal(pipe(ends), 0);
    read_end = ends[0];
    writer = fork();
    if (writer == 0) {
        (void)close(ends[0]); /* so that nobody waits who is not read */
        _exit(write(ends[1], text.ptr, text.len) == (ssize_t)text.len ? 0 : 1);
    }
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(inventory_read_file(&got, &s->arena,
                                         str_format(&s->arena, "/proc/self/fd/%d", read_end),
                                         &s->err),
                     0);
    assert_int_equal(got.gpus[0].total_mib, 8188);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
}

static void a_file_that_cannot_be_read_is_an_error_of_usage_with_its_name(void **state)
{
    struct scratch *s = *state;
    struct gpu_inventory got;

    assert_int_equal(inventory_read_file(&got, &s->arena, "/nowhere/inventory.json", &s->err), -1);
    assert_int_equal(s->err.code, ERR_USAGE);
    assert_non_null(strstr(s->err.msg, "/nowhere/inventory.json: No such file"));
    assert_int_equal(inventory_read_file(&got, &s->arena, s->path, &s->err), -1);
    assert_int_equal(s->err.code, ERR_USAGE);
    assert_non_null(strstr(s->err.msg, s->path));
    /* It never ends: no more than the limit is read. */
    assert_int_equal(inventory_read_file(&got, &s->arena, "/dev/zero", &s->err), -1);
    assert_int_equal(s->err.code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(what_is_written_is_read_back_the_same),
        SCRATCH_TEST(every_word_is_read_back_as_itself),
        SCRATCH_TEST(sizes_that_are_missing_follow_from_the_rest),
        SCRATCH_TEST(what_newer_versions_add_is_passed_over_and_places_are_the_indices),
        SCRATCH_TEST(what_is_no_inventory_is_refused_by_name),
        SCRATCH_TEST(lists_have_an_end),
        SCRATCH_TEST(texts_have_an_end),
        SCRATCH_TEST(a_file_will_do),
        SCRATCH_TEST(a_pipe_will_do_and_comes_in_pieces),
        SCRATCH_TEST(a_file_that_cannot_be_read_is_an_error_of_usage_with_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
