/*
 * One event as one line: text for people and grep, JSON for the log, JSON for --json.
 *
 * Pure functions of the event and the time; every text from outside is escaped. Lines end in "\n"
 * and are cut at LINE_MAX_BYTES.
 */
#ifndef REPORT_LINE_H
#define REPORT_LINE_H

#include <stdint.h>

#include "report/report.h"
#include "text/buf.h"

#define LINE_MAX_BYTES ((size_t)8192)

/* The level that an event is logged at. */
enum report_level line_level(const struct report_event *e);

/* `2026-11-23T08:31:02.114Z INFO Downloading model=... file=... 42% 1.9 of 4.7 GB ...` */
void line_text(struct buf *b, const struct report_event *e, uint64_t unix_ms);

/* {"ts","level","event","model", the event's own fields} */
void line_json_log(struct buf *b, const struct report_event *e, uint64_t unix_ms);

/* {"ts","event","model", the event's own fields} */
void line_json_event(struct buf *b, const struct report_event *e, uint64_t unix_ms);

/* `hostler: what, where, why` and `hint: the way out`: two lines, the second where there is one. */
void line_error(struct buf *b, const struct err *err);

/* "42% 1.9 of 4.7 GB"; and " 310 MB/s eta 9s", nothing where the speed is not known. */
void line_put_share(struct buf *b, uint64_t bytes, uint64_t total);
void line_put_speed(struct buf *b, uint64_t bytes, uint64_t total, uint64_t bps);

/* Seconds until the rest is there at this speed, rounded up; UINT64_MAX: not known. */
uint64_t line_eta_s(uint64_t bytes, uint64_t total, uint64_t bps);

#endif
