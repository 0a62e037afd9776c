#include "transfer/content_range.h"

#include "text/num.h"

static bool number(uint64_t *out, struct str s)
{
    struct err err;

    return num_parse_u64(out, s, INT64_MAX - 1, &err) == 0;
}

static bool span(struct content_range *out, struct str text)
{
    struct str first;
    uint64_t last;

    if (!str_cut(&text, '-', &first) || !number(&out->first, first) || !number(&last, text))
        return false;
    out->end = last + 1;
    out->has_range = true;
    return last >= out->first;
}

bool content_range_parse(struct content_range *out, struct str text)
{
    struct content_range r = {0};
    struct str unit;
    struct str range;

    text = str_trim(text);
    if (!str_cut(&text, ' ', &unit) || !str_eq_nocase(unit, STR("bytes")))
        return false;
    text = str_trim(text);
    if (!str_cut(&text, '/', &range))
        return false;
    if (!str_eqz(text, "*")) {
        if (!number(&r.total, text))
            return false;
        r.has_total = true;
    }
    if (!str_eqz(range, "*") && !span(&r, range))
        return false;
    if ((!r.has_range && !r.has_total) || (r.has_range && r.has_total && r.end > r.total))
        return false;
    *out = r;
    return true;
}
