#include "text/relpath.h"

#include <stdbool.h>
#include <stdio.h>

#include "text/utf8.h"

#define SEGMENT_MAX ((size_t)255)

/* No more of a bad path than this is quoted. */
#define QUOTE_MAX ((size_t)120)

static bool is_printable(char c)
{
    return (unsigned char)c >= 0x20 && c != 0x7f;
}

/* The start of path with everything that could confuse a terminal or a log as \xNN. */
static void quote(char *out, size_t size, struct str path)
{
    size_t len = 0;

    while (path.len > 0 && len + sizeof("\\xNN...") < size) {
        size_t n = utf8_next(NULL, path);

        if (n > 1 && len + n + sizeof("...") < size) {
            memcpy(out + len, path.ptr, n);
            len += n;
        } else {
            n = 1;
            if (is_printable(path.ptr[0]) && (unsigned char)path.ptr[0] < 0x80)
                out[len++] = path.ptr[0];
            else
                len += (size_t)snprintf(out + len, size - len, "\\x%02x",
                                        (unsigned)(unsigned char)path.ptr[0]);
        }
        path.ptr += n;
        path.len -= n;
    }
    (void)snprintf(out + len, size - len, "%s", path.len > 0 ? "..." : "");
}

/* What is wrong with a segment; NULL if nothing is. */
static const char *segment_fault(struct str segment)
{
    if (segment.len == 0)
        return "has an empty segment";
    if (str_eqz(segment, ".") || str_eqz(segment, ".."))
        return "has a segment of dots";
    return segment.len > SEGMENT_MAX ? "has a segment of more than 255 bytes" : NULL;
}

static const char *byte_fault(struct str path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '\\')
            return "has a backslash";
        if (!is_printable(path.ptr[i]))
            return "has a control character";
    }
    return utf8_is_valid(path) ? NULL : "is not UTF-8";
}

static bool has_drive(struct str path)
{
    char c = path.len >= 2 && path.ptr[1] == ':' ? path.ptr[0] : '\0';

    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static const char *path_fault(struct str path)
{
    struct str rest = path;
    struct str segment;
    const char *fault;
    bool more = true;

    if (path.len == 0)
        return "is empty";
    if (path.len > RELPATH_MAX)
        return "is longer than 1024 bytes";
    if (path.ptr[0] == '/' || has_drive(path))
        return "is not relative";
    fault = byte_fault(path);
    while (fault == NULL && more) {
        more = str_cut(&rest, '/', &segment);
        fault = segment_fault(segment);
    }
    return fault;
}

int relpath_check(struct str path, struct err *err)
{
    const char *fault = path_fault(path);
    char text[QUOTE_MAX];

    if (fault == NULL)
        return 0;
    quote(text, sizeof(text), path);
    return err_set(err, ERR_LIMIT, "the path \"%s\" %s", text, fault);
}
