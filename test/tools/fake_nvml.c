/*
 * A libnvidia-ml.so.1 that plays what a scenario says, for tests on hosts without a GPU.
 *
 *     FAKE_NVML=FILE, a line each:
 *     init CODE                             what nvmlInit_v2 answers
 *     gpu UUID SM TOTAL RESERVED FREE NAME  one GPU, sizes in MiB; what follows is of the last one
 *     handle CODE                           it cannot be had
 *     memory CODE                           neither way of asking for its memory works
 *     v1                                    the newer question about memory is not known
 *     mode N                                compute mode
 *     process PID MIB
 *     recovery N                            the driver's recovery action
 *     instance UUID TOTAL RESERVED FREE NAME  a MIG instance of it
 *     hang init|memory                      it never answers
 *     crash init|memory                     it crashes
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/nvml.h"
#include "text/num.h"
#include "text/str.h"

#define MOST 16
#define MIB  ((uint64_t)1 << 20)

struct nvml_device_opaque {
    char uuid[96];
    char name[96];
    int major, minor;
    unsigned long long total, reserved, free;
    int handle, memory, mode;
    bool v1;
    unsigned recovery;
    unsigned pid;
    unsigned long long pid_mib;
    bool is_instance;
    int parent;
};

/* What a library is, is global. */
static struct nvml_device_opaque devices[MOST];
static int count;
static int init_code;
static char hang[16];
static char crash[16];

static uint64_t number(struct str *line)
{
    struct err ignored;
    struct str word;
    uint64_t value = 0;

    (void)str_cut(line, ' ', &word);
    if (num_parse_u64(&value, word, UINT64_MAX, &ignored) < 0)
        abort();
    return value;
}

static void text(char *out, size_t size, struct str value)
{
    if (value.len >= size)
        abort();
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
}

/* A GPU or an instance: UUID, [SM,] TOTAL RESERVED FREE NAME. */
static void add_device(struct str line, bool is_instance)
{
    struct nvml_device_opaque d = {.is_instance = is_instance, .parent = count - 1};
    struct str word;
    struct str major;

    if (count == MOST)
        abort();
    (void)str_cut(&line, ' ', &word);
    text(d.uuid, sizeof(d.uuid), word);
    while (is_instance && devices[d.parent].is_instance)
        d.parent--;
    if (!is_instance) {
        (void)str_cut(&line, ' ', &word);
        (void)str_cut(&word, '.', &major);
        d.major = (int)number(&major);
        d.minor = (int)number(&word);
    }
    d.total = number(&line);
    d.reserved = number(&line);
    d.free = number(&line);
    text(d.name, sizeof(d.name), line);
    devices[count++] = d;
}

static void read_line(struct str line)
{
    struct nvml_device_opaque *last = count > 0 ? &devices[count - 1] : &devices[0];
    struct str word;

    (void)str_cut(&line, ' ', &word);
    if (str_eqz(word, "gpu") || str_eqz(word, "instance")) {
        add_device(line, str_eqz(word, "instance"));
    } else if (str_eqz(word, "init")) {
        init_code = (int)number(&line);
    } else if (str_eqz(word, "handle")) {
        last->handle = (int)number(&line);
    } else if (str_eqz(word, "memory")) {
        last->memory = (int)number(&line);
    } else if (str_eqz(word, "mode")) {
        last->mode = (int)number(&line);
    } else if (str_eqz(word, "recovery")) {
        last->recovery = (unsigned)number(&line);
    } else if (str_eqz(word, "process")) {
        last->pid = (unsigned)number(&line);
        last->pid_mib = number(&line);
    } else if (str_eqz(word, "v1")) {
        last->v1 = true;
    } else if (str_eqz(word, "hang")) {
        text(hang, sizeof(hang), line);
    } else if (str_eqz(word, "crash")) {
        text(crash, sizeof(crash), line);
    } else {
        abort();
    }
}

static void play(const char *where)
{
    if (strcmp(hang, where) == 0)
        (void)pause();
    if (strcmp(crash, where) == 0)
        (void)raise(SIGSEGV);
}

static nvml_device gpu_at(unsigned index)
{
    for (int i = 0; i < count; i++) {
        if (!devices[i].is_instance && index-- == 0)
            return &devices[i];
    }
    return NULL;
}

static int put(char *out, unsigned size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
    return 0;
}

int nvmlInit_v2(void);
int nvmlInit_v2(void)
{
    const char *path = getenv("FAKE_NVML");
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    char line[256];

    if (file == NULL)
        return 999;
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        read_line(str_from(line));
    }
    (void)fclose(file);
    play("init");
    return init_code;
}

int nvmlDeviceGetCount_v2(unsigned *out);
int nvmlDeviceGetCount_v2(unsigned *out)
{
    *out = 0;
    for (int i = 0; i < count; i++)
        *out += devices[i].is_instance ? 0 : 1;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml_device *out);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvml_device *out)
{
    *out = gpu_at(index);
    return *out == NULL ? 2 : (*out)->handle;
}

int nvmlSystemGetDriverVersion(char *out, unsigned size);
int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    return put(out, size, "580.95.05");
}

int nvmlSystemGetCudaDriverVersion_v2(int *out);
int nvmlSystemGetCudaDriverVersion_v2(int *out)
{
    *out = 13000;
    return 0;
}

int nvmlDeviceGetUUID(nvml_device d, char *out, unsigned size);
int nvmlDeviceGetUUID(nvml_device d, char *out, unsigned size)
{
    return put(out, size, d->uuid);
}

int nvmlDeviceGetName(nvml_device d, char *out, unsigned size);
int nvmlDeviceGetName(nvml_device d, char *out, unsigned size)
{
    return put(out, size, d->name);
}

int nvmlDeviceGetMemoryInfo_v2(nvml_device d, struct nvml_memory_v2 *out);
int nvmlDeviceGetMemoryInfo_v2(nvml_device d, struct nvml_memory_v2 *out)
{
    play("memory");
    if (d->v1 || out->version != NVML_MEMORY_V2)
        return 13;
    out->total = d->total * MIB;
    out->reserved = d->reserved * MIB;
    out->free = d->free * MIB;
    return d->memory;
}

int nvmlDeviceGetMemoryInfo(nvml_device d, struct nvml_memory *out);
int nvmlDeviceGetMemoryInfo(nvml_device d, struct nvml_memory *out)
{
    out->total = d->total * MIB;
    out->free = d->free * MIB;
    out->used = out->total - out->free;
    return d->memory;
}

int nvmlDeviceGetCudaComputeCapability(nvml_device d, int *major, int *minor);
int nvmlDeviceGetCudaComputeCapability(nvml_device d, int *major, int *minor)
{
    *major = d->major;
    *minor = d->minor;
    return 0;
}

int nvmlDeviceGetComputeMode(nvml_device d, int *out);
int nvmlDeviceGetComputeMode(nvml_device d, int *out)
{
    *out = d->mode;
    return 0;
}

static unsigned instances_of(nvml_device d)
{
    unsigned found = 0;

    for (int i = 0; i < count; i++)
        found += devices[i].is_instance && &devices[devices[i].parent] == d ? 1 : 0;
    return found;
}

int nvmlDeviceGetMigMode(nvml_device d, unsigned *current, unsigned *pending);
int nvmlDeviceGetMigMode(nvml_device d, unsigned *current, unsigned *pending)
{
    *current = *pending = instances_of(d) > 0 ? 1 : 0;
    return 0;
}

int nvmlDeviceGetMaxMigDeviceCount(nvml_device d, unsigned *out);
int nvmlDeviceGetMaxMigDeviceCount(nvml_device d, unsigned *out)
{
    (void)d;
    *out = 7;
    return 0;
}

int nvmlDeviceGetMigDeviceHandleByIndex(nvml_device d, unsigned index, nvml_device *out);
int nvmlDeviceGetMigDeviceHandleByIndex(nvml_device d, unsigned index, nvml_device *out)
{
    for (int i = 0; i < count; i++) {
        if (devices[i].is_instance && &devices[devices[i].parent] == d && index-- == 0) {
            *out = &devices[i];
            return 0;
        }
    }
    return 6;
}

int nvmlDeviceGetComputeRunningProcesses_v3(nvml_device d, unsigned *n, void *out);
int nvmlDeviceGetComputeRunningProcesses_v3(nvml_device d, unsigned *n, void *out)
{
    struct nvml_process *p = out;

    if (d->pid == 0 || *n < 1) {
        *n = d->pid == 0 ? 0 : 1;
        return d->pid == 0 ? 0 : 7;
    }
    *n = 1;
    p[0] = (struct nvml_process){.pid = d->pid, .used = d->pid_mib * MIB};
    return 0;
}

int nvmlDeviceGetFieldValues(nvml_device d, int n, struct nvml_field *fields);
int nvmlDeviceGetFieldValues(nvml_device d, int n, struct nvml_field *fields)
{
    for (int i = 0; i < n; i++) {
        fields[i].result = fields[i].id == 230 ? 0 : 3;
        fields[i].value.u32 = d->recovery;
    }
    return 0;
}
