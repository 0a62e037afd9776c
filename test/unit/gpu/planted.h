/* Trees as the kernel shows them, planted below a scratch: what a driver of GPUs is to read. */
#ifndef TEST_GPU_PLANTED_H
#define TEST_GPU_PLANTED_H

#include <errno.h>
#include <string.h>

#include "../store/scratch.h"
#include "gpu/gpu.h"
#include "text/str.h"

/* The folders of path, which is below the scratch, but not its last part. */
static inline void plant_folders(struct scratch *s, const char *path)
{
    char *copy = str_dup(&s->arena, str_from(path));

    for (char *slash = copy; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdirat(s->fd, copy, 0755) < 0)
            assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
}

/* A file, with its folders made on the way; one that is there gets another text. */
static inline void plant(struct scratch *s, const char *path, const char *text)
{
    plant_folders(s, path);
    scratch_write(s, path, text, strlen(text));
}

/* The scratch's sys, proc and dev in place of this host's, and no library of NVIDIA's. */
static inline struct gpu_look planted_look(struct scratch *s, const struct gpu_visible *visible)
{
    static const char *const no_library[] = {"libhostler-none-such.so", NULL};
    struct gpu_look look = gpu_look_here(visible);

    look.nvml_names = no_library;
    look.sys = str_format(&s->arena, "%s/sys", s->path);
    look.proc = str_format(&s->arena, "%s/proc", s->path);
    look.dev = str_format(&s->arena, "%s/dev", s->path);
    return look;
}

#endif
