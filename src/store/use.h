/*
 * Marks of use: what living workers serve from a volume, so that nobody cleans it away under them.
 *
 *     use_begin(&use, arena, &options, err)     before the engine reads a byte
 *     use_gpus(use, gpus, count)                once it is ready: which GPUs it holds
 *     use_look(use)                             now and then: makes those again that were lost
 *     use_end(&use)
 *
 * A mark is a lease (store/lease.h) that nobody contends for, one for each model, in
 * `.hostler/uses/` beneath the volume: it is rewritten by a thread as long as the process lives,
 * and dead for whoever watched it unchanged for the takeover time, or at once where its holder's
 * death can be proved. So a kill leaves nothing that has to be cleaned up, and a host whose clock
 * is days off marks as well as any.
 */
#ifndef STORE_USE_H
#define STORE_USE_H

#include "mem/arena.h"
#include "store/lease.h"
#include "store/volume.h"
#include "text/vec.h"

/* More marks than that are not looked at. */
#define USE_MAX ((size_t)10000)

#define USE_GPUS_MAX ((size_t)64)
#define USE_UUID     48 /* "GPU-5c3f2a1b-...", with its NUL: those of NVML have 40 letters */
#define USE_WORKER   9
#define USE_TYPE     65

struct use_options {
    const struct volume *volume; /* writable */
    const struct clock *clock;
    const char *host;
    uint64_t takeover_ms;
    const char *const *what; /* "hf:org/name@<commit>", "ollama:llava:7b" */
    size_t count;
};

struct use;

/*
 * Marks all of what, and takes away the marks of processes that are provably gone. What a mark says
 * is cut to what a lease can hold. Only the volume's directory is used after this call.
 */
int use_begin(struct use **out, struct arena *a, const struct use_options *options,
              struct err *err) MUST_CHECK;

/*
 * A GPU that a living worker holds, as its mark says. In its what the mark has "gpu:", all members
 * with colons between them, the type last.
 */
struct use_gpu {
    char uuid[USE_UUID];
    uint64_t mib;            /* that the worker holds of it */
    char worker[USE_WORKER]; /* random: the same in all marks of one worker */
    char type[USE_TYPE];     /* "vllm" */
};

/*
 * Marks these GPUs of one worker, in place of those it marked before; at most USE_GPUS_MAX. One
 * that cannot be marked is tried again by use_look().
 */
void use_gpus(struct use *use, const struct use_gpu *gpus, size_t count);

/* False: the mark is of no GPU, or it is broken. */
bool use_gpu_of(struct use_gpu *out, const struct lease_state *mark);

/* Who was paused for so long that others had to think him dead marks again. */
void use_look(struct use *use);

/* Takes the marks away. *use may be NULL, and is afterwards. */
void use_end(struct use **use);

typedef VEC(struct lease_state) use_marks;

/*
 * The marks on a volume whose holders are not provably gone; of the dead on other hosts only a
 * watch would tell. None where there are none, or they cannot be read.
 */
use_marks use_list(struct arena *a, const struct volume *volume);

/* True if a mark that says held is one of what: a mark may have been cut. */
bool use_means(const struct lease_state *mark, const char *what);

#endif
