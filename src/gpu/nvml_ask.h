/*
 * The questions to NVML, all in the child process (nvml.h). Each gets the GPU that it fills in;
 * what a function does not answer stays as it is. GPU_LOST and what makes a GPU faulty are noted in
 * the GPU itself, so that one that is ill never hides the others.
 */
#ifndef GPU_NVML_ASK_H
#define GPU_NVML_ASK_H

#include "gpu/nvml.h"
#include "mem/arena.h"

/* What is known of an asked host; of the child. */
struct nvml_asker {
    const struct nvml_api *api;
    struct arena *arena;
    int fd; /* of the answers */
    const char *proc;
    const char *dev;
};

/* What the child is started with. */
struct nvml_question {
    const char *const *names; /* of the library, in order; ends NULL */
    const char *proc;
    const char *dev;
};

/* The child's work; ctx is a struct nvml_question. */
void nvml_ask(int fd, const void *ctx);

/* Announces a question, so that the parent can tell which one was never answered. */
void nvml_step(const struct nvml_asker *s, uint32_t gpu, const char *what);

/*
 * True if code is OK. Of a GPU that is lost or waits for a reset it becomes the state; all other
 * codes say only that this was not answered.
 */
bool nvml_is_ok(struct gpu *gpu, int code);

/* A lost GPU, or any that answers nothing: the state by the code. */
void nvml_set_code(struct gpu *gpu, int code);

/* total, reserved, free, used; of the host's memory where the GPU has none. */
void nvml_ask_memory(const struct nvml_asker *s, nvml_device device, struct gpu *gpu);

/* Errors of memory, pending resets, compute mode, the right to use it. */
void nvml_ask_health(const struct nvml_asker *s, nvml_device device, struct gpu *gpu);

/* Sends the processes of the GPU that was sent last. */
void nvml_ask_processes(const struct nvml_asker *s, nvml_device device);

/* Whether MIG is on; the parent's state is set then. */
bool nvml_ask_mig(const struct nvml_asker *s, nvml_device device, struct gpu *gpu);

/* The i-th instance of a parent; false where there is none: there can be holes. */
bool nvml_ask_instance(const struct nvml_asker *s, nvml_device device, unsigned i,
                       const struct gpu *parent, struct gpu *ret_instance, nvml_device *ret_device);

/* "1g.10gb", "1c.2g.20gb"; "" where the library does not tell. */
void nvml_mig_profile(char out[static 32], const struct nvml_attributes *attributes);

/* How two GPUs are joined; false if the library does not tell. */
bool nvml_ask_link(const struct nvml_asker *s, nvml_device a, nvml_device b,
                   enum gpu_link_kind *ret_kind);

/* A text that a function of the library fills in; "" where it does not. */
typedef int nvml_text_fn(nvml_device device, char *text, unsigned size);
void nvml_ask_text(struct gpu *gpu, char *out, size_t size, nvml_device device, nvml_text_fn *fn);

#endif
