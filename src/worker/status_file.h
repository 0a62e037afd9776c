/*
 * The status file: what `hostler run` says of itself to `hostler status`, a small sealed text that
 * is replaced by rename, so a reader sees the old or the new. Lines, not JSON: a probe that runs
 * every few seconds loads no library.
 *
 *     hostler-status 1
 *     state downloading
 *     ...
 *     end 89abcdef
 *
 * A pure pair of writer and reader; the reader takes what it reads for hostile.
 */
#ifndef WORKER_STATUS_FILE_H
#define WORKER_STATUS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/state.h"
#include "mem/arena.h"
#include "text/buf.h"
#include "text/str.h"

#define STATUS_FORMAT    1U
#define STATUS_BYTES_MAX ((size_t)256 << 10)
#define STATUS_MODELS    ((size_t)1000)

struct status {
    enum fleet_state state;
    const char *reason; /* "": none */
    const char *type;   /* of the worker */
    const char *id;
    const char *host;
    const char *boot;       /* the kernel's boot id */
    uint64_t pid;           /* of run, in its own namespace of pids */
    uint64_t pid_namespace; /* its inode */
    uint64_t start_ticks;   /* when that process began, as /proc/PID/stat has it; 0: not known */
    uint64_t command_pid;   /* 0: none */
    uint64_t restarts;
    uint64_t since_unix_ms; /* when the state began */
    uint64_t beat_ms;       /* CLOCK_MONOTONIC when it was written */
    const char *model;      /* that is being filled; "": none */
    uint64_t bytes;
    uint64_t total;
    uint64_t bps;
    const char *const *models; /* the worker's; ends NULL */
    size_t model_count;
};

/* The whole file. */
struct str status_format(struct arena *a, const struct status *s);

/* False: torn, foreign, of another format. Texts are in the arena, and may hold anything. */
bool status_parse(struct status *out, struct arena *a, struct str text);

#endif
