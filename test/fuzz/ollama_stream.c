#include <stdint.h>
#include <stdlib.h>

#include "source/ollama_server_stream.h"
#include "transfer/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The sums are those of the parts, and no part has more than there is of it. */
static void check(const struct ollama_stream *s)
{
    uint64_t total = 0;
    uint64_t completed = 0;

    for (size_t i = 0; i < s->parts.len; i++) {
        const struct ollama_part *part = &s->parts.at[i];

        if (part->completed > part->total || part->most < part->completed ||
            part->first > part->most)
            abort();
        for (const char *c = part->digest; *c != '\0'; c++)
            if (*c < ' ' || *c > '~')
                abort();
        total += part->total;
        completed += part->completed;
    }
    if (total != s->total || completed != s->completed)
        abort();
}

/* A running Ollama's answer, in two pieces that are cut where the first byte says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct lines lines = lines_new(&a, OLLAMA_LINE_MAX);
    struct ollama_stream s = {.arena = &a, .base = "http://h:1", .model = "ollama:m"};
    struct str text = {(const char *)data, size};
    size_t first = size > 0 ? data[0] % size : 0;
    struct err err = {0};
    struct str line;
    int r = 0;

    for (int piece = 0; piece < 3 && r == 0; piece++) {
        if (piece == 2)
            lines_end(&lines);
        else
            lines_add(&lines, piece == 0 ? (struct str){text.ptr, first}
                                         : (struct str){text.ptr + first, size - first});
        while (r == 0 && lines_next(&lines, &line)) {
            r = ollama_stream_line(&s, line, &err);
            if (r < 0 && (err.code == ERR_NONE || err.code == ERR_BUG || err.msg[0] == '\0'))
                abort();
            check(&s);
        }
    }
    return 0;
}
