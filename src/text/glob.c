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

/*
 * What is between the brackets of a set; pattern stands after the `[`. False if there is no end. No
 * set ends after sets_end, so that a row of open brackets is not searched again from each of them.
 */
static bool set_body(struct str *body, struct str *pattern, const char *sets_end)
{
    const char *at = pattern->ptr;

    if (at < sets_end && *at == '!')
        at++;
    if (at < sets_end && *at == ']')
        at++;
    while (at < sets_end && *at != ']')
        at++;
    if (at >= sets_end)
        return false;
    *body = (struct str){pattern->ptr, (size_t)(at - pattern->ptr)};
    *pattern = (struct str){at + 1, pattern->len - body->len - 1};
    return true;
}

/*
 * A range whose ends are in the wrong order holds nothing, as in Python. There a `!` after such a
 * range at the start of a set turns the whole set round, by an accident that is not copied.
 */
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
static bool element_takes(struct str *pattern, const char *sets_end, uint32_t c)
{
    uint32_t element = take_pattern(pattern);
    struct str body;

    if (element == '?')
        return true;
    if (element == '[' && set_body(&body, pattern, sets_end))
        return set_has(body, c);
    return element == c;
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
    const char *last = pattern.len == 0 ? NULL : memrchr(pattern.ptr, ']', pattern.len);
    const char *sets_end = last == NULL ? pattern.ptr : last + 1;

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
            return false;
        if (pattern.len > 0 && element_takes(&pattern, sets_end, take(&path)))
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
