#include "model/weights.h"

#include <string.h>

#include "text/glob.h"

const char *const weights_formats[WEIGHTS_FORMATS] = {"*.safetensors", "*.bin", "*.pt", "*.gguf"};

static const char *const no_weights[] = {"training_args.bin", "optimizer.*", "*imatrix*"};

bool weights_in(const char *name)
{
    for (size_t i = 0; i < sizeof(no_weights) / sizeof(no_weights[0]); i++) {
        if (glob_match(str_from(no_weights[i]), str_from(name)))
            return false;
    }
    return true;
}

static bool is_format(const struct model_file *file, const char *format)
{
    const char *slash = strrchr(file->path, '/');
    const char *name = slash == NULL ? file->path : slash + 1;

    return weights_in(name) && glob_match(str_from(format), str_from(name));
}

static uint64_t bytes_of_format(const struct manifest *m, const char *format)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].wanted && is_format(&m->files[i], format))
            bytes += m->files[i].size;
    }
    return bytes;
}

static uint64_t largest(const struct manifest *m)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].wanted && m->files[i].size > bytes)
            bytes = m->files[i].size;
    }
    return bytes;
}

uint64_t weights_bytes(const struct manifest *m)
{
    uint64_t most = 0;

    if (strcmp(m->ref.source, "ollama") == 0)
        return largest(m);
    for (size_t i = 0; i < WEIGHTS_FORMATS; i++) {
        uint64_t bytes = bytes_of_format(m, weights_formats[i]);

        most = bytes > most ? bytes : most;
    }
    return most;
}
