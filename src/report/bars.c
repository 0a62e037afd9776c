#include "report/bars.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "report/escape.h"
#include "report/line.h"
#include "text/utf8.h"

#define FRAME_MS    100
#define MODELS_MAX  32
#define PARTS_MAX   16
#define LINES_MAX   20
#define BAR_NAME    200
#define COLUMNS_MIN 20
#define BAR_WIDTH   20

struct bar {
    char name[BAR_NAME]; /* escaped */
    uint64_t bytes;
    uint64_t total;
};

/* One model at work: its total and the files that move. */
struct group {
    bool used;
    bool waiting;
    char holder[BAR_NAME];
    struct bar sum;
    uint64_t bps;
    struct bar parts[PARTS_MAX];
    size_t part_count;
    size_t more; /* parts at work beyond those */
};

struct bars {
    const struct clock *clock;
    struct arena scratch;
    int fd;
    unsigned columns;
    struct group groups[MODELS_MAX];
    size_t widths[LINES_MAX]; /* of the lines that stand there now */
    size_t drawn;
    uint64_t drawn_ms;
};

struct bars *bars_new(struct arena *a, const struct clock *clock, int fd, unsigned columns)
{
    struct bars *b = arena_new(a, struct bars);

    b->clock = clock;
    b->fd = fd;
    b->columns = columns;
    return b;
}

/* The terminal's size as of now: it may have been changed since the last frame. */
static void measure(const struct bars *b, size_t *ret_columns, size_t *ret_rows)
{
    struct winsize size = {0};

    *ret_columns = 80;
    *ret_rows = 24;
    if (ioctl(b->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 1) {
        *ret_columns = size.ws_col;
        *ret_rows = size.ws_row;
    }
    if (b->columns > 0)
        *ret_columns = b->columns;
    if (*ret_columns < COLUMNS_MIN)
        *ret_columns = COLUMNS_MIN;
}

/* Columns that a character takes at most; too many is harmless, too few would wrap the line. */
static size_t char_width(uint32_t c)
{
    return c >= 0x1100 ? 2 : 1;
}

static size_t text_width(struct str s)
{
    size_t width = 0;

    while (s.len > 0) {
        uint32_t c = 0;
        size_t len = utf8_next(&c, s);

        width += len == 0 ? 1 : char_width(c);
        s.ptr += len == 0 ? 1 : len;
        s.len -= len == 0 ? 1 : len;
    }
    return width;
}

/* The escaped text, its last BAR_NAME bytes: the end of a path tells more than its start. */
static void set_name(struct bars *b, char out[static BAR_NAME], const char *text)
{
    struct buf escaped = buf_new(&b->scratch, 8192);
    struct str s;

    escape_text(&escaped, str_from(text != NULL ? text : ""));
    s = buf_str(&escaped);
    while (s.len >= BAR_NAME || (s.len > 0 && ((unsigned char)s.ptr[0] & 0xc0) == 0x80)) {
        s.ptr++;
        s.len--;
    }
    memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    arena_free(&b->scratch);
}

static struct group *group_of(struct bars *b, const char *model, bool make)
{
    char name[BAR_NAME];
    struct group *unused = NULL;

    set_name(b, name, model);
    for (size_t i = 0; i < MODELS_MAX; i++) {
        struct group *g = &b->groups[i];

        if (g->used && strcmp(g->sum.name, name) == 0)
            return g;
        if (!g->used && unused == NULL)
            unused = g;
    }
    if (!make || unused == NULL)
        return NULL;
    *unused = (struct group){.used = true};
    memcpy(unused->sum.name, name, sizeof(name));
    return unused;
}

static void note_parts(struct bars *b, struct group *g, const struct report_event *e)
{
    g->part_count = 0;
    g->more = 0;
    for (size_t i = 0; i < e->part_count; i++) {
        const struct report_part *part = &e->parts[i];
        struct bar *bar = &g->parts[g->part_count];

        if (part->done)
            continue;
        if (g->part_count == PARTS_MAX) {
            g->more++;
            continue;
        }
        set_name(b, bar->name, part->path);
        bar->bytes = part->bytes;
        bar->total = part->total;
        g->part_count++;
    }
}

static void note_progress(struct bars *b, const struct report_event *e)
{
    struct group *g = group_of(b, e->model, true);

    if (g == NULL)
        return;
    g->waiting = e->kind == REPORT_WAITING;
    g->bps = e->bps;
    if (e->kind == REPORT_START) {
        g->sum.bytes = e->present_bytes;
        g->sum.total = e->present_bytes + e->bytes;
    } else {
        g->sum.bytes = e->bytes;
        g->sum.total = e->total;
    }
    if (g->waiting)
        set_name(b, g->holder, e->holder);
    note_parts(b, g, e);
}

void bars_note(struct bars *b, const struct report_event *e)
{
    struct group *g;

    switch (e->kind) {
    case REPORT_START:
        /* Where it is not known how much comes, the first progress says it. */
        if (e->text == NULL)
            note_progress(b, e);
        break;
    case REPORT_PROGRESS:
    case REPORT_WAITING: note_progress(b, e); break;
    case REPORT_PUBLISHED:
    case REPORT_PRESENT:
    case REPORT_FAILED:
        g = group_of(b, e->model, false);
        if (g != NULL)
            g->used = false;
        break;
    case REPORT_DONE: memset(b->groups, 0, sizeof(b->groups)); break;
    case REPORT_NOTE:
    case REPORT_FILE:
    case REPORT_KINDS: break;
    }
}

/* Puts the cursor where the first of our lines begins; lines that a narrower terminal broke count
 * for as many as they became. */
static void put_home(const struct bars *b, struct buf *frame, size_t columns)
{
    size_t rows = 0;

    for (size_t i = 0; i < b->drawn; i++)
        rows += b->widths[i] == 0 ? 1 : (b->widths[i] + columns - 1) / columns;
    if (rows > 0)
        buf_addf(frame, "\r\x1b[%zuA", rows);
}

void bars_clear(struct bars *b, struct buf *frame)
{
    size_t columns;
    size_t rows;

    if (b->drawn == 0)
        return;
    measure(b, &columns, &rows);
    put_home(b, frame, columns);
    buf_addz(frame, "\x1b[J");
    b->drawn = 0;
}

/* name in exactly width columns: filled up, or its end after three points. */
static void put_name(struct buf *line, const char *name, size_t width)
{
    struct str s = str_from(name);
    size_t have = text_width(s);

    if (have > width) {
        buf_addz(line, "...");
        while (have > width - 3) {
            uint32_t c = 0;
            size_t len = utf8_next(&c, s);

            len = len == 0 ? 1 : len;
            have -= char_width(c);
            s.ptr += len;
            s.len -= len;
        }
        have += 3;
    }
    buf_add(line, s);
    buf_addf(line, "%*s", (int)(width - have), "");
}

static void put_bar(struct buf *line, uint64_t bytes, uint64_t total)
{
    size_t filled = bytes >= total
                        ? BAR_WIDTH
                        : (size_t)(__extension__((unsigned __int128)bytes) * BAR_WIDTH / total);

    buf_addc(line, '[');
    for (size_t i = 0; i < BAR_WIDTH; i++)
        buf_addc(line, i < filled ? '=' : i == filled ? '>' : ' ');
    buf_addc(line, ']');
}

/* What a frame is made with. */
struct frame {
    struct bars *bars;
    struct buf *out;
    size_t columns;
    size_t rows;  /* lines that may still be drawn */
    size_t count; /* lines drawn */
};

static void put_line(struct frame *f, struct str text)
{
    size_t width = 0;

    if (f->rows == 0)
        return;
    f->rows--;
    while (text.len > 0) {
        uint32_t c = 0;
        size_t len = utf8_next(&c, text);

        len = len == 0 ? 1 : len;
        if (width + char_width(c) > f->columns - 1)
            break;
        buf_add(f->out, (struct str){text.ptr, len});
        width += char_width(c);
        text.ptr += len;
        text.len -= len;
    }
    buf_addz(f->out, "\x1b[K\n");
    f->bars->widths[f->count++] = width;
}

/* With the percentage in three columns, so that what follows does not move. */
static void put_share(struct frame *f, struct buf *line, const struct bar *bar)
{
    struct buf share = buf_new(&f->bars->scratch, 100);

    line_put_share(&share, bar->bytes, bar->total);
    buf_addf(line, "%*s%s", (int)(3 - strcspn(share.ptr, "%")), "", share.ptr);
}

/* "name  [=====>     ]  42% 1.9 of 4.7 GB"; the bar goes where the terminal is narrow. */
static void put_part(struct frame *f, const struct bar *bar)
{
    struct buf line = buf_new(&f->bars->scratch, 4096);
    size_t left = f->columns - 1;
    size_t shares = sizeof(" 100% 1000 MB of 1000 MB") - 1;
    bool with_bar = left >= shares + BAR_WIDTH + 2 + 20;
    size_t fixed = 2 + shares + (with_bar ? BAR_WIDTH + 3 : 0);

    buf_addz(&line, "  ");
    if (left > fixed + 4)
        put_name(&line, bar->name, left - fixed > 48 ? 48 : left - fixed);
    if (with_bar) {
        buf_addc(&line, ' ');
        put_bar(&line, bar->bytes, bar->total);
    }
    buf_addc(&line, ' ');
    put_share(f, &line, bar);
    put_line(f, buf_str(&line));
}

static void put_sum(struct frame *f, const struct group *g)
{
    struct buf line = buf_new(&f->bars->scratch, 4096);
    struct buf tail = buf_new(&f->bars->scratch, 1024);
    size_t left;

    if (g->waiting) {
        buf_addf(&tail, " waits for %s", g->holder);
        if (g->sum.total > 0)
            buf_addz(&tail, ", which has ");
    } else {
        buf_addc(&tail, ' ');
    }
    if (!g->waiting || g->sum.total > 0) {
        line_put_share(&tail, g->sum.bytes, g->sum.total);
        line_put_speed(&tail, g->sum.bytes, g->sum.total, g->bps);
    }
    left = f->columns - 1;
    if (left > text_width(buf_str(&tail)) + 8) {
        size_t have = text_width(str_from(g->sum.name));
        size_t room = left - text_width(buf_str(&tail));

        put_name(&line, g->sum.name, have < room ? have : room);
    }
    buf_add(&line, buf_str(&tail));
    put_line(f, buf_str(&line));
}

static void put_group(struct frame *f, const struct group *g, size_t parts)
{
    size_t shown = g->part_count < parts ? g->part_count : parts;
    size_t more = g->more + (g->part_count - shown);
    char text[64];

    for (size_t i = 0; i < shown; i++)
        put_part(f, &g->parts[i]);
    if (more > 0) {
        (void)snprintf(text, sizeof(text), "  and %zu more", more);
        put_line(f, str_from(text));
    }
    put_sum(f, g);
}

/* How many file lines each model may have, so that all of them fit: two lines are its own. */
static size_t parts_each(const struct bars *b, size_t rows)
{
    size_t groups = 0;

    for (size_t i = 0; i < MODELS_MAX; i++)
        groups += b->groups[i].used;
    return groups == 0 || rows / groups <= 2 ? 0 : rows / groups - 2;
}

void bars_draw(struct bars *b, struct buf *frame)
{
    uint64_t now_ms = clock_now_ms(b->clock);
    struct frame f = {.bars = b, .out = frame};
    size_t parts;

    if (b->drawn > 0 && now_ms - b->drawn_ms < FRAME_MS)
        return;
    measure(b, &f.columns, &f.rows);
    f.rows = f.rows - 1 < LINES_MAX ? f.rows - 1 : LINES_MAX;
    parts = parts_each(b, f.rows);
    put_home(b, frame, f.columns);
    for (size_t i = 0; i < MODELS_MAX; i++) {
        if (b->groups[i].used)
            put_group(&f, &b->groups[i], parts);
    }
    if (f.count > 0 || b->drawn > 0)
        buf_addz(frame, "\x1b[J");
    b->drawn = f.count;
    b->drawn_ms = now_ms;
    arena_free(&b->scratch);
}
