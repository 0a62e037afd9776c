#include "store/carry.h"

#include <sys/stat.h>
#include <unistd.h>

#include "store/copy.h"
#include "sys/file.h"

#define RUN_BYTES ((uint64_t)64 << 20)

/* Do our own claims already speak of a part of this range? Then theirs is older. */
static bool is_covered(const struct journal_claims *own, const struct journal_range *range)
{
    size_t low = 0;
    size_t high = own->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (own->at[middle].offset + own->at[middle].len <= range->offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < own->len && own->at[low].offset < range->offset + range->len;
}

/* Copies the run of neighbouring claims [first, last) and claims it as our own. */
static int carry_run(struct staging *s, int from, const struct journal_range *first,
                     const struct journal_range *last, struct err *err)
{
    uint64_t start = first->offset;
    uint64_t end = last[-1].offset + last[-1].len;

    if (copy_range(s->fd, from, start, end - start, err) < 0)
        return err_wrap(err, "%s", s->part);
    for (const struct journal_range *range = first; range < last; range++) {
        if (journal_add(s->journal, *range, err) < 0)
            return -1;
    }
    return 0;
}

/* Where the run of neighbours that ends before end begins: what is copied in one go. */
static size_t run_start(const struct journal_claims *own, const struct journal_claims *theirs,
                        size_t end)
{
    const struct journal_range *at = theirs->at;
    size_t first = end - 1;

    while (first > 0 && at[first - 1].offset + at[first - 1].len == at[first].offset &&
           at[end - 1].offset - at[first - 1].offset < RUN_BYTES &&
           !is_covered(own, &at[first - 1]))
        first--;
    return first;
}

int carry_claims(struct staging *s, int from, bool cut, const struct journal_claims *theirs,
                 struct err *err)
{
    struct stat st;
    size_t end = theirs->len;

    if (fstat(from, &st) < 0)
        return file_err(err, "%s: cannot look at what an earlier run left", s->part);
    while (end > 0) {
        const struct journal_range *last = &theirs->at[end - 1];
        size_t first;

        if (last->offset + last->len > (uint64_t)st.st_size || is_covered(&s->claims, last)) {
            end--;
            continue;
        }
        first = run_start(&s->claims, theirs, end);
        if (cut && ftruncate(from, (off_t)(last->offset + last->len)) < 0)
            cut = false;
        if (carry_run(s, from, &theirs->at[first], &theirs->at[end], err) < 0)
            return -1;
        end = first;
    }
    return 0;
}
