#include "../check.h"
#include "gpu/gpu.h"
#include "gpu/tree.h"
#include "planted.h"

/* Of KFD's topology, by which ROCm counts: a processor has cores, a GPU SIMDs, an APU both. */
struct node {
    int cores, simds;
    const char *target; /* NULL: 0 */
    int render;
};

static void put_node(struct scratch *s, int number, const struct node *node)
{
    plant(s, str_format(&s->arena, "sys/class/kfd/kfd/topology/nodes/%d/properties", number),
          str_format(&s->arena,
                     "cpu_cores_count %d\nsimd_count %d\ngfx_target_version %s\n"
                     "drm_render_minor %d\n",
                     node->cores, node->simds, node->target == NULL ? "0" : node->target,
                     node->render));
}

struct card {
    int number;
    int render;
    const char *pci;
    const char *unique_id; /* NULL: the file is not there */
    const char *total;     /* bytes of its own memory */
    const char *used;
};

#define FIRST  "0000:26:00.0"
#define SECOND "0000:03:00.0"

/* A file of the card at that place on the bus. */
static void put_of(struct scratch *s, const char *pci, const char *name, const char *text)
{
    plant(s, str_format(&s->arena, "sys/devices/%s/%s", pci, name), text);
}

static void put_card(struct scratch *s, const struct card *card)
{
    put_of(s, card->pci, "vendor", "0x1002\n");
    put_of(s, card->pci, str_format(&s->arena, "drm/renderD%d/dev", card->render), "226:128\n");
    put_of(s, card->pci, "mem_info_vram_total", card->total);
    put_of(s, card->pci, "mem_info_vram_used", card->used);
    if (card->unique_id != NULL)
        put_of(s, card->pci, "unique_id", card->unique_id);
    plant(s, str_format(&s->arena, "sys/class/drm/card%d/status", card->number), "");
    assert_int_equal(symlinkat(str_format(&s->arena, "../../../devices/%s", card->pci), s->fd,
                               str_format(&s->arena, "sys/class/drm/card%d/device", card->number)),
                     0);
    plant(s, str_format(&s->arena, "dev/dri/renderD%d", card->render), "");
}

/* Two MI300X, which ROCm counts in another order than the kernel its cards, and a CPU's node. */
static struct scratch *two_cards(void **state)
{
    const struct card first = {
        0, 128, FIRST, "e2c52ee0b8d2d52b\n", "206141652992\n", "297041920\n"};
    const struct card second = {
        1, 129, SECOND, "5c88007aa6a4b4ff\n", "206141652992\n", "103070826496\n"};
    struct scratch *s = *state;

    put_card(s, &first);
    put_card(s, &second);
    put_of(s, FIRST, "product_name", "AMD Instinct MI300X OAM\n");
    plant(s, "sys/module/amdgpu/version", "6.10.5\n");
    plant(s, "dev/kfd", "");
    put_node(s, 0, &(struct node){.cores = 96});
    put_node(s, 1, &(struct node){.simds = 1216, .target = "90402", .render = 129});
    put_node(s, 2, &(struct node){.simds = 1216, .target = "90402", .render = 128});
    return s;
}

static struct gpu_inventory looked(struct scratch *s, const struct gpu_visible *visible)
{
    const struct gpu_look look = planted_look(s, visible);
    struct gpu_inventory out = {0};

    if (gpu_look(&out, &s->arena, &look, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    return out;
}

static const struct gpu_visible unset;

static void cards_are_listed_in_the_order_that_rocm_counts_in(void **state)
{
    struct scratch *s = two_cards(state);
    struct gpu_inventory got;

    got = looked(s, &unset);
    assert_string_equal(got.driver, "amd");
    assert_string_equal(got.driver_version, "6.10.5");
    assert_string_equal(got.reason, "");
    assert_int_equal(got.count, 2);
    assert_string_equal(got.gpus[0].uuid, "GPU-5c88007aa6a4b4ff");
    assert_string_equal(got.gpus[0].pci, "0000:03:00.0");
    assert_string_equal(got.gpus[0].name, "AMD GPU");
    assert_string_equal(got.gpus[0].sm, "gfx942");
    assert_int_equal(got.gpus[0].total_mib, 196592);
    assert_int_equal(got.gpus[0].cuda_total_mib, 196592);
    assert_int_equal(got.gpus[0].used_mib, 98296);
    assert_int_equal(got.gpus[0].free_mib, 98296);
    assert_int_equal(got.gpus[0].state, GPU_OK);
    assert_false(got.gpus[0].unified);
    assert_string_equal(got.gpus[1].uuid, "GPU-e2c52ee0b8d2d52b");
    assert_string_equal(got.gpus[1].name, "AMD Instinct MI300X OAM");
    assert_int_equal(got.gpus[1].index, 1);
}

static void targets_have_the_names_that_compilers_know(void **state)
{
    static const char *const rows[][2] = {
        {"90402", "gfx942"}, {"90010", "gfx90a"}, {"110000", "gfx1100"}, {"110501", "gfx1151"},
        {"90006", "gfx906"}, {"0", ""},           {"1000000", ""},       {"-1", ""}};
    struct scratch *s = two_cards(state);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_node(s, 1, &(struct node){.simds = 8, .target = rows[i][0], .render = 129});
        assert_string_equal(looked(s, &unset).gpus[0].sm, rows[i][1]);
    }
}

/* A processor with a GPU in it: its own memory is a carve-out, what counts is the host's. */
static void of_an_apu_the_memory_is_the_host_s(void **state)
{
    const struct card apu = {1, 128, "0000:c5:00.0", NULL, "536870912\n", "1\n"};
    struct scratch *s = *state;
    struct gpu_inventory got;

    put_card(s, &apu);
    put_of(s, "0000:c5:00.0", "mem_info_gtt_total", "66571993088\n");
    put_of(s, "0000:c5:00.0", "mem_info_gtt_used", "1048576\n");
    plant(s, "dev/kfd", "");
    put_node(s, 0, &(struct node){32, 80, "110501", 128});
    got = looked(s, &unset);
    assert_int_equal(got.count, 1);
    assert_true(got.gpus[0].unified);
    assert_int_equal(got.gpus[0].total_mib, 63488);
    assert_int_equal(got.gpus[0].used_mib, 1);
    assert_string_equal(got.gpus[0].uuid, "PCI-0000:c5:00.0");
    assert_int_equal(got.gpus[0].state, GPU_OK);
}

static void one_that_rocm_does_not_know_comes_last_and_says_so(void **state)
{
    struct scratch *s = two_cards(state);
    struct gpu_inventory got;

    put_node(s, 1, &(struct node){.render = 129});
    got = looked(s, &unset);
    assert_int_equal(got.count, 2);
    assert_string_equal(got.gpus[0].pci, "0000:26:00.0");
    assert_int_equal(got.gpus[0].state, GPU_OK);
    assert_int_equal(got.gpus[1].state, GPU_FAULTY);
    assert_non_null(strstr(got.gpus[1].reason, "ROCm does not know it"));
    assert_int_equal(got.gpus[1].index, 1);
}

static void memory_that_is_not_told_makes_it_faulty(void **state)
{
    static const char *const totals[] = {"", "0\n", "lots\n", "-5\n", "18446744073709551616\n"};
    struct scratch *s = two_cards(state);

    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        struct gpu_inventory got;

        put_of(s, SECOND, "mem_info_vram_total", totals[i]);
        got = looked(s, &unset);
        assert_int_equal(got.gpus[0].state, GPU_FAULTY);
        assert_string_equal(got.gpus[0].reason, "the driver does not tell its memory");
        assert_int_equal(got.gpus[1].state, GPU_OK);
    }
}

static void more_used_than_there_is_is_all_of_it(void **state)
{
    struct scratch *s = two_cards(state);
    struct gpu_inventory got;

    put_of(s, SECOND, "mem_info_vram_used", "18446744073709551615\n");
    got = looked(s, &unset);
    assert_int_equal(got.gpus[0].used_mib, got.gpus[0].total_mib);
    assert_int_equal(got.gpus[0].free_mib, 0);
    put_of(s, SECOND, "mem_info_vram_total", "18446744073709551615\n");
    assert_int_equal(looked(s, &unset).gpus[0].total_mib, GPU_MIB_MAX);
}

static void a_device_that_is_not_there_is_no_permission(void **state)
{
    struct scratch *s = two_cards(state);
    struct gpu_inventory got;

    assert_int_equal(unlinkat(s->fd, "dev/dri/renderD129", 0), 0);
    got = looked(s, &unset);
    assert_int_equal(got.gpus[0].state, GPU_NO_PERMISSION);
    assert_non_null(strstr(got.gpus[0].reason, "dev/dri/renderD129 is not there"));
    assert_true(got.gpus[0].hint[0] != '\0');
    assert_int_equal(got.gpus[1].state, GPU_OK);
    assert_int_equal(unlinkat(s->fd, "dev/kfd", 0), 0);
    got = looked(s, &unset);
    assert_int_equal(got.gpus[1].state, GPU_NO_PERMISSION);
    assert_non_null(strstr(got.gpus[1].reason, "dev/kfd is not there"));
}

static void rocr_counts_as_the_list_does(void **state)
{
    const struct gpu_visible visible = {.rocr_visible_devices = "1", .cuda_visible_devices = "7"};
    struct scratch *s = two_cards(state);
    struct gpu_inventory got;

    got = looked(s, &visible);
    assert_int_equal(got.gpus[0].state, GPU_HIDDEN);
    assert_string_equal(got.gpus[0].reason, "not in ROCR_VISIBLE_DEVICES=1");
    assert_int_equal(got.gpus[1].state, GPU_OK);
}

/* Connectors, cards of others and what is no card at all. */
static void what_is_no_card_of_amd_is_passed_over(void **state)
{
    const struct card intel = {0, 128, "0000:00:02.0", NULL, "1048576\n", "0\n"};
    struct scratch *s = *state;
    struct gpu_inventory got;

    put_card(s, &intel);
    plant(s, "sys/devices/0000:00:02.0/vendor", "0x8086\n");
    plant(s, "sys/class/drm/card0-DP-1/device/vendor", "0x1002\n");
    plant(s, "sys/class/drm/card7/device/vendor", "1002\n");
    plant(s, "sys/class/drm/card8/device/vendor", "0x10020000000000001\n");
    plant(s, "sys/class/drm/card9/device/vendor", "0xzz\n");
    plant(s, "sys/class/drm/version", "drm 1.1.0\n");
    got = looked(s, &unset);
    assert_string_equal(got.driver, "none");
    assert_int_equal(got.count, 0);
    assert_true(got.reason[0] != '\0');
    assert_non_null(strstr(got.hint, "--device /dev/kfd"));
}

/* What the kernel never writes, but a broken driver may. */
static void texts_of_any_kind_end_in_their_places(void **state)
{
    struct scratch *s = two_cards(state);
    char long_name[TREE_TEXT + 1];
    struct gpu_inventory got;

    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    put_of(s, SECOND, "product_name", long_name);
    put_of(s, SECOND, "unique_id", "5c88007aa6a4b4ff0\n");
    put_of(s, FIRST, "unique_id", "not hexadecimal\n");
    plant(s, "sys/module/amdgpu/version", long_name);
    got = looked(s, &unset);
    assert_int_equal(strlen(got.gpus[0].name), GPU_TEXT - 1);
    assert_string_equal(got.gpus[0].uuid, "PCI-0000:03:00.0");
    assert_string_equal(got.gpus[1].uuid, "PCI-0000:26:00.0");
    assert_string_equal(got.driver_version, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(cards_are_listed_in_the_order_that_rocm_counts_in),
        SCRATCH_TEST(targets_have_the_names_that_compilers_know),
        SCRATCH_TEST(of_an_apu_the_memory_is_the_host_s),
        SCRATCH_TEST(one_that_rocm_does_not_know_comes_last_and_says_so),
        SCRATCH_TEST(memory_that_is_not_told_makes_it_faulty),
        SCRATCH_TEST(more_used_than_there_is_is_all_of_it),
        SCRATCH_TEST(a_device_that_is_not_there_is_no_permission),
        SCRATCH_TEST(rocr_counts_as_the_list_does),
        SCRATCH_TEST(what_is_no_card_of_amd_is_passed_over),
        SCRATCH_TEST(texts_of_any_kind_end_in_their_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
