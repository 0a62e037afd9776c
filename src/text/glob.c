#include "text/glob.h"

#include <stddef.h>
#include <stdint.h>

#include "text/utf8.h"

/* Bytes that are no UTF-8 stand for themselves, beyond all code points. */
#define RAW_BYTE 0x110000U

/* Takes the character at the start of *s off it. */
static uint32_t take(struct str *s)
{
    uint32_t code;
    size_t len = utf8_next(&code, *s);

    if (len == 0) {
        code = RAW_BYTE + (unsigned char)s->ptr[0];
        len = 1;
    }
    s->ptr += len;
    s->len -= len;
    return code;
}

static uint32_t take_pattern(struct str *s)
{
    uint32_t code = take(s);

    return code == '\\' ? '/' : code;
}

/* What is between the brackets of a set; pattern stands after the `[`. False if there is no end. */
static bool set_body(struct str *body, struct str *pattern)
{
    size_t i = 0;

    if (i < pattern->len && pattern->ptr[i] == '!')
        i++;
    if (i < pattern->len && pattern->ptr[i] == ']')
        i++;
    while (i < pattern->len && pattern->ptr[i] != ']')
        i++;
    if (i >= pattern->len)
        return false;
    *body = (struct str){pattern->ptr, i};
    *pattern = (struct str){pattern->ptr + i + 1, pattern->len - i - 1};
    return true;
}

/* A range whose ends are in the wrong order holds nothing, as in Python. */
static bool set_has(struct str body, uint32_t c)
{
    bool negated = body.len > 0 && body.ptr[0] == '!';
    bool found = false;

    if (negated)
        body = (struct str){body.ptr + 1, body.len - 1};
    while (body.len > 0) {
        uint32_t low = take_pattern(&body);
        uint32_t high = low;

        if (body.len > 1 && body.ptr[0] == '-') {
            body = (struct str){body.ptr + 1, body.len - 1};
            high = take_pattern(&body);
        }
        found = found || (low <= c && c <= high);
    }
    return found != negated;
}

/* Whether the pattern's next element, no star, takes c; the element is taken off the pattern. */
static bool element_takes(struct str *pattern, uint32_t c)
{
    uint32_t element = take_pattern(pattern);
    struct str body;

    if (element == '?')
        return true;
    if (element == '[' && set_body(&body, pattern))
        return set_has(body, c);
    return element == c;
}

static bool is_only_stars(struct str pattern)
{
    size_t i = 0;

    while (i < pattern.len && pattern.ptr[i] == '*')
        i++;
    return i == pattern.len;
}

/*
 * A star first takes nothing; when the rest fails, the last star takes one character more. Earlier
 * stars need no second try: what they could give up the last one can take. So the time is bounded
 * by the product of the lengths.
 */
static bool match(struct str pattern, struct str path, bool open_end)
{
    struct str star_pattern = {0};
    struct str star_path = {0};
    bool has_star = false;

    for (;;) {
        if (pattern.len > 0 && pattern.ptr[0] == '*') {
            pattern = (struct str){pattern.ptr + 1, pattern.len - 1};
            star_pattern = pattern;
            star_path = path;
            has_star = true;
            continue;
        }
        if (pattern.len == 0 && (open_end || path.len == 0))
            return true;
        if (path.len == 0)
            return is_only_stars(pattern);
        if (pattern.len > 0 && element_takes(&pattern, take(&path)))
            continue;
        if (!has_star || star_path.len == 0)
            return false;
        (void)take(&star_path);
        path = star_path;
        pattern = star_pattern;
    }
}

bool glob_match(struct str pattern, struct str path)
{
    return match(pattern, path, str_ends(pattern, STR("/")) || str_ends(pattern, STR("\\")));
}
