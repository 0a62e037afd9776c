/*
 * How much may be read ahead into the page cache without taking memory that somebody needs.
 *
 * The least of what these can spare:
 *   - the host: MemAvailable of /proc/meminfo, less a reserve;
 *   - each cgroup from ours up to the root: its limit (the lower of memory.max and memory.high;
 *     version 1: memory.limit_in_bytes) less what it uses, plus the part of its file cache that is
 *     clean (memory.stat: inactive_file + active_file - file_dirty - file_writeback; version 1:
 *     total_inactive_file + total_active_file), less a reserve.
 * The reserve is an eighth of MemTotal, or of the limit, from 64 MiB to 8 GiB: what an engine needs
 * while it loads. Sources: Documentation/filesystems/proc.rst, admin-guide/cgroup-v2.rst and
 * admin-guide/cgroup-v1/memory.rst of Linux.
 *
 * Everything is read beneath one directory, "/" or a recorded tree. A cgroup that cannot be read,
 * or says what is no number, bounds nothing; without MemAvailable nothing may be read ahead.
 */
#ifndef WORKER_READ_BUDGET_H
#define WORKER_READ_BUDGET_H

#include <stdint.h>

#include "mem/arena.h"

#define READ_BUDGET_WHY ((size_t)160)

struct read_budget {
    uint64_t bytes;
    char why[READ_BUDGET_WHY]; /* what bounds it, for the log: "12.1 GB: the host's memory" */
};

/* At most `most` bytes (--read-ahead SIZE; UINT64_MAX: auto). root: a descriptor of "/". */
struct read_budget read_budget_find(int root, uint64_t most);

/*
 * All memory that a process here can ever have: the least of the host's and of its cgroups' limits.
 * 0: not known.
 */
uint64_t read_budget_all(int root);

#endif
