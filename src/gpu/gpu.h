/*
 * The GPUs of this host, as an inventory that says of each one what it is and whether it can be
 * used.
 *
 *     look   --driver-->  what the host shows     nvml.c, amd.c, none.c: one table in gpu.c
 *            --visible->  what of it is ours      visible.c
 *     inventory           plain values            inventory.c writes it as JSON and reads it back
 *     inventory --gate->  may a worker start      gate.c
 *
 * GPUs are named by UUID: it is the same inside and outside of containers, and after a reboot.
 * Everything here is a plain value in the arena that is passed in. gpu_look() forks (nvml.h says
 * why): call it before the program starts threads.
 */
#ifndef GPU_GPU_H
#define GPU_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"
#include "sys/clock.h"

/* Limits of what is taken from a driver or a file; more is ERR_LIMIT, or left out and said so. */
#define GPU_MAX         ((size_t)512) /* with MIG instances */
#define GPU_PROCESS_MAX ((size_t)128) /* of one GPU */
#define GPU_LINK_MAX    ((size_t)128) /* of one GPU */
#define GPU_TEXT        ((size_t)96)
#define GPU_REASON      ((size_t)320)
#define GPU_MIB_MAX     ((uint64_t)1 << 30) /* a PiB of memory */

enum gpu_state {
    GPU_OK,            /* can be used; a reason is then a warning */
    GPU_LOST,          /* fell off the bus */
    GPU_FAULTY,        /* the driver says that it must not be used as it is */
    GPU_NO_PERMISSION, /* we may not use it */
    GPU_HIDDEN,        /* not ours: another has it, or a variable leaves it out */
    GPU_MIG_PARENT,    /* cut into MIG instances, which are the GPUs to use */
    GPU_STATES,
};

enum gpu_link_kind {
    GPU_LINK_NVLINK,
    GPU_LINK_PIX, /* one PCIe switch between */
    GPU_LINK_PXB, /* several */
    GPU_LINK_PHB, /* the host bridge */
    GPU_LINK_NODE,
    GPU_LINK_SYS,
    GPU_LINK_KINDS,
};

enum gpu_compute_mode {
    GPU_COMPUTE_DEFAULT,
    GPU_COMPUTE_EXCLUSIVE_THREAD,
    GPU_COMPUTE_PROHIBITED,
    GPU_COMPUTE_EXCLUSIVE_PROCESS,
    GPU_COMPUTE_MODES,
};

struct gpu_process {
    uint64_t pid; /* as the driver counts, which in a container is not as we do */
    uint64_t mib;
    bool mib_known;
    char name[32]; /* "": not known */
};

struct gpu_link {
    char to[GPU_TEXT]; /* the other GPU's UUID */
    enum gpu_link_kind kind;
};

struct gpu {
    char uuid[GPU_TEXT]; /* "GPU-5c3f..." or "MIG-..."; "": the driver does not tell */
    uint32_t index;      /* in the driver's order; of an instance its parent's */
    char name[GPU_TEXT]; /* "NVIDIA L4" */
    char pci[32];        /* "00000000:01:00.0" */
    char sm[16];         /* compute capability "8.9"; AMD's target "gfx942" */
    uint64_t total_mib;  /* as NVML counts, what cards are sold by; 0: not known */
    uint64_t reserved_mib;
    uint64_t cuda_total_mib; /* what a program can have of it */
    uint64_t used_mib;
    uint64_t free_mib;
    char mig_parent[GPU_TEXT]; /* UUID; "": this is no instance */
    char mig_profile[32];      /* "1g.10gb" */
    uint32_t mig_index;        /* among its parent's instances */
    uint32_t mig_gi, mig_ci;   /* as old names of instances have them */
    enum gpu_compute_mode compute_mode;
    bool display;
    bool unified; /* has the host's memory, no own */
    enum gpu_state state;
    char reason[GPU_REASON]; /* why it is in that state, or what to beware of; "": nothing */
    char hint[GPU_REASON];   /* what to do about it */
    struct gpu_process *processes;
    size_t process_count;
    struct gpu_link *links;
    size_t link_count;
};

struct gpu_inventory {
    char driver[16]; /* nvml, amd, none */
    char driver_version[GPU_TEXT];
    char cuda_version[16];
    struct gpu *gpus;
    size_t count;
    char reason[GPU_REASON]; /* why there is no GPU, or not all; "": nothing to say */
    char hint[GPU_REASON];
};

/* What the environment says about which GPUs are ours; NULL is unset, "" is set and empty. */
struct gpu_visible {
    const char *nvidia_visible_devices;
    const char *cuda_visible_devices;
    const char *cuda_device_order;
    const char *rocr_visible_devices;
    const char *hip_visible_devices;
};

/* Where to look; gpu_look_here() fills it in for this host. */
struct gpu_look {
    const struct clock *clock;
    const char *const *nvml_names; /* what dlopen is asked for, in order; ends NULL */
    uint64_t limit_ms;             /* how long the driver may take for its whole answer */
    const char *sys;               /* "/sys" */
    const char *proc;              /* "/proc" */
    const char *dev;               /* "/dev" */
    struct gpu_visible visible;
};

/* A kind of GPU: its file and one line in gpu.c. */
struct gpu_driver {
    const char *name; /* in the inventory */
    /*
     * Adds what it sees to out, in the order of the driver's own indices. True: this host has such
     * GPUs, or should have (out->reason says what is wrong); false: nothing of it is here, and
     * out->reason may say what was looked for. Fails only when told to stop.
     */
    int (*look)(struct gpu_inventory *out, bool *ret_here, struct arena *a,
                const struct gpu_look *look, struct err *err);
    /* Marks as hidden what the environment leaves out; NULL: nothing does. */
    void (*hide)(struct gpu_inventory *inventory, const struct gpu_visible *visible);
};

extern const struct gpu_driver gpu_driver_nvml;
extern const struct gpu_driver gpu_driver_amd;
extern const struct gpu_driver gpu_driver_none;

/* This host's own places and a limit of 15 s. */
struct gpu_look gpu_look_here(const struct gpu_visible *visible);

/*
 * Asks the drivers in turn; the first whose GPUs are here fills the inventory. No GPU at all is no
 * failure: then driver is "none" and reason says what was looked for. Fails with ERR_INTERRUPTED
 * alone.
 */
int gpu_look(struct gpu_inventory *out, struct arena *a, const struct gpu_look *look,
             struct err *err) MUST_CHECK;

/* The words of the inventory: "no-permission", "nvlink", "exclusive-process". */
const char *gpu_state_name(enum gpu_state state);
const char *gpu_link_name(enum gpu_link_kind kind);
const char *gpu_compute_mode_name(enum gpu_compute_mode mode);

/* "GPU-5c3f2a1b": enough of the UUID for people; the index where there is none. */
const char *gpu_short_name(struct arena *a, const struct gpu *gpu);

/* The state with its reason and hint, by printf. */
void gpu_set_state(struct gpu *gpu, enum gpu_state state, const char *fmt, ...) PRINTF_LIKE(3, 4);
void gpu_set_hint(struct gpu *gpu, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same of the whole inventory. */
void gpu_set_reason(struct gpu_inventory *inventory, const char *fmt, ...) PRINTF_LIKE(2, 3);
void gpu_set_way_out(struct gpu_inventory *inventory, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
