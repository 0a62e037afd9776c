#include "fake_nvml.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB           ((uint64_t)1 << 20)
#define MOST_PLACES   7
#define NOT_SUPPORTED 3
#define NOT_FOUND     6
#define TOO_SMALL     7
#define P2P_NVLINK    2

/* What a library is, is global. */
static struct fake_nvml fake;

static void play(const char *where)
{
    if (strcmp(fake.hang, where) == 0)
        (void)pause();
    if (strcmp(fake.crash, where) == 0)
        (void)raise(SIGSEGV);
}

static nvml_device gpu_at(unsigned index)
{
    for (int i = 0; i < fake.count; i++) {
        if (!fake.devices[i].is_instance && index-- == 0)
            return &fake.devices[i];
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

    if (path == NULL || !fake_nvml_read(&fake, path))
        return 999;
    play("init");
    return fake.init_code;
}

int nvmlDeviceGetCount_v2(unsigned *out);
int nvmlDeviceGetCount_v2(unsigned *out)
{
    *out = 0;
    for (int i = 0; i < fake.count; i++)
        *out += fake.devices[i].is_instance ? 0 : 1;
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

int nvmlDeviceGetMigMode(nvml_device d, unsigned *current, unsigned *pending);
int nvmlDeviceGetMigMode(nvml_device d, unsigned *current, unsigned *pending)
{
    *current = *pending = d->places > 0 ? 1 : 0;
    return 0;
}

int nvmlDeviceGetMaxMigDeviceCount(nvml_device d, unsigned *out);
int nvmlDeviceGetMaxMigDeviceCount(nvml_device d, unsigned *out)
{
    (void)d;
    *out = MOST_PLACES;
    return 0;
}

int nvmlDeviceGetMigDeviceHandleByIndex(nvml_device d, unsigned index, nvml_device *out);
int nvmlDeviceGetMigDeviceHandleByIndex(nvml_device d, unsigned index, nvml_device *out)
{
    for (int i = 0; i < fake.count; i++) {
        nvml_device one = &fake.devices[i];

        if (!one->is_instance || &fake.devices[one->parent] != d || one->place != index)
            continue;
        *out = one;
        return 0;
    }
    return NOT_FOUND;
}

/* How many there are now: the list may have grown since it was asked for. */
static unsigned processes_of(nvml_device d)
{
    unsigned last = sizeof(d->crowd) / sizeof(d->crowd[0]) - 1;
    unsigned when = d->asked < last ? d->asked : last;

    d->asked++;
    return d->crowd[when] > 0 ? d->crowd[when] : d->pid != 0;
}

int nvmlDeviceGetComputeRunningProcesses_v3(nvml_device d, unsigned *n, void *out);
int nvmlDeviceGetComputeRunningProcesses_v3(nvml_device d, unsigned *n, void *out)
{
    struct nvml_process *p = out;
    unsigned now = processes_of(d);
    unsigned room = *n;

    *n = now;
    if (room < now)
        return TOO_SMALL;
    for (unsigned i = 0; i < now; i++)
        p[i] = (struct nvml_process){.pid = d->pid > 0 ? d->pid : 1000 + i,
                                     .used = (d->pid > 0 ? d->pid_mib : 1) * MIB};
    return 0;
}

int nvmlDeviceGetTotalEccErrors(nvml_device d, int type, int counter, unsigned long long *out);
int nvmlDeviceGetTotalEccErrors(nvml_device d, int type, int counter, unsigned long long *out)
{
    /* Corrected ones, and those of the card's whole life, are many and harmless. */
    *out = type == 1 && counter == 0 ? d->ecc : 12345;
    return d->ecc_told ? 0 : NOT_SUPPORTED;
}

int nvmlDeviceGetRetiredPagesPendingStatus(nvml_device d, int *out);
int nvmlDeviceGetRetiredPagesPendingStatus(nvml_device d, int *out)
{
    *out = d->pages;
    return d->pages_told ? 0 : NOT_SUPPORTED;
}

int nvmlDeviceGetRemappedRows(nvml_device d, unsigned *corrected, unsigned *uncorrected,
                              unsigned *pending, unsigned *failed);
int nvmlDeviceGetRemappedRows(nvml_device d, unsigned *corrected, unsigned *uncorrected,
                              unsigned *pending, unsigned *failed)
{
    /* Rows that were replaced are no harm: they must not be taken for the others. */
    *corrected = *uncorrected = 3;
    *pending = d->rows_pending;
    *failed = d->rows_failed;
    return d->rows_told ? 0 : NOT_SUPPORTED;
}

static const struct fake_pair *pair_of(nvml_device a, nvml_device b, bool nvlink)
{
    for (size_t i = 0; i < fake.pair_count; i++) {
        const struct fake_pair *pair = &fake.pairs[i];
        nvml_device first = gpu_at(pair->first);
        nvml_device second = gpu_at(pair->second);

        if (pair->nvlink == nvlink && ((a == first && b == second) || (a == second && b == first)))
            return pair;
    }
    return NULL;
}

int nvmlDeviceGetP2PStatus(nvml_device a, nvml_device b, int index, int *out);
int nvmlDeviceGetP2PStatus(nvml_device a, nvml_device b, int index, int *out)
{
    /* Reading over PCIe works between all: only the question for NVLink tells of NVLink. */
    *out = index == P2P_NVLINK && pair_of(a, b, true) == NULL ? 5 : 0;
    return 0;
}

int nvmlDeviceGetTopologyCommonAncestor(nvml_device a, nvml_device b, int *out);
int nvmlDeviceGetTopologyCommonAncestor(nvml_device a, nvml_device b, int *out)
{
    const struct fake_pair *pair = pair_of(a, b, false);

    *out = pair == NULL ? 0 : pair->level;
    return pair == NULL ? NOT_SUPPORTED : 0;
}

int nvmlDeviceGetFieldValues(nvml_device d, int n, struct nvml_field *fields);
int nvmlDeviceGetFieldValues(nvml_device d, int n, struct nvml_field *fields)
{
    for (int i = 0; i < n; i++) {
        fields[i].result = fields[i].id == 230 ? 0 : NOT_SUPPORTED;
        fields[i].value.u32 = d->recovery;
    }
    return 0;
}
