/* Reads any text as an answer of etcd and as a line of its watch; what was taken is within it, and
 * a worker's record in it is taken into a view or refused. */
#include <stdlib.h>

#include "coord/etcd_take.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pass_over(void *ctx, bool warning, const char *text)
{
    (void)ctx;
    (void)warning;
    (void)text;
}

static void check(const struct etcd_kv *kvs, size_t count, size_t size)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += kvs[i].key.len + kvs[i].value.len;
    if (bytes > size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPED a = {0};
    struct str text = {(const char *)data, size};
    struct view_limits limits = {.workers = 2, .bytes = 4096};
    struct view *view = view_new(&a, clock_real(), &limits);
    struct etcd_taking taking = {.view = view, .ttl_ms = 1, .note = pass_over, .lease = 1};
    struct etcd_heard heard;
    struct etcd_answer answer;
    struct err err = {0};
    uint64_t id;
    uint64_t ttl_s;
    JSON_SCOPED *doc = json_parse(text, size, "input", &err);

    if (doc != NULL && etcd_read_answer(&answer, &a, doc, &err) == 0)
        check(answer.kvs, answer.count, size);
    if (doc != NULL && etcd_read_lease(&id, &ttl_s, doc, &err) == 0 && id == 0)
        abort();
    if (etcd_read_heard(&heard, &a, text, &err) == 0) {
        check(heard.kvs, heard.count, size);
        for (size_t i = 0; i < heard.count; i++)
            etcd_take(&taking, &heard.kvs[i], i % 2 == 0);
        if (view_count(view) > limits.workers)
            abort();
    }
    view_free(&view);
    return 0;
}
