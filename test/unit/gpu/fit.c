#include "gpu/fit.h"

#include <string.h>

#include "../check.h"
#include "model/known.h"

#define MISTRAL "hf:mistralai/Mistral-7B-Instruct-v0.2"
#define GPTQ    "hf:TheBloke/Mistral-7B-Instruct-v0.2-GPTQ"
#define LLAVA   "ollama:llava:7b"
#define LLAVA34 "ollama:llava:34b-v1.6-q4_K_M"
#define LLAMA32 "ollama:llama3.2"
#define NOMIC   "ollama:nomic-embed-text"
#define LLAMA70 "llama-70b"

/* Cards by CUDA's total in MiB. */
enum {
    GB4 = 3870,
    GB6 = 5900,
    GB8 = 7838,
    GB12 = 11908,
    GB16 = 15950,
    T4 = 14931,
    GB24 = 24124,
    L4 = 22579,
    GB32 = 32117,
    H100 = 81008,
    A100 = 81228,
    MIG10 = 9728,
};

static const struct model_facts llama70 = {
    .shape = {.architecture = "llama",
              .layers = 80,
              .hidden = 8192,
              .intermediate = 28672,
              .heads = 64,
              .kv_heads = 8,
              .head_k = 128,
              .head_v = 128,
              .vocab = 128256,
              .context = 131072,
              .rotary = 128},
    .tensor_bytes = 141107412992,
    .load_bytes = 141107412992,
};

/* One question and its answer in MiB, at most 1 MiB off; 0: not asked. */
struct row {
    const char *name;
    const char *model;
    uint64_t total;
    uint32_t sm;
    uint64_t context;
    uint32_t utilization; /* thousandths; 0: the best */
    uint64_t seqs, batch;
    uint32_t tp;
    bool eager, kv_fp8, weights_fp8;
    enum fit_verdict verdict;
    int64_t need, budget, avail, slack, tokens, layers;
};

#define V .seqs = 256, .batch = 2048 /* vLLM on most cards */

// clang-format off
static const struct row rows[] = {
    /* the cases of doc/memory-model.md, by their numbers */
    {"1: 8 GB, bf16", MISTRAL, GB8, 0, 4096, 920, V, .verdict = FIT_NO, .need = 15729, .budget = 7211, .avail = -8006},
    {"3: 16 GB, bf16", MISTRAL, GB16, 0, 4096, 920, V, .verdict = FIT_NO, .budget = 14674, .avail = -543},
    {"5: 16 GB, bf16, a small batch", MISTRAL, GB16, 0, 4096, 960, 32, 2048, .verdict = FIT_TIGHT, .need = 15249, .slack = 63},
    {"7: 24 GB, bf16, all context", MISTRAL, GB24, 89, 32768, 920, V, .verdict = FIT_FIT, .need = 19313, .budget = 22194, .tokens = 55808, .slack = 2881},
    {"9: 24 GB, 2048, u .7", MISTRAL, GB24, 89, 2048, 700, V, .verdict = FIT_FIT, .slack = 1414},
    {"11: L4, all context", MISTRAL, L4, 89, 32768, 920, V, .verdict = FIT_FIT, .tokens = 44432},
    {"13: A100-80", MISTRAL, A100, 80, 32768, 920, V, .verdict = FIT_FIT, .need = 19313, .tokens = 476096},
    {"15: 8 GB, GPTQ, all context", GPTQ, GB8, 0, 32768, 920, V, .verdict = FIT_NO, .slack = -2256, .tokens = 14720},
    {"17: 12 GB, GPTQ, all context", GPTQ, GB12, 0, 32768, 920, V, .verdict = FIT_FIT, .need = 9467, .slack = 1489},
    {"19: 2 x 12 GB, u .92", MISTRAL, GB12, 0, 4096, 920, V, .tp = 2, .verdict = FIT_NOSTART, .budget = 10956},
    {"19: 2 x 12 GB, u .86", MISTRAL, GB12, 0, 4096, 860, V, .tp = 2, .verdict = FIT_FIT, .need = 8567, .tokens = 30864},
    {"19: 2 x 12 GB, the most that starts is .87", MISTRAL, GB12, 0, 4096, 0, V, .tp = 2, .verdict = FIT_FIT, .budget = 10360, .tokens = 32784},
    {"21: 4 x 8 GB", MISTRAL, GB8, 0, 4096, 800, V, .tp = 4, .verdict = FIT_FIT, .need = 4986, .slack = 1285},
    {"25: 2 x H100, 70B, large defaults", LLAMA70, H100, 90, 8192, 920, 1024, 8192, .tp = 2, .verdict = FIT_NO, .need = 74670, .budget = 74527, .slack = -143},
    {"25: 2 x H100, 70B, 256 sequences", LLAMA70, H100, 90, 8192, 920, 256, 8192, .tp = 2, .verdict = FIT_FIT},
    {"27: MIG, explicit", GPTQ, MIG10, 90, 4096, 0, 64, 2048, .verdict = FIT_FIT, .need = 5474},
    {"27: MIG, large defaults", GPTQ, MIG10, 90, 4096, 0, 1024, 8192, .verdict = FIT_FIT, .need = 6893},
    {"29: 4 GB, llava:7b", LLAVA, GB4, 0, 4096, .verdict = FIT_PARTIAL, .layers = 12},
    {"31: 24 GB, llava:34b", LLAVA34, GB24, 0, 4096, .verdict = FIT_FIT, .need = 23055, .layers = 60},
    /* what is needed at which context */
    {"bf16, 2048", MISTRAL, GB24, 0, 2048, 920, V, .verdict = FIT_FIT, .need = 15473},
    {"bf16, 4096, eager, 16", MISTRAL, GB24, 0, 4096, 920, 16, 2048, .eager = true, .verdict = FIT_FIT, .need = 14885},
    {"GPTQ, 4096", GPTQ, GB24, 0, 4096, 920, V, .verdict = FIT_FIT, .need = 5883},
    {"GPTQ, 32768", GPTQ, GB24, 0, 32768, 920, V, .verdict = FIT_FIT, .need = 9467},
    {"GPTQ, 32768, fp8 cache", GPTQ, GB24, 0, 32768, 920, V, .kv_fp8 = true, .verdict = FIT_FIT, .need = 7419},
    {"fp8 weights, 4096", MISTRAL, GB24, 89, 4096, 920, V, .weights_fp8 = true, .verdict = FIT_FIT, .need = 9073},
    /* what each card answers */
    {"8 GB, GPTQ", GPTQ, GB8, 0, 4096, 0, V, .verdict = FIT_FIT, .tokens = 14720},
    {"8 GB, GPTQ, 32768 with all means", GPTQ, GB8, 0, 32768, 930, 32, 2048, .eager = true, .kv_fp8 = true, .verdict = FIT_FIT},
    {"12 GB, fp8 weights", MISTRAL, GB12, 89, 4096, 0, V, .weights_fp8 = true, .verdict = FIT_FIT, .tokens = 19152},
    {"12 GB, GPTQ, 32768", GPTQ, GB12, 0, 32768, 0, V, .verdict = FIT_FIT, .tokens = 44672},
    {"16 GB, the last resort", MISTRAL, GB16, 0, 4096, 0, 16, 2048, .eager = true, .verdict = FIT_TIGHT, .tokens = 7504},
    {"16 GB, fp8 weights", MISTRAL, GB16, 89, 32768, 0, V, .weights_fp8 = true, .verdict = FIT_FIT, .tokens = 48896},
    {"T4, the last resort at 2048", MISTRAL, T4, 75, 2048, 0, 16, 2048, .eager = true, .verdict = FIT_NO},
    {"T4, GPTQ", GPTQ, T4, 75, 4096, 0, V, .verdict = FIT_FIT, .tokens = 66912},
    {"32 GB", MISTRAL, GB32, 0, 32768, 0, V, .verdict = FIT_FIT, .tokens = 114640},
    {"2 x 8 GB", MISTRAL, GB8, 0, 4096, 0, V, .tp = 2, .verdict = FIT_NO},
    {"4 x 8 GB, the best u", MISTRAL, GB8, 0, 4096, 0, V, .tp = 4, .verdict = FIT_FIT},
    /* Ollama */
    {"llava:7b, 2048", LLAVA, GB24, 0, 2048, .verdict = FIT_FIT, .need = 6409},
    {"llava:7b, 4096", LLAVA, GB24, 0, 4096, .verdict = FIT_FIT, .need = 6665},
    {"llava:7b, 32768", LLAVA, GB24, 0, 32768, .verdict = FIT_FIT, .need = 10249},
    {"llava:7b on 6 GB", LLAVA, GB6, 0, 4096, .verdict = FIT_PARTIAL, .layers = 27},
    {"llava:34b on 16 GB", LLAVA34, GB16, 0, 4096, .verdict = FIT_PARTIAL, .layers = 40},
    {"llama3.2, 2048", LLAMA32, GB24, 0, 2048, .verdict = FIT_FIT, .need = 3962},
    {"llama3.2, 4096", LLAMA32, GB24, 0, 4096, .verdict = FIT_FIT, .need = 4186},
    {"llama3.2, 32768", LLAMA32, GB24, 0, 32768, .verdict = FIT_FIT, .need = 7322},
    {"nomic", NOMIC, GB24, 0, 2048, .verdict = FIT_FIT, .need = 1872},
    /* what no memory helps */
    {"GPTQ on Pascal", GPTQ, GB24, 61, 4096, 0, V, .verdict = FIT_REFUSED},
    {"fp8 on Volta", MISTRAL, GB32, 70, 4096, 0, V, .weights_fp8 = true, .verdict = FIT_REFUSED},
    {"tp 3", MISTRAL, GB24, 89, 4096, 0, V, .tp = 3, .verdict = FIT_REFUSED},
};
// clang-format on

static const struct model_facts *facts_of(const char *model)
{
    return strcmp(model, LLAMA70) == 0 ? &llama70 : known_facts(model);
}

static struct fit_ask ask_of(const struct row *row)
{
    bool ollama = strncmp(row->model, "ollama:", 7) == 0;

    return (struct fit_ask){
        .facts = facts_of(row->model),
        .settings = {.engine = ollama ? MEMORY_OLLAMA : MEMORY_VLLM,
                     .context = row->context,
                     .batch_tokens = row->batch,
                     .seqs = ollama ? 1 : row->seqs,
                     .tp = row->tp,
                     .eager = row->eager,
                     .kv_fp8 = row->kv_fp8,
                     .weights_fp8 = row->weights_fp8},
        .utilization = row->utilization,
    };
}

static struct fit_gpu gpu_of(const struct row *row)
{
    return (struct fit_gpu){.total = row->total * MEMORY_MIB,
                            .free = row->total * MEMORY_MIB,
                            .sm = row->sm,
                            .mig = row->total == MIG10};
}

static bool is_near(const struct row *row, const char *what, int64_t is, int64_t wanted)
{
    if (wanted == 0 || (is >= wanted - 1 && is <= wanted + 1))
        return true;
    print_error("%s: %s is %lld, not %lld\n", row->name, what, (long long)is, (long long)wanted);
    return false;
}

static bool row_holds(struct arena *a, const struct row *row)
{
    struct fit_ask ask = ask_of(row);
    struct fit_gpu gpu = gpu_of(row);
    uint64_t need;
    struct fit fit;
    bool good;

    fit_judge(&fit, a, &ask, &gpu);
    need = ask.settings.engine == MEMORY_VLLM ? fit.need.inside : fit.need.whole;
    good = fit.verdict == row->verdict;
    if (!good)
        print_error("%s: %s, not %s\n", row->name, fit_verdict_name(fit.verdict),
                    fit_verdict_name(row->verdict));
    good &= is_near(row, "need", (int64_t)memory_mib(need), row->need);
    good &= is_near(row, "budget", (int64_t)memory_mib(fit.budget), row->budget);
    good &= is_near(row, "avail", memory_mib_signed(fit.avail), row->avail);
    good &= is_near(row, "slack", memory_mib_signed(fit.slack), row->slack);
    good &= row->tokens == 0 || is_near(row, "tokens", (int64_t)fit.kv_tokens, row->tokens);
    good &= is_near(row, "layers", (int64_t)fit.layers_on_gpu, row->layers);
    return good;
}

static void every_row_of_the_table_gives_its_figures(void **state)
{
    struct arena a = {0};
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        wrong += !row_holds(&a, &rows[i]);
    assert_int_equal(wrong, 0);
    arena_free(&a);
}

static void more_memory_never_makes_a_verdict_worse(void **state)
{
    /* From worst to best; what is refused stays so. */
    static const int rank[FIT_VERDICTS] = {[FIT_NO] = 1,  [FIT_NOSTART] = 1, [FIT_PARTIAL] = 2,
                                           [FIT_CPU] = 3, [FIT_TIGHT] = 4,   [FIT_FIT] = 5};
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fit_ask ask = ask_of(&rows[i]);
        int before = 0;

        for (uint64_t mib = 1024; mib < 90000; mib += 97) {
            struct fit_gpu gpu = {.total = mib * MEMORY_MIB, .free = mib * MEMORY_MIB};
            struct fit fit;

            fit_judge(&fit, &a, &ask, &gpu);
            assert_true(rank[fit.verdict] >= before);
            before = rank[fit.verdict];
        }
    }
    arena_free(&a);
}

static void the_share_that_was_chosen_gives_the_same_verdict_when_it_is_asked_for(void **state)
{
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fit_ask ask = ask_of(&rows[i]);
        struct fit_gpu gpu = gpu_of(&rows[i]);
        struct fit first, again;

        ask.utilization = 0;
        for (int shared = 0; shared < 2; shared++) {
            ask.shared = shared != 0;
            fit_judge(&first, &a, &ask, &gpu);
            ask.utilization = first.utilization;
            fit_judge(&again, &a, &ask, &gpu);
            assert_int_equal(first.verdict, again.verdict);
            assert_int_equal(first.slack, again.slack);
            ask.utilization = 0;
        }
    }
    arena_free(&a);
}

static void tensor_parallel_goes_by_heads_and_groups_not_by_the_raw_vocabulary(void **state)
{
    struct model_facts qwen = {
        .shape = {
            .hidden = 3584, .intermediate = 18944, .heads = 28, .kv_heads = 4, .vocab = 152064}};
    struct model_facts odd_vocab = *known_facts(MISTRAL);
    struct arena a = {0};

    (void)state;
    odd_vocab.shape.vocab = 32002;
    for (uint32_t tp = 1; tp <= 16; tp *= 2) {
        assert_null(fit_split(&a, known_facts(MISTRAL), tp));
        assert_null(fit_split(&a, &llama70, tp));
        assert_null(fit_split(&a, &odd_vocab, tp));
        assert_int_equal(fit_split(&a, known_facts(LLAVA34), tp) == NULL, tp <= 8);
        assert_int_equal(fit_split(&a, known_facts(LLAMA32), tp) == NULL, tp <= 8);
        assert_int_equal(fit_split(&a, &qwen, tp) == NULL, tp <= 4);
    }
    assert_string_equal(fit_split(&a, &qwen, 8),
                        "its 28 attention heads cannot be split over 8 GPUs");
    arena_free(&a);
}

static struct fit judged(struct arena *a, struct row row)
{
    struct fit_ask ask = ask_of(&row);
    struct fit_gpu gpu = gpu_of(&row);
    struct fit fit;

    fit_judge(&fit, a, &ask, &gpu);
    return fit;
}

static void a_refusal_says_what_is_missing(void **state)
{
    struct arena a = {0};
    struct fit fit;

    (void)state;
    fit = judged(&a, (struct row){.model = GPTQ, .total = GB24, .sm = 61, .context = 4096, V});
    assert_string_equal(fit.code, "compute-capability");
    assert_string_equal(fit.text,
                        "vLLM with gptq weights needs compute capability 7.0, this GPU has 6.1");
    fit = judged(
        &a, (struct row){.model = GPTQ, .total = MIG10, .sm = 90, .context = 4096, .tp = 2, V});
    assert_string_equal(fit.code, "mig");
    arena_free(&a);
}

static void bfloat16_on_a_card_without_it_is_run_as_half(void **state)
{
    struct row row = {.model = MISTRAL, .total = GB24, .sm = 75, .context = 4096, V};
    struct arena a = {0};

    (void)state;
    assert_true(judged(&a, row).half);
    assert_int_equal(judged(&a, row).verdict, FIT_FIT);
    row.sm = 80;
    assert_false(judged(&a, row).half);
    arena_free(&a);
}

static void large_defaults_are_those_of_large_cards_that_are_no_a100(void **state)
{
    struct memory_settings s = {0};

    (void)state;
    fit_vllm_defaults(&s, "NVIDIA H100 80GB HBM3", H100 * MEMORY_MIB, false);
    assert_int_equal(s.batch_tokens, 8192);
    assert_int_equal(s.seqs, 1024);
    fit_vllm_defaults(&s, "NVIDIA A100-SXM4-80GB", A100 * MEMORY_MIB, false);
    assert_int_equal(s.batch_tokens, 2048);
    assert_int_equal(s.seqs, 256);
    fit_vllm_defaults(&s, "", GB24 * MEMORY_MIB, false);
    assert_int_equal(s.seqs, 256);
    fit_vllm_defaults(&s, "NVIDIA H100 MIG 1g.10gb", MIG10 * MEMORY_MIB, true);
    assert_int_equal(s.batch_tokens, 2048);
    assert_int_equal(s.seqs, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_gives_its_figures),
        cmocka_unit_test(more_memory_never_makes_a_verdict_worse),
        cmocka_unit_test(the_share_that_was_chosen_gives_the_same_verdict_when_it_is_asked_for),
        cmocka_unit_test(tensor_parallel_goes_by_heads_and_groups_not_by_the_raw_vocabulary),
        cmocka_unit_test(a_refusal_says_what_is_missing),
        cmocka_unit_test(bfloat16_on_a_card_without_it_is_run_as_half),
        cmocka_unit_test(large_defaults_are_those_of_large_cards_that_are_no_a100),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
