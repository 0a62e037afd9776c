/*
 * A libnvidia-ml.so.1 that plays what a scenario says, for tests on hosts without a GPU.
 *
 *     FAKE_NVML=FILE, a line each; what follows a gpu or an instance is of the last one:
 *     init CODE                             what nvmlInit_v2 answers
 *     gpu UUID SM TOTAL RESERVED FREE NAME  one GPU, sizes in MiB
 *     handle CODE                           it cannot be had
 *     memory CODE                           neither way of asking for its memory works
 *     v1                                    the newer question about memory is not known
 *     mode N                                compute mode
 *     process PID MIB
 *     crowd FIRST SECOND REST               so many processes of 1 MiB, at the first question, the
 *                                           second and all later ones: they grow between two calls
 *     recovery N                            the driver's recovery action
 *     ecc N                                 uncorrected errors since the driver was loaded
 *     pages PENDING                         whether pages wait to be retired
 *     rows PENDING FAILED                   rows of memory that wait to be remapped, or could not
 * be instance UUID TOTAL RESERVED FREE NAME  a MIG instance of it hole the next place for an
 * instance is empty nvlink I K                            the I-th and the K-th GPU are joined by
 * NVLink topology I K LEVEL                    their nearest common place, as NVML counts it hang
 * init|memory                      it never answers crash init|memory                     it
 * crashes
 */
#ifndef TEST_FAKE_NVML_H
#define TEST_FAKE_NVML_H

#include <stdbool.h>
#include <stddef.h>

#include "gpu/nvml.h"

#define FAKE_DEVICES 16
#define FAKE_PAIRS   16

struct nvml_device_opaque {
    char uuid[96];
    char name[96];
    int major, minor;
    unsigned long long total, reserved, free;
    int handle, memory, mode;
    bool v1;
    unsigned recovery;
    unsigned long long ecc;
    bool ecc_told, pages_told, rows_told; /* else it is not supported */
    int pages;
    unsigned rows_pending, rows_failed;
    unsigned pid;
    unsigned long long pid_mib;
    unsigned crowd[3]; /* at the first question, the second, the later ones */
    unsigned asked;    /* how often, for its processes */
    bool is_instance;
    unsigned place;  /* of an instance, among those of its parent, holes counted */
    unsigned places; /* of a parent: so many are taken or holes */
    int parent;
};

/* Of GPUs by number, without instances. */
struct fake_pair {
    unsigned first, second;
    bool nvlink;
    int level; /* where it is not NVLink */
};

struct fake_nvml {
    struct nvml_device_opaque devices[FAKE_DEVICES];
    int count;
    struct fake_pair pairs[FAKE_PAIRS];
    size_t pair_count;
    int init_code;
    char hang[16];
    char crash[16];
};

/* False if the file cannot be read; what is not understood ends the program. */
bool fake_nvml_read(struct fake_nvml *out, const char *path);

#endif
