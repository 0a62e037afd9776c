#include "gpu/gate.h"

#include <string.h>

#include "../check.h"

#define GB ((uint64_t)1000000000)

/* One row of the rule: what is asked, what is there, what comes of it. */
struct row {
    enum gpu_enable enable;
    enum gpu_need need;
    bool there; /* a GPU that can be used */
    enum gpu_gate_result result;
    bool cpu;
    bool looks;
};

static struct gpu card(const char *uuid, uint64_t total_mib)
{
    struct gpu gpu = {.total_mib = total_mib, .cuda_total_mib = total_mib};

    (void)snprintf(gpu.uuid, sizeof(gpu.uuid), "%s", uuid);
    return gpu;
}

static struct gpu_verdict judged(struct arena *a, struct gpu *gpus, size_t count,
                                 const struct gpu_ask *ask)
{
    const struct gpu_inventory inventory = {.gpus = gpus, .count = count};
    struct gpu_verdict v = {0};

    gpu_gate(&v, a, &inventory, ask);
    return v;
}

static void every_row_of_the_rule_gives_its_verdict(void **state)
{
    static const struct row rows[] = {
        {GPU_ENABLE_AUTO, GPU_NEED_REQUIRED, true, GPU_GATE_PASS, false, true},
        {GPU_ENABLE_AUTO, GPU_NEED_REQUIRED, false, GPU_GATE_REFUSE, false, true},
        {GPU_ENABLE_AUTO, GPU_NEED_PREFERRED, true, GPU_GATE_PASS, false, true},
        {GPU_ENABLE_AUTO, GPU_NEED_PREFERRED, false, GPU_GATE_WARN, true, true},
        {GPU_ENABLE_AUTO, GPU_NEED_NONE, true, GPU_GATE_PASS, true, false},
        {GPU_ENABLE_AUTO, GPU_NEED_NONE, false, GPU_GATE_PASS, true, false},
        {GPU_ENABLE_TRUE, GPU_NEED_REQUIRED, true, GPU_GATE_PASS, false, true},
        {GPU_ENABLE_TRUE, GPU_NEED_REQUIRED, false, GPU_GATE_REFUSE, false, true},
        {GPU_ENABLE_TRUE, GPU_NEED_PREFERRED, true, GPU_GATE_PASS, false, true},
        {GPU_ENABLE_TRUE, GPU_NEED_PREFERRED, false, GPU_GATE_REFUSE, false, true},
        {GPU_ENABLE_TRUE, GPU_NEED_NONE, true, GPU_GATE_PASS, false, true},
        {GPU_ENABLE_TRUE, GPU_NEED_NONE, false, GPU_GATE_REFUSE, false, true},
        {GPU_ENABLE_FALSE, GPU_NEED_REQUIRED, true, GPU_GATE_WARN, true, false},
        {GPU_ENABLE_FALSE, GPU_NEED_REQUIRED, false, GPU_GATE_WARN, true, false},
        {GPU_ENABLE_FALSE, GPU_NEED_PREFERRED, true, GPU_GATE_PASS, true, false},
        {GPU_ENABLE_FALSE, GPU_NEED_PREFERRED, false, GPU_GATE_PASS, true, false},
        {GPU_ENABLE_FALSE, GPU_NEED_NONE, true, GPU_GATE_PASS, true, false},
        {GPU_ENABLE_FALSE, GPU_NEED_NONE, false, GPU_GATE_PASS, true, false},
    };
    struct arena a = {0};
    struct gpu gpu = card("GPU-11111111-2222", 8188);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        const struct gpu_ask ask = {.worker = "vllm", .need = row->need, .enable = row->enable};
        struct gpu_verdict v = judged(&a, &gpu, row->there ? 1 : 0, &ask);

        assert_int_equal(gpu_gate_looks(&ask), row->looks);
        assert_int_equal(v.result, row->result);
        assert_int_equal(v.cpu, row->cpu);
        assert_int_equal(v.usable_count, row->looks && row->there ? 1 : 0);
        assert_int_equal(v.reason[0] != '\0', row->result != GPU_GATE_PASS);
        assert_null(v.left_out[0]);
    }
    arena_free(&a);
}

static void without_a_look_no_inventory_is_needed(void **state)
{
    const struct gpu_ask ask = {
        .worker = "vllm", .need = GPU_NEED_REQUIRED, .enable = GPU_ENABLE_FALSE};
    struct arena a = {0};
    struct gpu_verdict v = {0};

    (void)state;
    gpu_gate(&v, &a, NULL, &ask);
    assert_string_equal(v.reason, "vllm needs a GPU and starts on the CPU: ENABLE_GPU=false");
    arena_free(&a);
}

/* The memory that cards have, by what NVML says of them, against the numbers they are sold by. */
static void a_card_passes_the_number_it_is_sold_by(void **state)
{
    static const struct {
        uint64_t mib;
        uint64_t gigabytes;
    } cards[] = {{8188, 8},   {12288, 12}, {16380, 16}, {15360, 16}, {24564, 24},
                 {23034, 24}, {32607, 32}, {46068, 48}, {81559, 80}};
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        struct gpu gpu = card("GPU-1", cards[i].mib);
        const struct gpu_ask ask = {.min_named = true, .min_bytes = cards[i].gigabytes * GB};

        assert_null(gpu_gate_memory(&a, &gpu, &ask));
    }
    arena_free(&a);
}

static void a_card_with_less_is_left_out_with_both_numbers(void **state)
{
    struct arena a = {0};
    struct gpu six = card("GPU-5c3f2a1b-0000", 5627);
    struct gpu eight = card("GPU-77aa0000-1111", 8188);
    struct gpu_ask ask = {.worker = "vllm", .min_named = true, .min_bytes = 8 * GB};

    (void)state;
    assert_string_equal(gpu_gate_memory(&a, &six, &ask),
                        "GPU-5c3f2a1b 5.9 GB < MIN_GPU_MEMORY_GB=8");
    ask.min_bytes = 12 * GB;
    assert_string_equal(gpu_gate_memory(&a, &eight, &ask),
                        "GPU-77aa0000 8.5 GB < MIN_GPU_MEMORY_GB=12");
    ask.min_bytes = 8 * GB + GB / 2 + GB / 10;
    assert_string_equal(gpu_gate_memory(&a, &eight, &ask),
                        "GPU-77aa0000 8.5 GB < MIN_GPU_MEMORY_GB=8.6");
    arena_free(&a);
}

static void the_variable_wins_over_the_worker_type_and_zero_asks_for_nothing(void **state)
{
    struct arena a = {0};
    struct gpu gpu = card("GPU-5c3f2a1b-0000", 5627);
    struct gpu_ask ask = {.worker = "gpu-worker", .type_min_bytes = 8 * GB};

    (void)state;
    assert_string_equal(gpu_gate_memory(&a, &gpu, &ask),
                        "GPU-5c3f2a1b 5.9 GB < the 8 GB that gpu-worker asks for");
    ask.min_named = true;
    ask.min_bytes = 4 * GB;
    assert_null(gpu_gate_memory(&a, &gpu, &ask));
    ask.min_bytes = 0;
    gpu.total_mib = gpu.cuda_total_mib = 0;
    assert_null(gpu_gate_memory(&a, &gpu, &ask));
    arena_free(&a);
}

static void what_only_cuda_tells_counts_where_nothing_else_is_known(void **state)
{
    struct arena a = {0};
    struct gpu gpu = card("GPU-5c3f2a1b-0000", 0);
    const struct gpu_ask ask = {.min_named = true, .min_bytes = 8 * GB};

    (void)state;
    assert_string_equal(gpu_gate_memory(&a, &gpu, &ask),
                        "GPU-5c3f2a1b: its memory is not known, and MIN_GPU_MEMORY_GB=8");
    gpu.cuda_total_mib = 7838;
    assert_null(gpu_gate_memory(&a, &gpu, &ask));
    arena_free(&a);
}

static void the_refusal_says_of_each_gpu_why_not(void **state)
{
    struct arena a = {0};
    struct err err = {0};
    struct gpu gpus[] = {card("GPU-11111111-1", 5627), card("GPU-22222222-2", 24564),
                         card("GPU-33333333-3", 81559)};
    const struct gpu_ask ask = {
        .worker = "vllm", .need = GPU_NEED_REQUIRED, .min_named = true, .min_bytes = 8 * GB};
    struct gpu_verdict v;

    (void)state;
    gpu_set_state(&gpus[1], GPU_LOST, "it fell off the bus");
    gpu_set_state(&gpus[2], GPU_MIG_PARENT, "it is cut into instances");
    v = judged(&a, gpus, 3, &ask);
    assert_int_equal(v.result, GPU_GATE_REFUSE);
    assert_int_equal(v.left_out_count, 2);
    assert_int_equal(gpu_gate_refuse(&v, &err), -1);
    assert_int_equal(err.code, ERR_GPU);
    assert_string_equal(err.msg, "vllm needs a GPU, and none of 2 GPUs can be used: "
                                 "GPU-11111111 5.9 GB < MIN_GPU_MEMORY_GB=8; "
                                 "GPU-22222222 is lost: it fell off the bus");
    v = judged(&a, gpus, 1, &ask);
    assert_int_equal(gpu_gate_refuse(&v, &err), -1);
    assert_string_equal(err.msg, "vllm needs a GPU, and the one GPU cannot be used "
                                 "(GPU-11111111 5.9 GB < MIN_GPU_MEMORY_GB=8)");
    arena_free(&a);
}

static void a_long_list_of_reasons_ends_between_two(void **state)
{
    struct arena a = {0};
    struct err err = {0};
    struct gpu gpus[32];
    const struct gpu_ask ask = {.worker = "vllm", .need = GPU_NEED_REQUIRED};
    struct gpu_verdict v;

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        gpus[i] = card("GPU-11111111-1", 5627);
        gpu_set_state(&gpus[i], GPU_FAULTY, "broken");
    }
    v = judged(&a, gpus, 32, &ask);
    assert_int_equal(gpu_gate_refuse(&v, &err), -1);
    assert_true(strlen(err.msg) > sizeof(err.msg) / 2);
    assert_string_equal(err.msg + strlen(err.msg) - 7, " broken");
    arena_free(&a);
}

static void one_that_can_be_used_is_enough_and_the_others_are_told(void **state)
{
    struct arena a = {0};
    struct gpu gpus[] = {card("GPU-11111111-1", 24564), card("GPU-22222222-2", 24564)};
    const struct gpu_ask ask = {.worker = "vllm", .need = GPU_NEED_REQUIRED};
    struct gpu_verdict v;

    (void)state;
    gpu_set_state(&gpus[0], GPU_HIDDEN, "not in CUDA_VISIBLE_DEVICES=1");
    v = judged(&a, gpus, 2, &ask);
    assert_int_equal(v.result, GPU_GATE_PASS);
    assert_int_equal(v.usable_count, 1);
    assert_ptr_equal(v.usable[0], &gpus[1]);
    assert_string_equal(v.left_out[0], "GPU-11111111 is hidden: not in CUDA_VISIBLE_DEVICES=1");
    assert_null(v.left_out[1]);
    arena_free(&a);
}

/* The host's driver and its library do not match; a worker that only prefers a GPU goes on. */
static void the_reason_of_a_host_without_gpus_is_passed_on_with_its_hint(void **state)
{
    struct arena a = {0};
    struct err err = {0};
    struct gpu_inventory inventory = {0};
    struct gpu_ask ask = {.worker = "embedding", .need = GPU_NEED_PREFERRED};
    struct gpu_verdict v;

    (void)state;
    gpu_set_reason(&inventory, "driver/library mismatch");
    gpu_set_way_out(&inventory, "reboot");
    gpu_gate(&v, &a, &inventory, &ask);
    assert_int_equal(v.result, GPU_GATE_WARN);
    assert_string_equal(v.reason, "embedding starts on the CPU: no GPU was found "
                                  "(driver/library mismatch)");
    ask.enable = GPU_ENABLE_TRUE;
    gpu_gate(&v, &a, &inventory, &ask);
    assert_int_equal(gpu_gate_refuse(&v, &err), -1);
    assert_string_equal(err.msg, "ENABLE_GPU=true, and no GPU was found (driver/library mismatch)");
    assert_string_equal(err.hint, "reboot");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_rule_gives_its_verdict),
        cmocka_unit_test(without_a_look_no_inventory_is_needed),
        cmocka_unit_test(a_card_passes_the_number_it_is_sold_by),
        cmocka_unit_test(a_card_with_less_is_left_out_with_both_numbers),
        cmocka_unit_test(the_variable_wins_over_the_worker_type_and_zero_asks_for_nothing),
        cmocka_unit_test(what_only_cuda_tells_counts_where_nothing_else_is_known),
        cmocka_unit_test(the_refusal_says_of_each_gpu_why_not),
        cmocka_unit_test(a_long_list_of_reasons_ends_between_two),
        cmocka_unit_test(one_that_can_be_used_is_enough_and_the_others_are_told),
        cmocka_unit_test(the_reason_of_a_host_without_gpus_is_passed_on_with_its_hint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
