#include "gpu/visible.h"

#include <string.h>

#include "../check.h"

#define UUID_1 "GPU-11111111-aaaa"
#define UUID_2 "GPU-11112222-bbbb"
#define UUID_3 "GPU-33333333-cccc"

/* Cards and instances of a host; what a test changes is its own. */
struct host {
    struct gpu gpus[4];
    struct gpu_inventory inventory;
};

static void name_gpu(struct gpu *gpu, const char *uuid, const char *name, uint32_t index)
{
    (void)snprintf(gpu->uuid, sizeof(gpu->uuid), "%s", uuid);
    (void)snprintf(gpu->name, sizeof(gpu->name), "%s", name);
    gpu->index = index;
}

/* Three cards of one kind. */
static void three_cards(struct host *h)
{
    static const char *const uuids[] = {UUID_1, UUID_2, UUID_3};

    *h = (struct host){.inventory = {.gpus = h->gpus, .count = 3}};
    for (uint32_t i = 0; i < 3; i++)
        name_gpu(&h->gpus[i], uuids[i], "NVIDIA L4", i);
}

/* A card that is cut into two, and a whole one. */
static void one_cut(struct host *h)
{
    static const char *const uuids[] = {UUID_1, "MIG-aaaa0000", "MIG-bbbb0000", UUID_3};
    static const char *const names[] = {"A100", "A100 MIG 1g.10gb", "A100 MIG 2g.20gb", "A100"};

    *h = (struct host){.inventory = {.gpus = h->gpus, .count = 4}};
    for (uint32_t i = 0; i < 4; i++)
        name_gpu(&h->gpus[i], uuids[i], names[i], i == 3 ? 1 : 0);
    gpu_set_state(&h->gpus[0], GPU_MIG_PARENT, "it is cut into MIG instances");
    for (uint32_t i = 1; i < 3; i++) {
        (void)snprintf(h->gpus[i].mig_parent, sizeof(h->gpus[i].mig_parent), UUID_1);
        h->gpus[i].mig_index = i - 1;
        h->gpus[i].mig_gi = 6 + i;
    }
}

/* One letter for each: o(k), h(idden), m(ig-parent), x: anything else. */
static const char *letters(const struct host *h)
{
    static char text[8];

    for (size_t i = 0; i < h->inventory.count; i++) {
        enum gpu_state state = h->gpus[i].state;

        text[i] = state == GPU_OK           ? 'o'
                  : state == GPU_HIDDEN     ? 'h'
                  : state == GPU_MIG_PARENT ? 'm'
                                            : 'x';
    }
    text[h->inventory.count] = '\0';
    return text;
}

struct row {
    const char *value;
    const char *expected;
};

static void expect_rows(void (*fill)(struct host *), bool of_cuda, const struct row *rows,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gpu_visible visible = {0};
        struct host h;

        fill(&h);
        if (of_cuda)
            visible.cuda_visible_devices = rows[i].value;
        else
            visible.nvidia_visible_devices = rows[i].value;
        visible_hide_nvidia(&h.inventory, &visible);
        if (strcmp(letters(&h), rows[i].expected) != 0)
            fail_msg("\"%s\": %s, not %s", rows[i].value, letters(&h), rows[i].expected);
    }
}
#define EXPECT_ROWS(fill, of_cuda, rows) \
    expect_rows(fill, of_cuda, rows, sizeof(rows) / sizeof((rows)[0]))

static void where_nothing_is_set_all_stay(void **state)
{
    const struct gpu_visible unset = {0};
    struct host h;

    (void)state;
    three_cards(&h);
    visible_hide_nvidia(&h.inventory, &unset);
    visible_hide_amd(&h.inventory, &unset);
    assert_string_equal(letters(&h), "ooo");
    assert_string_equal(h.gpus[0].reason, "");
}

static void cuda_counts_up_to_its_first_invalid_entry(void **state)
{
    static const struct row rows[] = {
        {"0", "ohh"},
        {"2,0", "oho"},
        {" 1 , 2 ", "hoo"},
        {"0,-1,1", "ohh"},
        {"0,7,1", "ohh"},
        {"", "hhh"},
        {"-1", "hhh"},
        {"NoDevFiles", "hhh"},
        {"0,,1", "ohh"},
        {"1,1", "hoh"},
        {"0x1", "hhh"},
        {"18446744073709551616", "hhh"},
        {UUID_3, "hho"},
        {"GPU-3333", "hho"},
        {"GPU-", "hhh"},
        {"gpu-33333333", "hhh"},
        {"GPU-1111", "hhh"},
        {"GPU-11111", "ohh"},
        {"0:0", "hhh"},
        {UUID_2 ",0", "ooh"},
        {"GPU-33333333-ccccc", "hhh"},
    };

    (void)state;
    EXPECT_ROWS(three_cards, true, rows);
}

static void of_instances_cuda_sees_one(void **state)
{
    static const struct row rows[] = {
        {"MIG-aaaa", "mohh"},
        {"MIG-aaaa0000,MIG-bbbb0000", "mohh"},
        {"MIG-" UUID_1 "/8/0", "mhoh"},
        {"MIG-" UUID_1 "/9/0", "mhhh"},
        {UUID_3, "mhho"},
        /* Of a card that is cut CUDA takes the first, and nothing after it. */
        {UUID_1, "mohh"},
        {"0", "mohh"},
        {"0,1", "mohh"},
        {UUID_1 ",MIG-bbbb0000", "mohh"},
        {"MIG-bbbb0000,0", "mhoh"},
    };

    (void)state;
    EXPECT_ROWS(one_cut, true, rows);
}

/* What the runtime left out is not there to be the first. */
static void the_first_instance_is_that_of_what_the_runtime_left(void **state)
{
    const struct gpu_visible visible = {.nvidia_visible_devices = "MIG-bbbb0000",
                                        .cuda_visible_devices = "0"};
    struct host h;

    (void)state;
    one_cut(&h);
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(letters(&h), "mhoh");
}

static void the_names_of_instances_do_not_make_cards_differ(void **state)
{
    static const struct row rows[] = {{"1", "mhho"}, {"0", "mohh"}};

    (void)state;
    EXPECT_ROWS(one_cut, true, rows);
}

static void numbers_of_different_cards_need_the_order_of_the_bus(void **state)
{
    struct gpu_visible visible = {.cuda_visible_devices = "0"};
    struct host h;

    (void)state;
    three_cards(&h);
    name_gpu(&h.gpus[1], UUID_2, "NVIDIA H100", 1);
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(letters(&h), "hhh");
    assert_non_null(strstr(h.gpus[0].reason, "fastest first"));
    assert_non_null(strstr(h.gpus[0].hint, "CUDA_DEVICE_ORDER=PCI_BUS_ID"));

    three_cards(&h);
    name_gpu(&h.gpus[1], UUID_2, "NVIDIA H100", 1);
    visible.cuda_device_order = "FASTEST_FIRST";
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(letters(&h), "hhh");

    three_cards(&h);
    name_gpu(&h.gpus[1], UUID_2, "NVIDIA H100", 1);
    visible.cuda_device_order = "PCI_BUS_ID";
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(letters(&h), "ohh");
}

static void different_cards_that_are_all_named_are_all_there(void **state)
{
    const struct gpu_visible visible = {.cuda_visible_devices = "2,0,1"};
    struct host h;

    (void)state;
    three_cards(&h);
    name_gpu(&h.gpus[1], UUID_2, "NVIDIA H100", 1);
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(letters(&h), "ooo");
}

static void what_the_runtime_has_acted_by_is_left_alone(void **state)
{
    static const struct row rows[] = {
        {"", "ooo"},
        {"all", "ooo"},
        {"0,all", "ooo"},
        {"void", "ooo"},
        {"/var/run/nvidia-container-devices", "ooo"},
        {"nvidia.com/gpu=all", "ooo"},
        {"runtime.nvidia.com/gpu=all", "ooo"},
        /* As many as are there: the host's numbers, which mean nothing in here. */
        {"5,6,7", "ooo"},
    };

    (void)state;
    EXPECT_ROWS(three_cards, false, rows);
}

static void where_more_gpus_are_there_than_are_named_it_is_left_to_us(void **state)
{
    static const struct row rows[] = {
        {"none", "hhh"},
        {"1", "hoh"},
        {"0,2", "oho"},
        {UUID_2, "hoh"},
        {"nvidia.com/gpu=2", "hho"},
        {"nvidia.com/gpu=" UUID_1, "ohh"},
        /* Not a list that ends at what is invalid: the runtime takes the rest. */
        {"9,1", "hoh"},
    };

    (void)state;
    EXPECT_ROWS(three_cards, false, rows);
}

/* As many entries as there are cards, and yet it means none of them. */
static void none_hides_the_only_card_too(void **state)
{
    const struct gpu_visible visible = {.nvidia_visible_devices = "none"};
    struct host h;

    (void)state;
    three_cards(&h);
    h.inventory.count = 1;
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(letters(&h), "h");
    assert_string_equal(h.gpus[0].reason, "NVIDIA_VISIBLE_DEVICES=none asks for no GPU");
}

static void a_card_that_is_named_brings_its_instances(void **state)
{
    static const struct row rows[] = {
        {UUID_1, "mooh"}, {"0", "mooh"}, {"0:1", "mhoh"}, {"MIG-bbbb0000", "mhoh"}, {"1", "mhho"},
    };

    (void)state;
    EXPECT_ROWS(one_cut, false, rows);
}

static void the_reason_names_variable_and_value_and_the_way_out(void **state)
{
    const struct gpu_visible visible = {.cuda_visible_devices = "1"};
    struct host h;

    (void)state;
    three_cards(&h);
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(h.gpus[0].reason, "not in CUDA_VISIBLE_DEVICES=1");
    assert_string_equal(h.gpus[0].hint, "name it there to use it");
    assert_string_equal(h.gpus[1].reason, "");
}

static void cuda_counts_what_the_runtime_left(void **state)
{
    const struct gpu_visible visible = {.nvidia_visible_devices = "1,2",
                                        .cuda_visible_devices = "1"};
    struct host h;

    (void)state;
    three_cards(&h);
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(letters(&h), "hho");
    assert_string_equal(h.gpus[0].reason, "not in NVIDIA_VISIBLE_DEVICES=1,2");
    assert_string_equal(h.gpus[1].reason, "not in CUDA_VISIBLE_DEVICES=1");
}

static void hip_counts_within_what_rocr_leaves(void **state)
{
    struct gpu_visible visible = {.rocr_visible_devices = "1,2", .hip_visible_devices = "1"};
    struct host h;

    (void)state;
    three_cards(&h);
    visible_hide_amd(&h.inventory, &visible);
    assert_string_equal(letters(&h), "hho");
    three_cards(&h);
    visible = (struct gpu_visible){.rocr_visible_devices = UUID_2};
    visible_hide_amd(&h.inventory, &visible);
    assert_string_equal(letters(&h), "hoh");
    three_cards(&h);
    visible = (struct gpu_visible){.hip_visible_devices = ""};
    visible_hide_amd(&h.inventory, &visible);
    assert_string_equal(letters(&h), "hhh");
    assert_string_equal(h.gpus[0].reason, "HIP_VISIBLE_DEVICES= names none of the GPUs here");
}

/* A value may be as long as the environment allows; the reason has its place. */
static void a_value_of_any_length_is_shown_cut(void **state)
{
    static char value[100000];
    const struct gpu_visible visible = {.cuda_visible_devices = value};
    struct host h;

    (void)state;
    memset(value, '9', sizeof(value) - 1);
    three_cards(&h);
    visible_hide_nvidia(&h.inventory, &visible);
    assert_string_equal(letters(&h), "hhh");
    assert_true(strlen(h.gpus[0].reason) < 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_nothing_is_set_all_stay),
        cmocka_unit_test(cuda_counts_up_to_its_first_invalid_entry),
        cmocka_unit_test(of_instances_cuda_sees_one),
        cmocka_unit_test(the_first_instance_is_that_of_what_the_runtime_left),
        cmocka_unit_test(the_names_of_instances_do_not_make_cards_differ),
        cmocka_unit_test(numbers_of_different_cards_need_the_order_of_the_bus),
        cmocka_unit_test(different_cards_that_are_all_named_are_all_there),
        cmocka_unit_test(what_the_runtime_has_acted_by_is_left_alone),
        cmocka_unit_test(where_more_gpus_are_there_than_are_named_it_is_left_to_us),
        cmocka_unit_test(none_hides_the_only_card_too),
        cmocka_unit_test(a_card_that_is_named_brings_its_instances),
        cmocka_unit_test(the_reason_names_variable_and_value_and_the_way_out),
        cmocka_unit_test(cuda_counts_what_the_runtime_left),
        cmocka_unit_test(hip_counts_within_what_rocr_leaves),
        cmocka_unit_test(a_value_of_any_length_is_shown_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
