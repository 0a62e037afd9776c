/*
 * What people and machines see of the work: one stream of events, several faces.
 *
 * Callers above (pull, later worker) emit events; the report renders each to the faces that are on:
 * log lines (text or JSON) on stderr or stdout and a copy in LOG_FILE, bars on a terminal in place
 * of progress lines, JSON lines on stdout by --json. A face is one file (log.c, bars.c, events.c)
 * and one line in report.c. One thread emits; nothing here ever fails the work: a LOG_FILE that
 * cannot be written is one warning, a closed stdout ends only that face, and is told at the end
 * (report_check()).
 *
 *     2026-11-23T08:31:02.114Z INFO Downloading model=hf:org/name file=model.safetensors 42% ...
 *
 * `Downloading` stands on starts and progress lines (one every 5 s a model at most). Values with
 * blanks, quotes or controls are quoted and escaped; no line ever holds a raw byte from outside.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "err/err.h"
#include "mem/arena.h"
#include "sys/clock.h"

enum report_level {
    REPORT_DEBUG,
    REPORT_INFO,
    REPORT_WARN,
    REPORT_ERROR,
};

enum report_progress_mode {
    REPORT_PROGRESS_AUTO, /* bars if stderr is a terminal that is not dumb, else plain */
    REPORT_PROGRESS_BAR,
    REPORT_PROGRESS_PLAIN,
    REPORT_PROGRESS_NONE,
};

struct report_options {
    const struct clock *clock;
    enum report_level level;
    bool json_log;      /* LOG_FORMAT=json */
    bool log_to_stdout; /* commands without data: run, coordinator, download-models.sh */
    bool json_events;   /* --json: events as lines on stdout */
    const char *events; /* --events: events as lines there, "FILE" or "fd:N"; NULL: nowhere */
    bool quiet;         /* -q: errors and the data only */
    enum report_progress_mode progress;
    const char *log_file; /* NULL: none */
    bool log_file_named;  /* the operator named it: a failure to open is a warning; else silent */
    const char *const
        *debug; /* --debug: domains whose debug notes are shown at any level; ends NULL */
    const char *termination_log; /* the last error goes there too, if it is there; NULL: none */
    int out_fd;                  /* where stdout goes; tests pass their own */
    int err_fd;
    unsigned columns; /* 0: asked of the terminal, again at SIGWINCH or each second */
};

enum report_kind {
    REPORT_NOTE,      /* text, at level: a warning, a thing worth knowing */
    REPORT_WAITING,   /* someone else is at it: holder, bytes, total */
    REPORT_START,     /* bytes (to come), files, present_bytes; or text, where that is unknown */
    REPORT_PROGRESS,  /* bytes, total, bps; parts for the bars */
    REPORT_FILE,      /* a file is whole: path, bytes, digest */
    REPORT_PUBLISHED, /* path, revision, text (a remark) */
    REPORT_PRESENT,   /* nothing to do: revision, text (how sure) */
    REPORT_DONE,      /* the end of all: models, bytes, duration_ms */
    REPORT_FAILED,    /* err: two lines, what-where-why and the way out */
    REPORT_KINDS,
};

/* One file's line among the bars. */
struct report_part {
    const char *path;
    uint64_t bytes;
    uint64_t total;
    bool done;
};

struct report_event {
    enum report_kind kind;
    enum report_level level; /* NOTE only */
    const char *event;       /* NOTE: its name in JSON, e.g. "ephemeral"; NULL: "note" */
    const char *model;       /* "hf:org/name"; NULL: none */
    const char *text;
    const char *path;
    const char *revision;
    const char *digest;
    const char *holder; /* host that has the lease */
    uint64_t bytes;
    uint64_t total;
    uint64_t present_bytes;
    uint64_t files;
    uint64_t models;
    uint64_t bps;
    uint64_t duration_ms;
    const struct report_part *parts;
    size_t part_count;
    const struct err *err;
    const char *state;  /* NOTE: what the model is in now, a word of fleet/state.h */
    const char *worker; /* NOTE: what the worker is in now, the same */
};

struct report;

/* Sees every event before it is shown, on the thread that emits it. It may emit others. */
typedef void report_watch(void *ctx, const struct report_event *event);

struct report *report_new(struct arena *a, const struct report_options *options);
void report_emit(struct report *r, const struct report_event *event);
/* One watcher, or NULL for none. */
void report_set_watch(struct report *r, report_watch *watch, void *ctx);
/*
 * Clears the bars so that something else can be printed; they come back with the next progress.
 */
void report_pause(struct report *r);
/* ERR_USAGE if events of --json could not be written to stdout: whoever asked lacks a part. */
int report_check(const struct report *r, struct err *err) MUST_CHECK;
void report_free(struct report **r);

/* NOTE at level, text by printf. */
void report_note(struct report *r, enum report_level level, const char *event, const char *model,
                 const char *fmt, ...) PRINTF_LIKE(5, 6);

#endif
