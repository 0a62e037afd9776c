#include "config/catalog.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_NAMES   ((const char *const[]){NULL})
#define GB         UINT64_C(1000000000)

static const struct catalog_model models[] = {
    {
        .name = "mistral-7b-instruct",
        .ref = "hf:mistralai/Mistral-7B-Instruct-v0.2",
        .aliases = NAMES("mistralai/Mistral-7B-Instruct-v0.2", "Mistral-7B-Instruct-v0.2",
                         "Mistral-7B-Instruct", "Mistral-7B"),
        .kind = "llm",
        .purpose = "Text generation, analysis",
        .variants = NAMES("hf:TheBloke/Mistral-7B-Instruct-v0.2-GPTQ"),
        .mended = NO_NAMES,
    },
    {
        .name = "llava-7b",
        .ref = "ollama:llava:7b",
        .aliases = NAMES("llava:7b", "llava"),
        .kind = "vision",
        .purpose = "Document OCR, vision",
        .variants = NO_NAMES,
        .mended = NO_NAMES,
    },
    {
        .name = "llava-34b",
        .ref = "ollama:llava:34b-v1.6-q4_K_M",
        .aliases = NAMES("llava:34b-v1.6-q4_K_M"),
        .kind = "vision",
        .purpose = "Advanced OCR",
        .variants = NO_NAMES,
        .mended = NAMES("llava-next:34b-v1.5-q4_K_M", "llava-next:34b", "llava-next"),
    },
    {
        .name = "nomic-embed-text",
        .ref = "ollama:nomic-embed-text",
        .aliases = NAMES("nomic-embed-text:latest"),
        .kind = "embedding",
        .purpose = "Text embeddings for RAG",
        .variants = NO_NAMES,
        .mended = NO_NAMES,
    },
    {
        .name = "llama3.2",
        .ref = "ollama:llama3.2",
        .aliases = NAMES("llama3.2:latest"),
        .kind = "llm",
        .purpose = "Lightweight text generation",
        .variants = NO_NAMES,
        .mended = NO_NAMES,
    },
    {
        .name = "all-minilm-l6-v2",
        .ref = "hf:sentence-transformers/all-MiniLM-L6-v2",
        .aliases = NAMES("sentence-transformers/all-MiniLM-L6-v2"),
        .kind = "embedding",
        .purpose = "Sentence embeddings",
        .variants = NO_NAMES,
        .mended = NO_NAMES,
    },
};

static const struct catalog_worker workers[] = {
    {
        .name = "vllm",
        .models = NAMES("mistral-7b-instruct"),
        .optional = NO_NAMES,
        .engine = "vllm",
        .gpu = "required",
        .min_gpu_memory_bytes = 8 * GB,
    },
    {
        .name = "gpu-worker",
        .models = NAMES("mistral-7b-instruct", "llava-7b", "llama3.2", "nomic-embed-text"),
        .optional = NAMES("llava-34b"),
        .engine = "vllm",
        .gpu = "required",
        .min_gpu_memory_bytes = 8 * GB,
    },
    {
        .name = "gpu-highmem",
        .models = NAMES("llava-34b", "mistral-7b-instruct"),
        .optional = NO_NAMES,
        .engine = "vllm",
        .gpu = "required",
        .min_gpu_memory_bytes = 24 * GB,
    },
    {
        .name = "ocr",
        .models = NAMES("llava-7b"),
        .optional = NAMES("llava-34b"),
        .engine = "ollama",
        .gpu = "required",
        .min_gpu_memory_bytes = 4 * GB,
    },
    {
        .name = "embedding",
        .models = NAMES("nomic-embed-text", "all-minilm-l6-v2"),
        .optional = NO_NAMES,
        .engine = "ollama",
        .gpu = "preferred",
        .min_gpu_memory_bytes = GB / 2,
    },
    {
        .name = "cpu-worker",
        .models = NAMES("llama3.2", "nomic-embed-text"),
        .optional = NO_NAMES,
        .engine = "ollama",
        .gpu = "none",
    },
    {
        .name = "all",
        .models = NAMES("mistral-7b-instruct", "llava-7b", "nomic-embed-text", "llama3.2",
                        "all-minilm-l6-v2"),
        .optional = NAMES("llava-34b"),
        .engine = "none",
        .gpu = "none",
    },
};

const struct catalog *catalog_builtin(void)
{
    static const struct catalog builtin = {
        .models = models,
        .model_count = sizeof(models) / sizeof(models[0]),
        .workers = workers,
        .worker_count = sizeof(workers) / sizeof(workers[0]),
    };

    return &builtin;
}
