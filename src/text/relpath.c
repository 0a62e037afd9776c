#include "text/relpath.h"

#include <stdbool.h>

#include "text/utf8.h"

#define SEGMENT_MAX ((size_t)255)

/* No more of a bad path than this is quoted. */
#define QUOTE_MAX ((size_t)100)

/* What is wrong with a segment; NULL if nothing is. */
static const char *segment_fault(struct str segment)
{
    if (segment.len == 0)
        return "has an empty segment";
    if (str_eqz(segment, ".") || str_eqz(segment, ".."))
        return "has a segment of dots";
    return segment.len > SEGMENT_MAX ? "has a segment of more than 255 bytes" : NULL;
}

static const char *character_fault(struct str path)
{
    while (path.len > 0) {
        uint32_t code;
        size_t len = utf8_next(&code, path);

        if (len == 0)
            return "is not UTF-8";
        if (code == '\\')
            return "has a backslash";
        if (code < 0x20 || (code >= 0x7f && code < 0xa0))
            return "has a control character";
        path.ptr += len;
        path.len -= len;
    }
    return NULL;
}

static bool has_drive(struct str path)
{
    char c;

    if (path.len < 2 || path.ptr[1] != ':')
        return false;
    c = path.ptr[0];
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
    fault = character_fault(path);
    while (fault == NULL && more) {
        more = str_cut(&rest, '/', &segment);
        fault = segment_fault(segment);
    }
    return fault;
}

int relpath_check(struct str path, struct err *err)
{
    const char *fault = path_fault(path);
    ARENA_SCOPED scratch = {0};

    if (fault == NULL)
        return 0;
    return err_set(err, ERR_LIMIT, "the path \"%s\" %s", str_printable(&scratch, path, QUOTE_MAX),
                   fault);
}
