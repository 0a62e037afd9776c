/*
 * The first line is a pattern, the rest a path. The matcher must agree with a plain one that works
 * by recursion over a table of what is known, on inputs without sets; and it must come to an end.
 */
#include "text/glob.h"

#include <stdlib.h>

#include "text/utf8.h"

#define LENGTH_MAX ((size_t)512)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* row[j]: whether the pattern so far matches the first j bytes. ASCII without sets only. */
static bool match_by_table(struct str pattern, struct str path)
{
    static bool row[LENGTH_MAX + 1];

    for (size_t j = 0; j <= path.len; j++)
        row[j] = j == 0;
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i] == '\\' ? '/' : pattern.ptr[i];
        bool before = row[0];

        row[0] = row[0] && c == '*';
        for (size_t j = 1; j <= path.len; j++) {
            bool here = row[j];

            if (c == '*')
                row[j] = row[j] || row[j - 1];
            else
                row[j] = before && (c == '?' || c == path.ptr[j - 1]);
            before = here;
        }
    }
    return row[path.len];
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '[' || (unsigned char)s.ptr[i] >= 0x80)
            return false;
    }
    return s.len == 0 || (s.ptr[s.len - 1] != '/' && s.ptr[s.len - 1] != '\\');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str path = {(const char *)data, size};
    struct str pattern;
    bool matches;

    (void)str_cut(&path, '\n', &pattern);
    if (pattern.len > LENGTH_MAX || path.len > LENGTH_MAX)
        return 0;
    matches = glob_match(pattern, path);
    if (is_plain(pattern) && is_plain((struct str){path.ptr, path.len}) &&
        matches != match_by_table(pattern, path))
        abort();
    return 0;
}
