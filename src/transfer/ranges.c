#include "transfer/ranges.h"

#include <assert.h>
#include <string.h>

static void gaps_erase(struct ranges *r, size_t i)
{
    r->gaps.len--;
    if (i < r->gaps.len)
        memmove(&r->gaps.at[i], &r->gaps.at[i + 1], (r->gaps.len - i) * sizeof(r->gaps.at[0]));
}

static void gaps_insert(struct ranges *r, size_t i, struct ranges_span span)
{
    size_t behind = r->gaps.len - i;

    vec_push(r->arena, &r->gaps, span);
    if (behind > 0) {
        memmove(&r->gaps.at[i + 1], &r->gaps.at[i], behind * sizeof(r->gaps.at[0]));
        r->gaps.at[i] = span;
    }
}

static void init_gap(struct ranges *r, uint64_t start, uint64_t end)
{
    if (start == end)
        return;
    vec_push(r->arena, &r->gaps, ((struct ranges_span){start, end}));
    r->missing += end - start;
}

void ranges_init(struct ranges *r, struct arena *a, uint64_t size, struct journal_claims claims)
{
    uint64_t at = 0;
    size_t kept = 0;

    *r = (struct ranges){.arena = a, .size = size, .claims = claims};
    for (size_t i = 0; i < claims.len; i++) {
        struct journal_range c = claims.at[i];

        if (c.len == 0 || c.offset < at || c.offset >= size || c.len > size - c.offset)
            continue;
        init_gap(r, at, c.offset);
        at = c.offset + c.len;
        r->staged += c.len;
        claims.at[kept++] = c;
    }
    r->claims.len = kept;
    init_gap(r, at, size);
}

void ranges_reset(struct ranges *r)
{
    r->gaps.len = 0;
    r->records.len = r->first_record = 0;
    r->claims.len = r->first_claim = 0;
    r->hashed = r->missing = r->staged = 0;
    init_gap(r, 0, r->size);
}

static void take(struct ranges *r, size_t i, struct ranges_span part)
{
    struct ranges_span *gap = &r->gaps.at[i];

    assert(part.start >= gap->start && part.start < part.end && part.end <= gap->end);
    r->missing -= part.end - part.start;
    if (part.start > gap->start && part.end < gap->end) {
        struct ranges_span rest = {part.end, gap->end};

        gap->end = part.start;
        gaps_insert(r, i + 1, rest);
    } else if (part.start > gap->start) {
        gap->end = part.start;
    } else if (part.end < gap->end) {
        gap->start = part.end;
    } else {
        gaps_erase(r, i);
    }
}

bool ranges_take(struct ranges *r, uint64_t want, struct ranges_span *out)
{
    struct ranges_span part;

    if (r->gaps.len == 0 || want == 0)
        return false;
    part = r->gaps.at[0];
    if (part.end - part.start > want)
        part.end = part.start + want;
    take(r, 0, part);
    *out = part;
    return true;
}

bool ranges_take_from(struct ranges *r, uint64_t from, struct ranges_span *out)
{
    for (size_t i = 0; i < r->gaps.len; i++) {
        struct ranges_span part = r->gaps.at[i];

        if (part.end <= from)
            continue;
        if (part.start < from)
            part.start = from;
        take(r, i, part);
        *out = part;
        return true;
    }
    return false;
}

void ranges_give(struct ranges *r, struct ranges_span span)
{
    size_t i = 0;

    if (span.start >= span.end)
        return;
    r->missing += span.end - span.start;
    while (i < r->gaps.len && r->gaps.at[i].end < span.start)
        i++;
    if (i < r->gaps.len && r->gaps.at[i].end == span.start) {
        r->gaps.at[i].end = span.end;
        if (i + 1 < r->gaps.len && r->gaps.at[i + 1].start == span.end) {
            r->gaps.at[i].end = r->gaps.at[i + 1].end;
            gaps_erase(r, i + 1);
        }
    } else if (i < r->gaps.len && r->gaps.at[i].start == span.end) {
        r->gaps.at[i].start = span.start;
    } else {
        assert(i == r->gaps.len || r->gaps.at[i].start > span.end);
        gaps_insert(r, i, span);
    }
}

void ranges_written(struct ranges *r, uint64_t len)
{
    r->staged += len;
}

void ranges_stage(struct ranges *r, struct journal_range record)
{
    size_t i;

    if (r->first_record > 64 && r->first_record > r->records.len / 2) {
        r->records.len -= r->first_record;
        memmove(r->records.at, r->records.at + r->first_record, r->records.len * sizeof(record));
        r->first_record = 0;
    }
    vec_push(r->arena, &r->records, record);
    for (i = r->records.len - 1; i > r->first_record && r->records.at[i - 1].offset > record.offset;
         i--)
        r->records.at[i] = r->records.at[i - 1];
    r->records.at[i] = record;
}

static const struct journal_range *front(const struct ranges *r)
{
    if (r->first_record < r->records.len && r->records.at[r->first_record].offset == r->hashed)
        return &r->records.at[r->first_record];
    if (r->first_claim < r->claims.len && r->claims.at[r->first_claim].offset == r->hashed)
        return &r->claims.at[r->first_claim];
    return NULL;
}

bool ranges_readable(const struct ranges *r, struct journal_range *out)
{
    const struct journal_range *record = front(r);

    if (record != NULL)
        *out = *record;
    return record != NULL;
}

static void drop_front(struct ranges *r)
{
    if (r->first_claim < r->claims.len && front(r) == &r->claims.at[r->first_claim])
        r->first_claim++;
    else
        r->first_record++;
}

void ranges_reject(struct ranges *r)
{
    const struct journal_range *record = front(r);
    struct ranges_span span;

    assert(record != NULL);
    span = (struct ranges_span){record->offset, record->offset + record->len};
    drop_front(r);
    r->staged -= span.end - span.start;
    ranges_give(r, span);
}

void ranges_hash(struct ranges *r, uint64_t len)
{
    const struct journal_range *record = front(r);

    assert(len <= r->size - r->hashed);
    if (record != NULL) {
        assert(record->len == len);
        drop_front(r);
    }
    r->hashed += len;
}
