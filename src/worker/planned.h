/*
 * What a plan says of a worker's engines, as plain values: made by whoever plans (cmd/planned.h),
 * put into the words of commands by worker/substitute.h.
 */
#ifndef WORKER_PLANNED_H
#define WORKER_PLANNED_H

#include <stddef.h>
#include <stdint.h>

struct planned_engine {
    const char *model;       /* name of the worker's model that it serves */
    const char *utilization; /* "0.92" */
    const char *context;     /* "4096" */
    const char *tp;          /* "1" */
    const char *gpus;        /* UUIDs with commas; "": the CPU */
    uint64_t taken_mib;      /* of each of them */
    const char *const *args; /* all of it as arguments of vLLM; ends NULL; of other engines none */
};

struct planned {
    const struct planned_engine *at;
    size_t count;
};

#endif
