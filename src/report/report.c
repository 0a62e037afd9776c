#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/bars.h"
#include "report/line.h"
#include "report/sink.h"
#include "text/num.h"
#include "text/vec.h"

/* A progress line of one model comes no more often than this. */
#define LOG_PROGRESS_MS   5000
#define EVENT_PROGRESS_MS 500
#define NOTE_MAX          2048
#define JSON_LINE_MAX     ((size_t)256 << 10)

/* When a model's progress was last told, so that it is not told too often. */
struct told {
    const char *model;
    enum report_kind kind; /* of the last */
    bool logged;
    bool evented;
    uint64_t log_ms;
    uint64_t event_ms;
};

struct report {
    struct report_options options;
    struct arena *arena;
    struct arena scratch;
    struct sink out;
    struct sink err;
    struct sink file;
    struct sink events;
    struct bars *bars; /* NULL: none */
    VEC(struct told) told;
    report_watch *watch; /* NULL: nobody */
    void *watch_ctx;
};

static bool wants_bars(const struct report_options *o, const struct sink *err)
{
    const char *term = getenv("TERM");

    if (o->quiet || o->json_log)
        return false;
    if (o->progress == REPORT_PROGRESS_AUTO)
        return err->terminal && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
    return o->progress == REPORT_PROGRESS_BAR;
}

static void open_log_file(struct report *r)
{
    char reason[128];

    r->file = sink_open(r->options.log_file);
    if (r->file.fd < 0 && r->options.log_file_named)
        report_note(r, REPORT_WARN, "log-file", NULL, "LOG_FILE %s cannot be written: %s",
                    r->options.log_file, strerror_r(errno, reason, sizeof(reason)));
}

/* A descriptor that CMD shall not have, too. */
static struct sink events_fd(const char *number)
{
    struct err ignored;
    uint64_t fd;

    if (num_parse_u64(&fd, str_from(number), INT_MAX, &ignored) < 0 ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return sink_of(-1);
    return sink_of((int)fd);
}

static void open_events(struct report *r)
{
    const char *where = r->options.events;
    char reason[128];

    errno = EBADF;
    r->events = strncmp(where, "fd:", 3) == 0 ? events_fd(where + 3) : sink_open(where);
    if (r->events.fd < 0)
        report_note(r, REPORT_WARN, "events", NULL, "--events %s cannot be written: %s", where,
                    strerror_r(errno, reason, sizeof(reason)));
}

struct report *report_new(struct arena *a, const struct report_options *options)
{
    struct report *r = arena_new(a, struct report);

    r->options = *options;
    r->arena = a;
    r->out = sink_of(options->out_fd);
    r->err = sink_of(options->err_fd);
    r->file = r->events = sink_of(-1);
    if (wants_bars(options, &r->err))
        r->bars = bars_new(a, options->clock, options->err_fd, options->columns);
    if (options->log_file != NULL)
        open_log_file(r);
    if (options->events != NULL)
        open_events(r);
    return r;
}

static struct told *told_of(struct report *r, const char *model)
{
    const char *name = model != NULL ? model : "";
    struct told fresh = {0};

    for (size_t i = 0; i < r->told.len; i++) {
        if (strcmp(r->told.at[i].model, name) == 0)
            return &r->told.at[i];
    }
    fresh.model = str_dup(r->arena, str_from(name));
    vec_push(r->arena, &r->told, fresh);
    return &r->told.at[r->told.len - 1];
}

/* True if so much time went by since the last time that it said true. */
static bool is_due(bool *before, uint64_t *last_ms, uint64_t now_ms, uint64_t every_ms)
{
    if (*before && now_ms - *last_ms < every_ms)
        return false;
    *before = true;
    *last_ms = now_ms;
    return true;
}

static bool is_repeated(enum report_kind kind)
{
    return kind == REPORT_PROGRESS || kind == REPORT_WAITING;
}

/* From progress to waiting, and back: that is said at once, however lately the other was. */
static void note_turn(struct report *r, const struct report_event *e)
{
    struct told *told = told_of(r, e->model);

    if (told->kind != e->kind)
        told->logged = told->evented = false;
    told->kind = e->kind;
}

/* The stream that log lines go to. */
static struct sink *log_sink(struct report *r)
{
    return r->options.log_to_stdout && !r->options.json_events ? &r->out : &r->err;
}

/* What the bars show already is not said again in lines among them. */
static bool bars_say_it(const struct report *r, const struct sink *log,
                        const struct report_event *e)
{
    bool sized = e->kind == REPORT_START && e->text == NULL;

    return r->bars != NULL && log->terminal &&
           (is_repeated(e->kind) || sized || e->kind == REPORT_FILE);
}

static bool is_debugged(const struct report_options *o, const struct report_event *e)
{
    const char *domain = e->kind == REPORT_NOTE && e->event != NULL ? e->event : "";

    for (size_t i = 0; o->debug != NULL && o->debug[i] != NULL; i++) {
        size_t len = strlen(o->debug[i]);

        if (strcmp(o->debug[i], "all") == 0 ||
            (strncmp(domain, o->debug[i], len) == 0 && (domain[len] == '\0' || domain[len] == '-')))
            return true;
    }
    return false;
}

static bool is_loud_enough(const struct report *r, const struct report_event *e)
{
    return line_level(e) >= r->options.level || is_debugged(&r->options, e);
}

/* What goes to the log's stream; an error is shown there by write_error() where people look. */
static bool is_for_stream(struct report *r, const struct report_event *e)
{
    if (r->options.quiet && line_level(e) < REPORT_ERROR)
        return false;
    if (e->kind == REPORT_PROGRESS && r->options.progress == REPORT_PROGRESS_NONE)
        return false;
    if (e->kind == REPORT_FAILED && log_sink(r) == &r->err && !r->options.json_log)
        return false;
    return !bars_say_it(r, log_sink(r), e);
}

static struct str log_line(struct report *r, const struct report_event *e, uint64_t unix_ms)
{
    struct buf b = buf_new(&r->scratch, r->options.json_log ? JSON_LINE_MAX : LINE_MAX_BYTES);

    if (r->options.json_log)
        line_json_log(&b, e, unix_ms);
    else
        line_text(&b, e, unix_ms);
    return buf_str(&b);
}

/* A line on a stream that may be the terminal with the bars: they make room for it. */
static void write_beside_bars(struct report *r, struct sink *s, struct str text)
{
    struct buf frame;

    if (r->bars == NULL || !s->terminal) {
        sink_write(s, text);
        return;
    }
    frame = buf_new(&r->scratch, BARS_FRAME_MAX);
    bars_clear(r->bars, &frame);
    if (s == &r->err) {
        buf_add(&frame, text);
        sink_write(&r->err, buf_str(&frame));
        return;
    }
    sink_write(&r->err, buf_str(&frame));
    sink_write(s, text);
}

static void write_log(struct report *r, const struct report_event *e, uint64_t unix_ms)
{
    struct told *told = is_repeated(e->kind) ? told_of(r, e->model) : NULL;
    struct str line;

    if (!is_loud_enough(r, e))
        return;
    if (told != NULL &&
        !is_due(&told->logged, &told->log_ms, clock_now_ms(r->options.clock), LOG_PROGRESS_MS))
        return;
    line = log_line(r, e, unix_ms);
    if (is_for_stream(r, e))
        write_beside_bars(r, log_sink(r), line);
    sink_write(&r->file, line);
}

/* Two lines for whoever sits before it. */
static void write_error(struct report *r, const struct err *err)
{
    struct buf b = buf_new(&r->scratch, LINE_MAX_BYTES);

    line_error(&b, err);
    if (!r->options.json_log)
        write_beside_bars(r, &r->err, buf_str(&b));
    if (r->options.termination_log != NULL) {
        int flags = O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
        struct sink s = sink_of(open(r->options.termination_log, flags));

        s.owned = true;
        sink_write(&s, buf_str(&b));
        sink_close(&s);
    }
}

static void write_event(struct report *r, const struct report_event *e, uint64_t unix_ms)
{
    struct told *told = is_repeated(e->kind) ? told_of(r, e->model) : NULL;
    struct buf b;

    if (e->kind == REPORT_NOTE && !is_loud_enough(r, e))
        return;
    if (told != NULL &&
        !is_due(&told->evented, &told->event_ms, clock_now_ms(r->options.clock), EVENT_PROGRESS_MS))
        return;
    b = buf_new(&r->scratch, JSON_LINE_MAX);
    line_json_event(&b, e, unix_ms);
    if (r->options.json_events)
        write_beside_bars(r, &r->out, buf_str(&b));
    sink_write(&r->events, buf_str(&b));
}

void report_emit(struct report *r, const struct report_event *event)
{
    uint64_t unix_ms = clock_unix_ms(r->options.clock);
    struct buf frame;

    /* First: what it emits in turn needs the scratch memory of this report for itself. */
    if (r->watch != NULL)
        r->watch(r->watch_ctx, event);
    if (r->bars != NULL)
        bars_note(r->bars, event);
    if (is_repeated(event->kind))
        note_turn(r, event);
    write_log(r, event, unix_ms);
    if (event->kind == REPORT_FAILED)
        write_error(r, event->err);
    if (r->options.json_events || r->events.fd >= 0)
        write_event(r, event, unix_ms);
    if (r->bars != NULL) {
        frame = buf_new(&r->scratch, BARS_FRAME_MAX);
        bars_draw(r->bars, &frame);
        sink_write(&r->err, buf_str(&frame));
    }
    arena_free(&r->scratch);
}

void report_set_watch(struct report *r, report_watch *watch, void *ctx)
{
    r->watch = watch;
    r->watch_ctx = ctx;
}

void report_pause(struct report *r)
{
    struct buf frame;

    if (r->bars == NULL)
        return;
    frame = buf_new(&r->scratch, BARS_FRAME_MAX);
    bars_clear(r->bars, &frame);
    sink_write(&r->err, buf_str(&frame));
    arena_free(&r->scratch);
}

int report_check(const struct report *r, struct err *err)
{
    if (!r->options.json_events || r->out.lost == 0)
        return 0;
    errno = r->out.lost;
    (void)err_sys(err, ERR_USAGE, "events were lost: writing to stdout");
    return err_hint(err, "send the output where it can be written; the work itself was done");
}

void report_free(struct report **r)
{
    if (*r == NULL)
        return;
    report_pause(*r);
    sink_close(&(*r)->file);
    sink_close(&(*r)->events);
    arena_free(&(*r)->scratch);
    *r = NULL;
}

void report_note(struct report *r, enum report_level level, const char *event, const char *model,
                 const char *fmt, ...)
{
    char text[NOTE_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    report_emit(
        r, &(struct report_event){
               .kind = REPORT_NOTE, .level = level, .event = event, .model = model, .text = text});
}
