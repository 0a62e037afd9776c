#include "gpu/nvml_host.h"

#include "planted.h"

static const struct gpu_visible unset;

static void the_version_is_the_first_word_that_looks_like_one(void **state)
{
    static const char *const rows[][2] = {
        {"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC "
         "2024\nGCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n",
         "535.183.01"},
        {"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",
         "580.95.05"},
        {"NVRM version: NVIDIA UNIX aarch64 Kernel Module 470.57\n", "470.57"},
        {"550.54.15", "550.54.15"},
        {"NVRM version: none\nGCC version: 12.2.0", NULL}, /* that is the compiler's */
        {"x86_64 535 .5 5. . 1.2b", NULL},
        {"\n535.183.01", NULL},
        {"", NULL},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *version = nvml_host_version(&a, str_from(rows[i][0]));

        if (rows[i][1] == NULL)
            assert_null(version);
        else
            assert_string_equal(version, rows[i][1]);
    }
}

static void a_version_has_its_place_in_the_inventory(void **state)
{
    char text[GPU_TEXT + 1];
    ARENA_SCOPED a = {0};

    (void)state;
    memset(text, '1', sizeof(text));
    text[1] = '.';
    text[GPU_TEXT] = '\0';
    assert_null(nvml_host_version(&a, str_from(text)));
    text[GPU_TEXT - 1] = '\0';
    assert_string_equal(nvml_host_version(&a, str_from(text)), text);
}

static void plant_card(struct scratch *s, const char *place, const char *vendor, const char *class)
{
    plant(s, str_format(&s->arena, "sys/bus/pci/devices/%s/vendor", place), vendor);
    plant(s, str_format(&s->arena, "sys/bus/pci/devices/%s/class", place), class);
}

static void a_host_without_any_of_it_has_nothing(void **state)
{
    struct scratch *s = *state;
    struct gpu_look look = planted_look(s, &unset);
    struct nvml_host host;

    nvml_host_look(&host, &s->arena, &look);
    assert_null(host.module);
    assert_null(host.card);
    assert_int_equal(host.gpu_count, 0);
    assert_non_null(strstr(host.control, "/dev/nvidiactl is not there"));
}

/* The card's sound and its bridge are NVIDIA's as well, and another maker's card comes first. */
static void a_card_is_nvidia_s_and_shows_or_computes(void **state)
{
    struct scratch *s = *state;
    struct gpu_look look = planted_look(s, &unset);
    struct nvml_host host;

    plant_card(s, "0000:00:02.0", "0x8086\n", "0x030000\n");
    plant_card(s, "0000:01:00.1", "0x10de\n", "0x040300\n");
    plant_card(s, "0000:01:00.2", "0x10de\n", "0x068000\n");
    plant(s, "sys/bus/pci/devices/0000:01:00.3/vendor", "0x10de\n");
    nvml_host_look(&host, &s->arena, &look);
    assert_null(host.card);
    plant_card(s, "0000:41:00.0", "0x10de\n", "0x030000\n");
    nvml_host_look(&host, &s->arena, &look);
    assert_string_equal(host.card, "0000:41:00.0");
    plant_card(s, "0000:07:00.0", "0x10de\n", "0x030200\n");
    nvml_host_look(&host, &s->arena, &look);
    assert_string_equal(host.card, "0000:07:00.0");
}

static void the_module_names_its_cards_in_the_order_of_the_bus(void **state)
{
    struct scratch *s = *state;
    struct gpu_look look = planted_look(s, &unset);
    struct nvml_host host;

    plant(s, "proc/driver/nvidia/version", "NVRM version: a Kernel Module  535.183.01  x\n");
    plant(s, "proc/driver/nvidia/gpus/0000:41:00.0/information",
          "Model: \t\t NVIDIA L4\nIRQ:   \t\t 120\nGPU UUID: \t GPU-5c3f2a1b-0000\n"
          "Device Minor: \t 0\n");
    plant(s, "proc/driver/nvidia/gpus/0000:07:00.0/information",
          "Model: \t\t NVIDIA A100\nGPU UUID: \t GPU-???????"
          "?-????\n");
    plant(s, "proc/driver/nvidia/gpus/0000:99:00.0/other", "");
    plant(s, "dev/nvidiactl", "");
    nvml_host_look(&host, &s->arena, &look);
    assert_string_equal(host.module, "535.183.01");
    assert_null(host.control);
    assert_int_equal(host.gpu_count, 2);
    assert_string_equal(host.gpus[0].pci, "0000:07:00.0");
    assert_string_equal(host.gpus[0].name, "NVIDIA A100");
    assert_string_equal(host.gpus[0].uuid, ""); /* unknown until it was used once */
    assert_string_equal(host.gpus[1].uuid, "GPU-5c3f2a1b-0000");
    assert_string_equal(host.gpus[1].name, "NVIDIA L4");
    assert_int_equal(host.gpus[1].index, 1);
    plant(s, "proc/driver/nvidia/version", "something else\n");
    nvml_host_look(&host, &s->arena, &look);
    assert_string_equal(host.module, "of an unknown version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_is_the_first_word_that_looks_like_one),
        cmocka_unit_test(a_version_has_its_place_in_the_inventory),
        SCRATCH_TEST(a_host_without_any_of_it_has_nothing),
        SCRATCH_TEST(a_card_is_nvidia_s_and_shows_or_computes),
        SCRATCH_TEST(the_module_names_its_cards_in_the_order_of_the_bus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
