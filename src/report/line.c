#include "report/line.h"

#include <inttypes.h>
#include <string.h>

#include "json/json.h"
#include "report/escape.h"
#include "text/num.h"

/* As many digits of a commit as people compare by eye. */
#define COMMIT_SHOWN 7

static const struct {
    const char *event; /* the name in JSON */
    const char *word;  /* what a line of text begins with */
    enum report_level level;
} kinds[REPORT_KINDS] = {
    [REPORT_NOTE] = {"note", NULL, REPORT_INFO},
    [REPORT_WAITING] = {"waiting", "Waiting", REPORT_INFO},
    [REPORT_START] = {"start", "Downloading", REPORT_INFO},
    [REPORT_PROGRESS] = {"progress", "Downloading", REPORT_INFO},
    [REPORT_FILE] = {"file", "Verified", REPORT_DEBUG},
    [REPORT_PUBLISHED] = {"published", "Published", REPORT_INFO},
    [REPORT_PRESENT] = {"present", "Complete", REPORT_INFO},
    [REPORT_DONE] = {"done", "Done", REPORT_INFO},
    [REPORT_FAILED] = {"error", NULL, REPORT_ERROR},
};

static const char *const level_texts[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const level_names[] = {"debug", "info", "warn", "error"};

enum report_level line_level(const struct report_event *e)
{
    return e->kind == REPORT_NOTE ? e->level : kinds[e->kind].level;
}

uint64_t line_eta_s(uint64_t bytes, uint64_t total, uint64_t bps)
{
    if (bps == 0)
        return UINT64_MAX;
    return bytes >= total ? 0 : (total - bytes) / bps + ((total - bytes) % bps != 0);
}

static unsigned percent(uint64_t bytes, uint64_t total)
{
    if (bytes >= total)
        return 100;
    return (unsigned)(__extension__((unsigned __int128)bytes) * 100 / total);
}

void line_put_share(struct buf *b, uint64_t bytes, uint64_t total)
{
    char have[NUM_TEXT];
    char all[NUM_TEXT];
    const char *unit;

    (void)num_format_size(all, total);
    (void)num_format_size(have, bytes);
    unit = strchr(all, ' ');
    /* "1.9 of 4.7 GB", but "300 MB of 4.7 GB". */
    if (unit != NULL && str_ends(str_from(have), str_from(unit)))
        have[strlen(have) - strlen(unit)] = '\0';
    buf_addf(b, "%u%% %s of %s", percent(bytes, total), have, all);
}

void line_put_speed(struct buf *b, uint64_t bytes, uint64_t total, uint64_t bps)
{
    char text[NUM_TEXT];
    uint64_t eta_s = line_eta_s(bytes, total, bps);

    if (bps == 0)
        return;
    buf_addf(b, " %s/s", num_format_size(text, bps));
    if (eta_s > 0 && eta_s <= UINT64_MAX / 1000)
        buf_addf(b, " eta %s", num_format_duration(text, eta_s * 1000));
}

static void put_pair(struct buf *b, const char *key, const char *value)
{
    if (value == NULL)
        return;
    buf_addf(b, " %s=", key);
    escape_value(b, str_from(value));
}

static void put_count(struct buf *b, uint64_t n, const char *noun)
{
    buf_addf(b, "%" PRIu64 " %s%s", n, noun, n == 1 ? "" : "s");
}

static void put_size(struct buf *b, uint64_t bytes)
{
    char text[NUM_TEXT];

    buf_addz(b, num_format_size(text, bytes));
}

static void text_start(struct buf *b, const struct report_event *e)
{
    buf_addc(b, ' ');
    if (e->text != NULL) {
        escape_text(b, str_from(e->text));
        return;
    }
    put_size(b, e->bytes);
    buf_addz(b, " in ");
    put_count(b, e->files, "file");
    if (e->present_bytes > 0) {
        buf_addz(b, ", ");
        put_size(b, e->present_bytes);
        buf_addz(b, " already here");
    }
}

/* The file that a progress line speaks of: the one named, or the only one at work. */
static const char *only_path(const struct report_event *e)
{
    const char *path = e->path;
    size_t busy = 0;

    for (size_t i = 0; e->path == NULL && i < e->part_count; i++) {
        if (!e->parts[i].done && busy++ == 0)
            path = e->parts[i].path;
    }
    return busy > 1 ? NULL : path;
}

static void text_progress(struct buf *b, const struct report_event *e)
{
    put_pair(b, "file", only_path(e));
    buf_addc(b, ' ');
    line_put_share(b, e->bytes, e->total);
    line_put_speed(b, e->bytes, e->total, e->bps);
}

static void text_waiting(struct buf *b, const struct report_event *e)
{
    put_pair(b, "holder", e->holder);
    if (e->total > 0) {
        buf_addc(b, ' ');
        line_put_share(b, e->bytes, e->total);
        line_put_speed(b, e->bytes, e->total, e->bps);
    }
}

static void text_file(struct buf *b, const struct report_event *e)
{
    put_pair(b, "file", e->path);
    buf_addc(b, ' ');
    put_size(b, e->bytes);
    put_pair(b, "digest", e->digest);
}

static struct str short_revision(const char *revision)
{
    struct str shown = str_from(revision);

    if (shown.len == 40 && strspn(revision, "0123456789abcdef") == 40)
        shown.len = COMMIT_SHOWN;
    return shown;
}

static void text_present(struct buf *b, const struct report_event *e)
{
    if (e->text == NULL && e->revision == NULL)
        return;
    buf_addc(b, ' ');
    if (e->text != NULL) {
        escape_text(b, str_from(e->text));
    } else {
        buf_addz(b, "revision ");
        escape_value(b, short_revision(e->revision));
    }
}

static void text_remark(struct buf *b, const struct report_event *e)
{
    if (e->text == NULL)
        return;
    buf_addc(b, ' ');
    escape_text(b, str_from(e->text));
}

static void text_done(struct buf *b, const struct report_event *e)
{
    char text[NUM_TEXT];

    buf_addc(b, ' ');
    if (e->total > e->models)
        buf_addf(b, "%" PRIu64 " of ", e->models);
    put_count(b, e->total > e->models ? e->total : e->models, "model");
    if (e->bytes == 0)
        buf_addz(b, ", nothing fetched");
    else
        buf_addf(b, ", %s fetched", num_format_size(text, e->bytes));
    if (e->duration_ms < 10000)
        buf_addf(b, " in %" PRIu64 ".%03" PRIu64 "s", e->duration_ms / 1000, e->duration_ms % 1000);
    else
        buf_addf(b, " in %s", num_format_duration(text, e->duration_ms));
    if (e->bytes > 0 && e->bytes <= UINT64_MAX / 1000)
        buf_addf(
            b, ", %s/s",
            num_format_size(text, e->bytes * 1000 / (e->duration_ms > 0 ? e->duration_ms : 1)));
}

static void text_failed(struct buf *b, const struct report_event *e)
{
    escape_text(b, str_from(e->err->msg));
    put_pair(b, "model", e->model);
    put_pair(b, "hint", err_hint_of(e->err));
}

static void text_note(struct buf *b, const struct report_event *e)
{
    escape_text(b, str_from(e->text != NULL ? e->text : ""));
    put_pair(b, "model", e->model);
}

static void text_body(struct buf *b, const struct report_event *e)
{
    switch (e->kind) {
    case REPORT_START: text_start(b, e); break;
    case REPORT_PROGRESS: text_progress(b, e); break;
    case REPORT_WAITING: text_waiting(b, e); break;
    case REPORT_FILE: text_file(b, e); break;
    case REPORT_PUBLISHED:
        put_pair(b, "path", e->path);
        put_pair(b, "revision", e->revision);
        text_remark(b, e);
        break;
    case REPORT_PRESENT: text_present(b, e); break;
    case REPORT_DONE: text_done(b, e); break;
    case REPORT_FAILED: text_failed(b, e); break;
    case REPORT_NOTE: text_note(b, e); break;
    case REPORT_KINDS: break;
    }
}

/* Ends the line, in its last byte too if it had to be cut. */
static void end_line(struct buf *b)
{
    if (b->len == b->limit)
        buf_truncate(b, b->limit - 1);
    buf_addc(b, '\n');
}

void line_text(struct buf *b, const struct report_event *e, uint64_t unix_ms)
{
    char ts[CLOCK_TEXT];

    buf_addf(b, "%s %s ", clock_format_unix_ms(ts, unix_ms), level_texts[line_level(e)]);
    if (kinds[e->kind].word != NULL) {
        buf_addz(b, kinds[e->kind].word);
        put_pair(b, "model", e->model);
    }
    text_body(b, e);
    end_line(b);
}

void line_error(struct buf *b, const struct err *err)
{
    const char *hint = err_hint_of(err);

    buf_addz(b, "hostler: ");
    escape_text(b, str_from(err->msg));
    buf_addc(b, '\n');
    if (hint != NULL) {
        buf_addz(b, "hint: ");
        escape_text(b, str_from(hint));
        buf_addc(b, '\n');
    }
}

static void json_text(struct buf *b, const char *key, const char *value)
{
    if (value != NULL)
        json_put_member(b, key, str_from(value));
}

static void json_progress(struct buf *b, const struct report_event *e)
{
    uint64_t eta_s = line_eta_s(e->bytes, e->total, e->bps);

    json_put_member_u64(b, "bytes", e->bytes);
    json_put_member_u64(b, "total", e->total);
    json_put_member_u64(b, "bps", e->bps);
    json_put_key(b, "eta_s");
    if (eta_s == UINT64_MAX)
        buf_addz(b, "null");
    else
        buf_addf(b, "%" PRIu64, eta_s);
}

static void json_waiting(struct buf *b, const struct report_event *e)
{
    json_text(b, "holder", e->holder);
    json_put_key(b, "progress");
    buf_addc(b, '{');
    json_put_member_u64(b, "bytes", e->bytes);
    json_put_member_u64(b, "total", e->total);
    json_put_member_u64(b, "bps", e->bps);
    buf_addc(b, '}');
}

static void json_done(struct buf *b, const struct report_event *e)
{
    json_put_member_u64(b, "models", e->models);
    json_put_member_u64(b, "bytes", e->bytes);
    json_put_key(b, "seconds");
    buf_addf(b, "%" PRIu64 ".%03" PRIu64, e->duration_ms / 1000, e->duration_ms % 1000);
}

static void json_failed(struct buf *b, const struct err *err)
{
    json_text(b, "code", err_info(err->code)->name);
    json_put_member_u64(b, "exit", (uint64_t)err_info(err->code)->exit_status);
    json_text(b, "message", err->msg);
    json_text(b, "hint", err_hint_of(err));
}

static void json_body(struct buf *b, const struct report_event *e)
{
    switch (e->kind) {
    case REPORT_START:
        json_put_member_u64(b, "bytes", e->bytes);
        json_put_member_u64(b, "files", e->files);
        json_put_member_u64(b, "bytes_present", e->present_bytes);
        json_text(b, "message", e->text);
        break;
    case REPORT_PROGRESS: json_progress(b, e); break;
    case REPORT_WAITING: json_waiting(b, e); break;
    case REPORT_FILE:
        json_text(b, "path", e->path);
        json_put_member_u64(b, "bytes", e->bytes);
        json_text(b, "digest", e->digest);
        break;
    case REPORT_PUBLISHED:
        json_text(b, "path", e->path);
        json_text(b, "revision", e->revision);
        json_text(b, "message", e->text);
        break;
    case REPORT_PRESENT:
        json_text(b, "revision", e->revision);
        json_put_member_u64(b, "bytes", e->bytes);
        json_put_member_u64(b, "files", e->files);
        json_text(b, "message", e->text);
        break;
    case REPORT_DONE: json_done(b, e); break;
    case REPORT_FAILED: json_failed(b, e->err); break;
    case REPORT_NOTE:
        json_text(b, "state", e->worker);
        json_text(b, "message", e->text);
        break;
    case REPORT_KINDS: break;
    }
}

static void json_line(struct buf *b, const struct report_event *e, uint64_t unix_ms, bool level)
{
    char ts[CLOCK_TEXT];
    bool named = e->kind == REPORT_NOTE && e->event != NULL;

    buf_addc(b, '{');
    json_text(b, "ts", clock_format_unix_ms(ts, unix_ms));
    if (level)
        json_text(b, "level", level_names[line_level(e)]);
    json_text(b, "event", named ? e->event : kinds[e->kind].event);
    json_text(b, "model", e->model);
    json_body(b, e);
    buf_addz(b, "}\n");
}

void line_json_log(struct buf *b, const struct report_event *e, uint64_t unix_ms)
{
    json_line(b, e, unix_ms, true);
}

void line_json_event(struct buf *b, const struct report_event *e, uint64_t unix_ms)
{
    /* What a note is for can only be told from its level. */
    json_line(b, e, unix_ms, e->kind == REPORT_NOTE);
}
