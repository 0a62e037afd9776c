/*
 * All that descends from us. As PID 1 or as subreaper the kernel hands us every orphan, so what
 * /proc shows below us is all that our commands have left behind.
 */
#ifndef WORKER_FAMILY_H
#define WORKER_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mem/arena.h"

struct family {
    const pid_t *at;
    size_t len;
};

/*
 * The living descendants of this process, without the processes of spared (ends with 0) and all
 * that descends from those. Empty where there is no /proc.
 */
struct family family_of_ours(struct arena *a, const pid_t *spared);

#endif
