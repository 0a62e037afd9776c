#include "worker/engine_log.h"

#include <stdio.h>
#include <string.h>

#define GIB         ((uint64_t)1 << 30)
#define MIB         ((uint64_t)1 << 20)
#define COUNT       ((uint64_t)1)
#define NUMBER_MOST (UINT64_C(1) << 50)
#define ESCAPE      '\x1b'

static const struct {
    const char *text;
    size_t offset;
    uint64_t unit;
} figures[] = {
#define FIGURE(text, field, unit) {text, offsetof(struct engine_figures, field), unit},
#include "worker/engine_log.def"
#undef FIGURE
};

static const struct crash_row {
    const char *code, *text, *cause, *change;
} crashes[] = {
#define CRASH(code, text, cause, change) {code, text, cause, change},
#include "worker/engine_crash.def"
#undef CRASH
};

/* Behind the text, in which * stands for anything but an end of the line; ptr NULL: not there. */
static struct str behind(struct str line, const char *text)
{
    struct str parts = str_from(text);
    struct str part;
    bool more = true;

    while (more) {
        const char *at;

        more = str_cut(&parts, '*', &part);
        at = part.len == 0 ? line.ptr : memmem(line.ptr, line.len, part.ptr, part.len);
        if (at == NULL)
            return (struct str){NULL, 0};
        at += part.len;
        line = (struct str){at, line.len - (size_t)(at - line.ptr)};
    }
    return line;
}

/* "13,051" and "13.51" in a unit, to the nearest; false for what begins with no figure. */
static bool number(uint64_t *out, struct str text, uint64_t unit)
{
    uint64_t whole = 0, part = 0, scale = 1;
    size_t i = 0;

    for (; i < text.len &&
           ((text.ptr[i] >= '0' && text.ptr[i] <= '9') || (i > 0 && text.ptr[i] == ','));
         i++) {
        if (text.ptr[i] == ',')
            continue;
        whole = whole * 10 + (uint64_t)(text.ptr[i] - '0');
        if (whole > NUMBER_MOST)
            return false;
    }
    if (i == 0)
        return false;
    if (i + 1 < text.len && text.ptr[i] == '.') {
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && scale < 1000000;
             i++) {
            part = part * 10 + (uint64_t)(text.ptr[i] - '0');
            scale *= 10;
        }
    }
    if (whole > NUMBER_MOST / unit)
        return false;
    *out = whole * unit + (part * unit + scale / 2) / scale;
    return true;
}

/* ---- crashes ---- */

/* The two numbers behind the text, as they are written. */
struct found {
    struct str at[2];
};

static struct found numbers_in(struct str text)
{
    struct found found = {{{"?", 1}, {"?", 1}}};

    for (size_t n = 0, i = 0; n < 2 && i < text.len; n++) {
        size_t start;

        while (i < text.len && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            i++;
        start = i;
        while (i < text.len && ((text.ptr[i] >= '0' && text.ptr[i] <= '9') || text.ptr[i] == '.' ||
                                text.ptr[i] == ','))
            i++;
        while (i > start && (text.ptr[i - 1] == '.' || text.ptr[i - 1] == ','))
            i--;
        if (i > start)
            found.at[n] = (struct str){text.ptr + start, i - start};
        i++;
    }
    return found;
}

static void put(char out[static ENGINE_CAUSE], size_t *len, struct str text)
{
    size_t room = ENGINE_CAUSE - 1 - *len;
    size_t n = text.len < room ? text.len : room;

    memcpy(out + *len, text.ptr, n);
    *len += n;
    out[*len] = '\0';
}

static void put_share(char out[static ENGINE_CAUSE], size_t *len, const struct found *f)
{
    uint64_t part, all;
    char text[16];

    if (!number(&part, f->at[0], MIB) || !number(&all, f->at[1], MIB) || all == 0 || part > all) {
        put(out, len, STR("less"));
        return;
    }
    (void)snprintf(text, sizeof(text), "%u.%02u", (unsigned)(part * 100 / all / 100),
                   (unsigned)(part * 100 / all % 100));
    put(out, len, str_from(text));
}

static void fill(char out[static ENGINE_CAUSE], const char *form, const struct found *f)
{
    size_t len = 0;

    out[0] = '\0';
    for (; *form != '\0'; form++) {
        if (strncmp(form, "{a}", 3) == 0)
            put(out, &len, f->at[0]);
        else if (strncmp(form, "{b}", 3) == 0)
            put(out, &len, f->at[1]);
        else if (strncmp(form, "{u}", 3) == 0)
            put_share(out, &len, f);
        else {
            put(out, &len, (struct str){form, 1});
            continue;
        }
        form += 2;
    }
}

/* PyTorch says where it ran out only by when. */
static void say_when(struct engine_log *log)
{
    struct engine_crash *crash = &log->crash;

    if (strcmp(crash->code, "out-of-memory") != 0 || log->figures.loaded)
        return;
    (void)snprintf(crash->cause, sizeof(crash->cause),
                   "the GPU ran out of memory while the weights were loaded: they do not fit");
    (void)snprintf(crash->change, sizeof(crash->change),
                   "a quantised model, more GPUs, or end what else holds the GPU");
}

static void look_for_crash(struct engine_log *log, struct str line)
{
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]) && log->crash.code == NULL; i++) {
        struct str rest = behind(line, crashes[i].text);
        struct found found;

        if (rest.ptr == NULL)
            continue;
        /* "(F/T GiB) on startup. Desired ..." is told when all is well, too. */
        if (strcmp(crashes[i].code, "free-memory") == 0) {
            rest = behind(rest, "(");
            if (rest.ptr == NULL || behind(rest, "is less than desired").ptr == NULL)
                continue;
        }
        found = numbers_in(rest);
        log->crash.code = crashes[i].code;
        fill(log->crash.cause, crashes[i].cause, &found);
        fill(log->crash.change, crashes[i].change, &found);
        say_when(log);
    }
}

/* ---- lines ---- */

static bool is_version(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '+' || c == '-' || c == '_';
}

/* The first time that it is said counts: what clients send may stand in later lines. */
static void look_for_version(struct engine_log *log, struct str line)
{
    static const char *const before[] = {"vLLM API server version ", "LLM engine (v"};

    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]) && log->version[0] == '\0'; i++) {
        struct str rest = behind(line, before[i]);
        size_t len = 0;

        while (len < rest.len && len < ENGINE_VERSION - 1 && is_version(rest.ptr[len]))
            len++;
        if (len == 0)
            continue;
        memcpy(log->version, rest.ptr, len);
        log->version[len] = '\0';
    }
}

static void look_for_figures(struct engine_log *log, struct str line)
{
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        struct str rest = behind(line, figures[i].text);
        uint64_t n;

        if (rest.ptr != NULL && number(&n, str_trim(rest), figures[i].unit))
            memcpy((char *)&log->figures + figures[i].offset, &n, sizeof(n));
    }
    log->figures.loaded |= behind(line, "Model loading took").ptr != NULL;
}

/* Blanks of a row of them become one, and colours go: "KV buffer size =   512.00 MiB". */
static size_t clean(char *line, size_t len)
{
    size_t to = 0;

    for (size_t i = 0; i < len; i++) {
        if (line[i] == ESCAPE) {
            while (i + 1 < len && (line[i] < '@' || line[i] > 'Z' || line[i] == '[') &&
                   (line[i] < 'a' || line[i] > 'z'))
                i++;
            continue;
        }
        if (line[i] == '\t')
            line[i] = ' ';
        if (line[i] == ' ' && to > 0 && line[to - 1] == ' ')
            continue;
        line[to++] = line[i];
    }
    return to;
}

static void take_line(struct engine_log *log)
{
    struct str line = {log->line, clean(log->line, log->len)};

    log->len = 0;
    if (line.len == 0)
        return;
    look_for_version(log, line);
    look_for_figures(log, line);
    look_for_crash(log, line);
}

void engine_log_feed(struct engine_log *log, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];

        if (c == '\n' || c == '\r') {
            take_line(log);
            log->passing_over = false;
        } else if (log->len == ENGINE_LINE) {
            if (!log->passing_over)
                take_line(log);
            log->passing_over = true;
        } else if (!log->passing_over) {
            log->line[log->len++] = c;
        }
    }
}

void engine_log_end(struct engine_log *log)
{
    take_line(log);
}

uint64_t engine_working(const struct engine_figures *f)
{
    if (f->activation != 0)
        return f->activation + f->other + f->graphs;
    if (f->budget == 0 || f->weights == 0 || f->available == 0 ||
        f->budget <= f->weights + f->available)
        return 0;
    return f->budget - f->weights - f->available;
}
