#include "worker/engine_log.h"

#include <string.h>

#include "../check.h"

#define GIB(x) ((uint64_t)((x)*1073741824.0 + 0.5))
#define MIB(x) ((uint64_t)((x)*1048576.0 + 0.5))
#define V      "(EngineCore pid=99) INFO 11-27 10:00:00 [gpu_worker.py:298] "

static struct engine_log heard(const char *text)
{
    struct engine_log log = {0};

    engine_log_feed(&log, str_from(text));
    engine_log_end(&log);
    return log;
}

static void vllm_s_lines_give_their_figures(void **state)
{
    struct engine_log log =
        heard(V "Free memory on device cuda:0 (23.05/23.56 GiB) on startup. Desired GPU memory "
                "utilization is (0.92, 21.68 GiB).\n"
                "\x1b[32m" V "Model loading took 13.5084 GiB memory and 5.6 seconds\x1b[0m\n" V
                "Estimated CUDA graph memory: 0.78 GiB total\n" V
                "Available KV cache memory: 6.82 GiB\n" V "GPU KV cache size: 55,808 tokens\n" V
                "Maximum concurrency for 32,768 tokens per request: 1.70x\n" V
                "Graph capturing finished in 21 secs, took 0.64 GiB\n");

    (void)state;
    assert_int_equal(log.figures.weights, GIB(13.5084));
    assert_int_equal(log.figures.available, GIB(6.82));
    assert_int_equal(log.figures.kv_tokens, 55808);
    assert_int_equal(log.figures.graphs, GIB(0.64));
    assert_int_equal(log.figures.budget, GIB(21.68));
    assert_int_equal(log.figures.free_at_start, GIB(23.05));
    assert_int_equal(log.figures.total, GIB(23.56));
    assert_int_equal(engine_working(&log.figures), GIB(21.68) - GIB(13.5084) - GIB(6.82));
    assert_null(log.crash.code);
}

static void the_version_is_what_was_said_first(void **state)
{
    struct engine_log log =
        heard("INFO 09-03 16:28:10 [api_server.py:1882] vLLM API server version "
              "0.10.2.dev378+g4d7fe40fc.d20250829\nvLLM API server version 9.9\n");

    (void)state;
    assert_string_equal(log.version, "0.10.2.dev378+g4d7fe40fc.d20250829");
    log = heard(V "Initializing a V1 LLM engine (v0.11.0) with config: model='x'\n");
    assert_string_equal(log.version, "0.11.0");
    log = heard("vLLM API server version \x01\nLLM engine (v\n");
    assert_string_equal(log.version, "");
}

static void what_an_engine_says_of_its_usage_is_taken_as_it_is(void **state)
{
    struct engine_log log = heard(
        "Actual usage is 13.51 GiB for weight, 1.19 GiB for peak activation, 0.12 GiB for "
        "non-torch memory, "
        "and 0.64 GiB for CUDAGraph memory.\n"
        "Auto-fit max_model_len: reduced from 32768 to 14720 to fit in available GPU memory\n");

    (void)state;
    assert_int_equal(log.figures.weights, GIB(13.51));
    assert_int_equal(engine_working(&log.figures), GIB(1.19) + GIB(0.12) + GIB(0.64));
    assert_int_equal(log.figures.context, 14720);
}

static void llama_server_s_buffers_are_read(void **state)
{
    struct engine_log log = heard("load_tensors: offloaded 12/33 layers to GPU\n"
                                  "load_tensors:        CUDA0 model buffer size =  3917.87 MiB\n"
                                  "llama_kv_cache:      CUDA0 KV buffer size =   512.00 MiB\n"
                                  "llama_context:      CUDA0 compute buffer size =   164.00 MiB\n");

    (void)state;
    assert_int_equal(log.figures.layers_on_gpu, 12);
    assert_int_equal(log.figures.layers, 33);
    assert_int_equal(log.figures.model_buffer, MIB(3917.87));
    assert_int_equal(log.figures.kv_buffer, MIB(512));
    assert_int_equal(log.figures.compute_buffer, MIB(164));
}

/* A line of a log, and what run makes of it. */
static const struct {
    const char *line, *code, *cause, *change;
} crashes[] = {
    {"ValueError: Free memory on device cuda:0 (14.21/15.57 GiB) on startup is less than desired "
     "GPU memory utilization "
     "(0.92, 14.33 GiB). Decrease GPU memory utilization or reduce GPU memory used by other "
     "processes.",
     "free-memory",
     "only 14.21 of 15.57 GiB of the GPU are free, and vLLM's share of it is larger: other "
     "processes hold the rest",
     "--gpu-memory-utilization 0.91 at most, or end what holds the GPU (nvidia-smi lists it)"},
    {"ValueError: No available memory for the cache blocks. Try increasing "
     "`gpu_memory_utilization` when initializing.",
     "no-cache-blocks",
     "weights and working memory are more than vLLM's share of the GPU, so that nothing is left "
     "for the cache",
     "raise --gpu-memory-utilization, or --enforce-eager, a smaller --max-num-seqs, a quantised "
     "model, more GPUs"},
    {"ValueError: To serve at least one request with the models's max seq len (32768), (4.00 GiB "
     "KV cache is needed, which "
     "is larger than the available KV cache memory (1.80 GiB). Based on the available memory, the "
     "estimated maximum model "
     "length is 14720. Try increasing `gpu_memory_utilization`",
     "max-model-len", "the cache cannot hold one request of the whole context",
     "--max-model-len 14720 at most, or --kv-cache-dtype fp8"},
    {"The model's max seq len (32768) is larger than the maximum number of tokens that can be "
     "stored in KV cache (14720).",
     "max-model-len", "the cache cannot hold one request of the whole context",
     "--max-model-len 14720 at most, or --kv-cache-dtype fp8"},
    {"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 112.00 MiB.", "out-of-memory",
     "the GPU ran out of memory while the weights were loaded: they do not fit",
     "a quantised model, more GPUs, or end what else holds the GPU"},
    {"Model loading took 13.5 GiB\ntorch.OutOfMemoryError: CUDA out of memory.", "out-of-memory",
     "the GPU ran out of memory",
     "a lower --gpu-memory-utilization, a smaller --max-num-seqs, or --enforce-eager"},
    {"RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. "
     "Please try lowering "
     "`max_num_seqs`",
     "sampler-warm-up", "the sampler's rows for 1024 requests do not fit",
     "a smaller --max-num-seqs, or a lower --gpu-memory-utilization"},
    {"AssertionError: Error in memory profiling. Initial free memory 20.1 GiB, current free memory "
     "21.3 GiB.",
     "memory-profiling", "another process freed or took memory of the GPU while vLLM measured it",
     "start the engines of one GPU one after the other"},
    {"Total number of attention heads (32) must be divisible by tensor parallel size (3).",
     "tensor-parallel", "32 attention heads cannot be split over 3 GPUs",
     "a --tensor-parallel-size that divides 32"},
    {"NCCL WARN Error while creating shared memory segment /dev/shm/nccl-x (size 9637888): No "
     "space left on device",
     "shared-memory", "NCCL needs more shared memory than the container has",
     "run it with --ipc=host or --shm-size=2g"},
    {"ggml_cuda: cudaMalloc failed: out of memory", "cuda-malloc",
     "the GPU has not the memory that Ollama counts on",
     "a smaller OLLAMA_CONTEXT_LENGTH, OLLAMA_MAX_LOADED_MODELS=1, or end what else holds the GPU"},
    {"Error: model requires more system memory (20.4 GiB) than is available (15.1 GiB)",
     "host-memory", "the model needs 20.4 GiB of the host's memory, and 15.1 are there",
     "a smaller model or OLLAMA_CONTEXT_LENGTH, or more memory for the container"},
};

static void each_crash_has_its_cause_and_what_would_help(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
        struct engine_log log = heard(crashes[i].line);

        assert_non_null(log.crash.code);
        assert_string_equal(log.crash.code, crashes[i].code);
        assert_string_equal(log.crash.cause, crashes[i].cause);
        assert_string_equal(log.crash.change, crashes[i].change);
    }
}

static void the_first_of_several_crashes_is_the_cause(void **state)
{
    struct engine_log log = heard("No available memory for the cache blocks\n"
                                  "torch.OutOfMemoryError: CUDA out of memory.\n");

    (void)state;
    assert_string_equal(log.crash.code, "no-cache-blocks");
}

static void pieces_of_any_size_give_the_same(void **state)
{
    static const char text[] = "GPU KV cache size: 55,808 tokens\r\nModel loading took 13.5 GiB\n";
    struct engine_log log;

    (void)state;
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        log = (struct engine_log){0};
        for (size_t i = 0; i + 1 < sizeof(text); i += piece) {
            size_t rest = sizeof(text) - 1 - i;

            engine_log_feed(&log, (struct str){text + i, rest < piece ? rest : piece});
        }
        assert_int_equal(log.figures.kv_tokens, 55808);
        assert_int_equal(log.figures.weights, GIB(13.5));
    }
}

static void a_line_of_any_length_and_numbers_of_any_size_do_no_harm(void **state)
{
    static char line[3 * ENGINE_LINE];
    struct engine_log log = {0};

    (void)state;
    memset(line, '9', sizeof(line));
    engine_log_feed(&log, STR("Model loading took "));
    engine_log_feed(&log, (struct str){line, sizeof(line)});
    engine_log_feed(&log, STR("\nGPU KV cache size: 12 tokens\n"));
    assert_int_equal(log.figures.weights, 0);
    assert_int_equal(log.figures.kv_tokens, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vllm_s_lines_give_their_figures),
        cmocka_unit_test(the_version_is_what_was_said_first),
        cmocka_unit_test(what_an_engine_says_of_its_usage_is_taken_as_it_is),
        cmocka_unit_test(llama_server_s_buffers_are_read),
        cmocka_unit_test(each_crash_has_its_cause_and_what_would_help),
        cmocka_unit_test(the_first_of_several_crashes_is_the_cause),
        cmocka_unit_test(pieces_of_any_size_give_the_same),
        cmocka_unit_test(a_line_of_any_length_and_numbers_of_any_size_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
