/* The watcher: the thread that hears what has changed. */
#include "coord/etcd_threads.h"

/* Workers in a page of the list: a page of the largest that there can be is 22 MB of JSON. */
#define PAGE_KEYS 64
/* etcd cuts what it sends into parts of about 2 MB, if it is asked to; base64 makes it more. */
#define LINE_LIMIT ((size_t)16 << 20)

static struct etcd_batch *new_batch(enum etcd_batch_kind kind)
{
    struct arena a = {0};
    struct etcd_batch *batch = arena_new(&a, struct etcd_batch);

    batch->arena = a;
    batch->kind = kind;
    return batch;
}

/* Hands it over, once there is room. */
static void hand_over(struct etcd_link *l, struct etcd_batch *batch)
{
    etcd_lock(l);
    while (l->batches >= ETCD_BATCHES_MAX && !etcd_is_over(l))
        etcd_wait_for(l, &l->wanted, ETCD_RETRY_MAX_MS);
    *l->last = batch;
    l->last = &batch->next;
    l->batches++;
    (void)pthread_cond_signal(&l->news);
    etcd_unlock(l);
}

static int ask_page(struct etcd_answer *out, struct etcd_link *l, struct arena *a, struct str first,
                    uint64_t revision, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    JSON_SCOPED *doc = NULL;
    struct buf body = buf_new(&scratch, ETCD_BODY_LIMIT);

    etcd_put_range(&body, first, STR(ETCD_WORKERS), PAGE_KEYS, revision);
    if (gateway_ask(&doc, l->watcher, "/v3/kv/range", buf_str(&body), err) < 0)
        return -1;
    return etcd_read_answer(out, a, doc, err);
}

/* Revisions of a store only grow: one that is behind is another, or was put back to what it was. */
static void hand_mark(struct etcd_link *l, enum etcd_batch_kind kind, uint64_t revision)
{
    struct etcd_batch *batch = new_batch(kind);

    batch->revision = revision;
    batch->other_store = revision < l->seen_revision;
    l->seen_revision = revision;
    hand_over(l, batch);
}

/* All keys as of one revision, page by page. */
static int list_all(struct etcd_link *l, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct str first = STR(ETCD_WORKERS);
    uint64_t revision = 0;
    struct etcd_answer page;

    do {
        struct etcd_batch *batch = new_batch(ETCD_LIST);

        if (ask_page(&page, l, &batch->arena, first, revision, err) < 0 ||
            (page.more && page.count == 0)) {
            etcd_batch_free(&batch);
            return -1;
        }
        if (revision == 0) {
            revision = page.revision;
            hand_mark(l, ETCD_LIST_BEGINS, revision);
        }
        if (page.count > 0) {
            struct str key = page.kvs[page.count - 1].key;

            /* The key after that one: the same with a NUL behind it, which str_copy() puts there.
             */
            first = str_copy(&a, key);
            first.len++;
        }
        batch->kvs = page.kvs;
        batch->count = page.count;
        hand_over(l, batch);
    } while (page.more);
    hand_mark(l, ETCD_LIST_ENDS, revision);
    l->next_revision = revision + 1;
    return 0;
}

static void set_watching(struct etcd_link *l, bool watching)
{
    etcd_lock(l);
    l->state.watching = watching;
    (void)pthread_cond_signal(&l->news);
    etcd_unlock(l);
}

static bool is_list_wanted(struct etcd_link *l)
{
    bool wanted;

    etcd_lock(l);
    wanted = l->relist || l->ended;
    etcd_unlock(l);
    return wanted;
}

/* The revision of the first line tells whether this is the store that we knew. */
static int take_heard(struct etcd_link *l, const struct etcd_heard *heard, struct err *err)
{
    if (heard->created && heard->revision + 1 < l->next_revision) {
        l->next_revision = 0;
        return err_set(err, ERR_WAIT, "etcd is behind what it has told before");
    }
    if (heard->cancelled) {
        l->next_revision = heard->compacted ? 0 : l->next_revision;
        return err_set(err, ERR_WAIT, "etcd ends the watch%s",
                       heard->compacted ? ": it has compacted what we ask for" : "");
    }
    if (heard->created)
        set_watching(l, true);
    return 0;
}

static int on_line(void *ctx, struct str line, struct err *err)
{
    struct etcd_link *l = ctx;
    struct etcd_batch *batch = new_batch(ETCD_CHANGES);
    struct etcd_heard heard;

    if (etcd_read_heard(&heard, &batch->arena, line, err) < 0 || take_heard(l, &heard, err) < 0) {
        etcd_batch_free(&batch);
        return -1;
    }
    batch->kvs = heard.kvs;
    batch->count = heard.count;
    for (size_t i = 0; i < heard.count; i++) {
        if (heard.kvs[i].revision > batch->revision)
            batch->revision = heard.kvs[i].revision;
    }
    if (batch->revision > l->seen_revision)
        l->seen_revision = batch->revision;
    if (!heard.partial && batch->revision >= l->next_revision)
        l->next_revision = batch->revision + 1;
    if (heard.count > 0)
        hand_over(l, batch);
    else
        etcd_batch_free(&batch);
    return is_list_wanted(l) ? 1 : 0;
}

static int listen(struct etcd_link *l, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct buf body = buf_new(&a, ETCD_BODY_LIMIT);
    struct http_stream stream = {.on_line = on_line, .ctx = l, .line_limit = LINE_LIMIT};
    int result;

    etcd_lock(l);
    stream.idle_ms = l->state.lease_ms != 0 ? l->state.lease_ms : l->ttl_s * 1000;
    etcd_unlock(l);
    etcd_put_watch(&body, STR(ETCD_PREFIX), l->next_revision);
    result = gateway_listen(l->watcher, "/v3/watch", buf_str(&body), &stream, err);
    set_watching(l, false);
    return result;
}

static int list_and_listen(struct etcd_link *l, struct err *err)
{
    etcd_lock(l);
    if (l->relist)
        l->next_revision = 0;
    l->relist = false;
    etcd_unlock(l);
    if (l->next_revision == 0 && list_all(l, err) < 0)
        return -1;
    return listen(l, err);
}

void *etcd_watch(void *ctx)
{
    struct etcd_link *l = ctx;
    uint64_t retry_ms = ETCD_RETRY_MIN_MS;
    bool over;

    do {
        struct err err = {0};
        uint64_t before = l->next_revision;
        bool fine = list_and_listen(l, &err) == 0 || l->next_revision != before;

        etcd_lock(l);
        if (err.code != ERR_NONE)
            l->state.why = err;
        retry_ms = fine ? ETCD_RETRY_MIN_MS : etcd_longer(retry_ms);
        if (!etcd_is_over(l))
            etcd_wait_for(l, &l->wanted, retry_ms);
        over = etcd_is_over(l);
        etcd_unlock(l);
    } while (!over);
    return NULL;
}
