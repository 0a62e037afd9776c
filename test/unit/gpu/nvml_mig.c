#include <string.h>

#include "../check.h"
#include "gpu/nvml_ask.h"

static void profiles_are_named_by_slices_and_memory(void **state)
{
    static const struct {
        struct nvml_attributes attributes;
        const char *profile;
    } rows[] = {
        {{.gpu_slices = 1, .compute_slices = 1, .memory_mib = 4864}, "1g.5gb"},
        {{.gpu_slices = 1, .compute_slices = 1, .memory_mib = 9728}, "1g.10gb"},
        {{.gpu_slices = 2, .compute_slices = 2, .memory_mib = 19968}, "2g.20gb"},
        {{.gpu_slices = 7, .compute_slices = 7, .memory_mib = 40960}, "7g.40gb"},
        {{.gpu_slices = 7, .compute_slices = 7, .memory_mib = 40961}, "7g.41gb"},
        /* A part of an instance says its own slices first. */
        {{.gpu_slices = 2, .compute_slices = 1, .memory_mib = 9856}, "1c.2g.10gb"},
        {{.gpu_slices = 3, .compute_slices = 2, .memory_mib = 19968}, "2c.3g.20gb"},
        {{.gpu_slices = 1, .compute_slices = 0, .memory_mib = 4864}, "1g.5gb"},
        {{.gpu_slices = 1, .compute_slices = 9, .memory_mib = 4864}, "1g.5gb"},
        /* What is not told, or cannot be. */
        {{.gpu_slices = 0, .compute_slices = 1, .memory_mib = 4864}, ""},
        {{.gpu_slices = 1, .compute_slices = 1, .memory_mib = GPU_MIB_MAX + 1}, ""},
        {{.gpu_slices = 1, .compute_slices = 1, .memory_mib = UINT64_MAX}, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char profile[32] = "left";

        nvml_mig_profile(profile, &rows[i].attributes);
        assert_string_equal(profile, rows[i].profile);
    }
}

static void the_largest_numbers_end_in_their_place(void **state)
{
    const struct nvml_attributes largest = {
        .gpu_slices = UINT32_MAX, .compute_slices = UINT32_MAX - 1, .memory_mib = GPU_MIB_MAX};
    char place[40];

    (void)state;
    memset(place, '#', sizeof(place));
    nvml_mig_profile(place, &largest);
    assert_memory_equal(place, "4294967294c.4294967295g.1048576\0########", sizeof(place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_are_named_by_slices_and_memory),
        cmocka_unit_test(the_largest_numbers_end_in_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
