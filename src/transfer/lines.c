#include "transfer/lines.h"

struct lines lines_new(struct arena *a, size_t limit)
{
    return (struct lines){.kept = buf_new(a, limit)};
}

void lines_add(struct lines *l, struct str piece)
{
    l->piece = piece;
}

void lines_end(struct lines *l)
{
    l->ended = true;
}

/* Moves what is before the next line's end to what is kept. False: the end has not come yet. */
static bool cut(struct lines *l)
{
    struct str head;
    bool whole;

    if (l->given)
        buf_truncate(&l->kept, 0);
    l->given = false;
    whole = str_cut(&l->piece, '\n', &head);
    buf_add(&l->kept, head);
    l->too_long = l->kept.cut;
    return !l->too_long && (whole || l->ended);
}

bool lines_next(struct lines *l, struct str *ret_line)
{
    while (!l->too_long && (l->piece.len > 0 || l->ended)) {
        struct str line;
        bool whole = cut(l);

        if (!whole)
            continue;
        line = buf_str(&l->kept);
        l->given = true;
        if (str_trim(line).len == 0) {
            if (l->piece.len == 0)
                return false;
            continue;
        }
        if (str_ends(line, STR("\r")))
            line.len--;
        l->count++;
        *ret_line = line;
        return true;
    }
    return false;
}
