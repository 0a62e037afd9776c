#include "cmd/fleet_rows.h"

#include "report/escape.h"
#include "report/line.h"
#include "text/num.h"

#define COLUMN_MAX 40

const char *fleet_rows_text(struct arena *a, const char *text)
{
    struct buf b = buf_new(a, 8 * FLEET_MODEL_MAX);

    escape_text(&b, str_from(text[0] != '\0' ? text : "-"));
    return b.ptr;
}

/* "downloading 42% 1.9 of 4.7 GB 310 MB/s eta 9s", "failed: why". */
static const char *state_text(struct arena *a, const struct fleet_listed *l)
{
    const struct fleet_progress *p = &l->record.progress;
    struct buf b = buf_new(a, 8 * FLEET_REASON_MAX);

    buf_addz(&b, fleet_listed_state(l));
    if (!l->lost && l->record.state == FLEET_DOWNLOADING && p->total > 0) {
        buf_addc(&b, ' ');
        line_put_share(&b, p->bytes, p->total);
        line_put_speed(&b, p->bytes, p->total, p->bps);
    }
    if (l->record.reason[0] != '\0')
        buf_addf(&b, ": %s", fleet_rows_text(a, l->record.reason));
    return b.ptr;
}

static const char *models_text(struct arena *a, const struct fleet_record *r)
{
    struct buf b = buf_new(a, FLEET_MESSAGE_MAX);

    for (size_t i = 0; i < r->model_count; i++)
        buf_addf(&b, "%s%s", i > 0 ? ", " : "", fleet_rows_text(a, r->models[i].name));
    return b.len > 0 ? b.ptr : "-";
}

struct row {
    const char *cells[FLEET_COLUMNS];
};

static struct row row_of(struct arena *a, const struct fleet_listed *l)
{
    char *beat = arena_array(a, char, NUM_TEXT);

    return (struct row){{fleet_rows_text(a, l->record.id), fleet_rows_text(a, l->record.type),
                         fleet_rows_text(a, l->record.host),
                         num_format_duration(beat, l->last_beat_s * 1000), state_text(a, l),
                         models_text(a, &l->record)}};
}

static int widen(int width, const char *text)
{
    size_t len = strlen(text);

    return len > (size_t)width ? (int)(len < COLUMN_MAX ? len : COLUMN_MAX) : width;
}

static void put_row(const struct fleet_rows *rows, struct buf *out, const struct row *row)
{
    for (size_t c = 0; c < FLEET_COLUMNS; c++)
        buf_addf(out, "%-*s%s", rows->width[c], row->cells[c], c + 1 < FLEET_COLUMNS ? "  " : "\n");
}

/* The last column has nothing behind it that would have to stand in line. */
static void make_room(struct fleet_rows *rows, const struct row *row)
{
    for (size_t c = 0; c + 1 < FLEET_COLUMNS; c++)
        rows->width[c] = widen(rows->width[c], row->cells[c]);
}

void fleet_rows_put(struct fleet_rows *rows, struct buf *out, struct arena *a,
                    const struct fleet_listed *all, size_t count, bool named)
{
    struct row *made = arena_array(a, struct row, count + 1);

    made[0] = (struct row){{"WORKER", "TYPE", "HOST", "BEAT", "STATE", "MODELS"}};
    for (size_t i = 0; i < count; i++)
        made[i + 1] = row_of(a, &all[i]);
    for (size_t i = named ? 0 : 1; i <= count; i++)
        make_room(rows, &made[i]);
    for (size_t i = named ? 0 : 1; i <= count; i++)
        put_row(rows, out, &made[i]);
}

void fleet_rows_put_gone(struct fleet_rows *rows, struct buf *out, struct arena *a, const char *id)
{
    struct row row = {{fleet_rows_text(a, id), "-", "-", "-", "forgotten", "-"}};

    make_room(rows, &row);
    put_row(rows, out, &row);
}
