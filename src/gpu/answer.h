/*
 * What a child process tells its parent about GPUs: records of one fixed size through a pipe.
 *
 * The child runs a library that may crash, hang or write over its own memory. So a record is one
 * write(2) of no more than PIPE_BUF bytes, which arrives whole or not at all; the parent takes a
 * bounded number of them, checks each one, and keeps what came before the child went wrong. Before
 * each question the child sends a STEP, so that the parent can say what was never answered.
 */
#ifndef GPU_ANSWER_H
#define GPU_ANSWER_H

#include <limits.h>

#include "gpu/gpu.h"

enum answer_kind {
    ANSWER_STEP,       /* text: what is asked next; gpu: of which, ANSWER_HOST: of none */
    ANSWER_NO_LIBRARY, /* text: why it cannot be opened; code: 1 if it is there */
    ANSWER_REFUSED,    /* code: of NVML; text: the library's version, if it is known */
    ANSWER_HOST_IS,    /* count of GPUs, versions */
    ANSWER_GPU,
    ANSWER_PROCESS, /* of the GPU sent last */
    ANSWER_LINK,    /* of the at-th GPU that was sent */
    ANSWER_END,
    ANSWER_KINDS,
};

#define ANSWER_HOST UINT32_MAX

struct answer {
    enum answer_kind kind;
    uint32_t gpu; /* index in the driver's order */
    uint32_t at;  /* LINK: which of the GPUs that were sent, from 0 */
    uint32_t count;
    int32_t code;
    char text[GPU_TEXT];
    char cuda[16];
    struct gpu one;
    struct gpu_process process;
    struct gpu_link link;
};
_Static_assert(sizeof(struct answer) <= PIPE_BUF, "one write, whole or not at all");

/* In the child. It ends there if nobody reads any more. */
void answer_send(int fd, const struct answer *answer);

enum answer_end {
    ANSWER_ALL,      /* END came */
    ANSWER_LATE,     /* the time limit passed; the child was killed */
    ANSWER_CRASHED,  /* signal says by what */
    ANSWER_QUIT,     /* it ended without END, or sent what is none of ours */
    ANSWER_NO_CHILD, /* none could be started: sys says why */
};

struct answer_outcome {
    enum answer_end end;
    int signal;
    int sys;
};

struct answer_exchange {
    void (*ask)(int fd, const void *ctx); /* in the child, which ends when it returns */
    const void *ask_ctx;
    void (*take)(void *ctx, const struct answer *answer); /* in the parent, each record checked */
    void *take_ctx;
    const struct clock *clock;
    uint64_t limit_ms;
};

/*
 * Runs ask in a child and takes its answers. Fails with ERR_INTERRUPTED alone; the child is then
 * killed as well. The child's stdin, stdout and stderr lead nowhere, a crash leaves no core, and it
 * dies with its parent.
 */
int answer_exchange(struct answer_outcome *out, const struct answer_exchange *exchange,
                    struct err *err) MUST_CHECK;

/* Whether a record can be believed as far as its form goes; its texts get their ends. */
bool answer_check(struct answer *answer);

#endif
