#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/file.h"
#include "transfer/engine.h"

#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x00000080
#endif

#define WRITE_CHUNKS     4                   /* of one system call */
#define PAST_CACHE_BYTES ((uint64_t)8 << 20) /* smaller files stay in the page cache */
#define BLOCKED_MS       100                 /* a hash that waits longer lets chunks go */
#define FLOWING_BYTES    ((uint64_t)1 << 20) /* a turn of that many says that it waits no more */
#define TURN_BYTES       ((uint64_t)8 << 20) /* then another file gets the hash thread */

static void push_lane(struct lane *lane, struct file *f, struct file **link)
{
    *link = NULL;
    *lane->last = f;
    lane->last = link;
    (void)pthread_cond_signal(&lane->work);
}

static bool hashable(const struct file *f)
{
    struct journal_range record;

    if (f->failed || f->ended)
        return false;
    if (f->read_all || f->ranges.hashed == f->ranges.size)
        return f->writes == 0;
    return (f->unhashed != NULL && f->unhashed->offset == f->ranges.hashed) ||
           ranges_readable(&f->ranges, &record);
}

void disk_kick_hash(struct file *f)
{
    if (f->hash_queued || f->hashing || !hashable(f))
        return;
    f->hash_queued = true;
    push_lane(&f->t->hash, f, &f->next_hash);
}

static void kick_write(struct file *f)
{
    if (f->write_queued || f->writing || f->write_first == NULL)
        return;
    f->write_queued = true;
    push_lane(&f->t->write, f, &f->next_write);
}

static void release(struct file *f, struct chunk *c)
{
    if (c->for_writer || c->for_hash)
        return;
    pool_put(&f->t->pool, c);
    if (f->t->starved > 0)
        engine_wake(f->t);
}

static void list_for_hash(struct file *f, struct chunk *c)
{
    struct chunk **at = &f->unhashed;

    while (*at != NULL && (*at)->offset < c->offset)
        at = &(*at)->next_hash;
    c->next_hash = *at;
    *at = c;
    c->for_hash = true;
}

void disk_put(struct file *f, struct chunk *c)
{
    list_for_hash(f, c);
    /* A small file in one piece is hashed first and written only if it is right. */
    if (c->len < f->ranges.size) {
        c->for_writer = true;
        c->next = NULL;
        *f->write_last = c;
        f->write_last = &c->next;
        f->writes++;
        kick_write(f);
    }
    disk_kick_hash(f);
}

static void unlist(struct file *f, struct chunk *c)
{
    struct chunk **at = &f->unhashed;

    while (*at != c)
        at = &(*at)->next_hash;
    *at = c->next_hash;
    c->for_hash = false;
}

static void let_go(struct file *f, struct chunk *c)
{
    unlist(f, c);
    ranges_stage(&f->ranges, (struct journal_range){c->offset, c->len, c->crc});
    release(f, c);
}

/* The hash of f waits for a byte that is late: what is ahead of it and written can go. */
static bool reclaim_file(struct file *f, uint64_t now_ms)
{
    struct chunk *next;
    bool any = false;

    if (now_ms - f->blocked_ms < BLOCKED_MS || f->hashing || hashable(f))
        return false;
    for (struct chunk *c = f->unhashed; c != NULL; c = next) {
        next = c->next_hash;
        if (!c->for_writer && c->len < f->ranges.size) {
            let_go(f, c);
            any = true;
        }
    }
    return any;
}

bool disk_reclaim(struct transfer *t)
{
    uint64_t now_ms = engine_now(t);
    bool any = false;

    for (struct file *f = t->files; f != NULL; f = f->next)
        any = (!f->ended && reclaim_file(f, now_ms)) || any;
    return any;
}

/* Writes all of it at its offset. Past the page cache where that works. */
static int write_chunks(struct file *f, struct chunk *const *chunks, int n, bool *plain)
{
    struct iovec iov[WRITE_CHUNKS];
    struct iovec *at = iov;
    off_t offset = (off_t)chunks[0]->offset;
    ssize_t wrote;

    for (int i = 0; i < n; i++)
        iov[i] = (struct iovec){chunks[i]->data, chunks[i]->len};
    while (n > 0) {
        wrote = pwritev2(f->target.fd, at, n, offset, *plain ? 0 : RWF_DONTCACHE);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && !*plain && (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS)) {
            *plain = true;
            continue;
        }
        if (wrote <= 0)
            return -1;
        offset += wrote;
        while (n > 0 && (size_t)wrote >= at->iov_len) {
            wrote -= (ssize_t)at->iov_len;
            at++;
            n--;
        }
        if (n > 0) {
            at->iov_base = (char *)at->iov_base + wrote;
            at->iov_len -= (size_t)wrote;
        }
    }
    return 0;
}

static int write_and_note(struct file *f, struct chunk *const *chunks, int n, bool *plain,
                          struct err *err)
{
    for (int i = 0; i < n; i++)
        chunks[i]->crc = digest_crc32c(0, chunks[i]->data, chunks[i]->len);
    errno = 0;
    if (write_chunks(f, chunks, n, plain) < 0)
        return file_err(err, "%s: writing at %llu", f->target.name,
                        (unsigned long long)chunks[0]->offset);
    for (int i = 0; i < n && f->target.journal != NULL; i++)
        if (journal_add(f->target.journal,
                        (struct journal_range){chunks[i]->offset, chunks[i]->len, chunks[i]->crc},
                        err) < 0)
            return err_wrap(err, "%s", f->target.name);
    return 0;
}

/* Takes the first queued chunk and those that follow it in the file. */
static int take_run(struct file *f, struct chunk **run)
{
    struct chunk **at = &f->write_first;
    int n = 0;

    while (*at != NULL && n < WRITE_CHUNKS) {
        struct chunk *c = *at;

        if (n > 0 && c->offset != run[n - 1]->offset + run[n - 1]->len) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        run[n++] = c;
    }
    f->write_last = &f->write_first;
    while (*f->write_last != NULL)
        f->write_last = &(*f->write_last)->next;
    return n;
}

static void forget_writes(struct file *f)
{
    struct chunk *c;

    while ((c = f->write_first) != NULL) {
        f->write_first = c->next;
        c->for_writer = false;
        f->writes--;
        release(f, c);
    }
    f->write_last = &f->write_first;
}

/* One turn of a file's writer; the lock is held on entry and exit. */
static void write_turn(struct file *f)
{
    struct transfer *t = f->t;
    struct chunk *run[WRITE_CHUNKS] = {0};
    bool plain = f->plain;
    struct err err;
    int n = take_run(f, run);
    int failed;

    (void)pthread_mutex_unlock(&t->lock);
    failed = write_and_note(f, run, n, &plain, &err);
    (void)pthread_mutex_lock(&t->lock);
    if (f->abandoned)
        return;
    f->plain = plain;
    for (int i = 0; i < n; i++) {
        run[i]->for_writer = false;
        f->writes--;
        if (failed == 0)
            ranges_written(&f->ranges, run[i]->len);
        release(f, run[i]);
    }
    if (failed < 0) {
        engine_fail(f, &err);
        forget_writes(f);
    }
    if (t->starved > 0 && reclaim_file(f, engine_now(t)))
        engine_wake(t);
}

static void hash_failed(struct file *f, struct err *err)
{
    (void)err_wrap(err, "%s", f->target.name);
    engine_fail(f, err);
}

/* Reads len bytes at offset into buf. 1: all; 0: the file ends before; -1: err. */
static int read_back(struct file *f, void *buf, size_t len, uint64_t offset, struct err *err)
{
    char *at = buf;
    ssize_t got;

    errno = 0;
    while (len > 0) {
        got = pread(f->target.fd, at, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return file_err(err, "reading back at %llu", (unsigned long long)offset);
        if (got == 0)
            return 0;
        at += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 1;
}

static size_t piece(uint64_t left)
{
    return left < POOL_CHUNK ? (size_t)left : POOL_CHUNK;
}

/*
 * Reads a staged record back, checks it, hashes it. 1: hashed; 0: its bytes are wrong; -1: err. A
 * record of another version can be longer than our buffer: then it is read once to check it and
 * once to hash it.
 */
static int hash_record(struct file *f, char *buf, struct journal_range record, struct err *err)
{
    uint32_t crc = 0;
    int got = 1;

    for (uint64_t at = 0; at < record.len && got == 1; at += POOL_CHUNK) {
        got = read_back(f, buf, piece(record.len - at), record.offset + at, err);
        if (got == 1)
            crc = digest_crc32c(crc, buf, piece(record.len - at));
    }
    if (got != 1 || crc != record.crc)
        return got < 0 ? -1 : 0;
    if (record.len <= POOL_CHUNK)
        return digest_update(f->stream, buf, record.len, err) < 0 ? -1 : 1;
    for (uint64_t at = 0; at < record.len && got == 1; at += POOL_CHUNK) {
        got = read_back(f, buf, piece(record.len - at), record.offset + at, err);
        if (got == 1 && digest_update(f->stream, buf, piece(record.len - at), err) < 0)
            return -1;
    }
    return got;
}

/* The digest is wrong: all is dropped and fetched once more, or that was the last word. */
static void wrong_digest(struct file *f, const struct digest *got)
{
    char want_hex[DIGEST_HEX + 1];
    char got_hex[DIGEST_HEX + 1];
    struct err err = {0};

    if (!f->had_claims)
        f->bad_digests++;
    if (f->target.verify_only || f->bad_digests > 1) {
        (void)err_set(&err, ERR_DIGEST, "%s: its digest is %s, it should be %s", f->target.name,
                      digest_format(got, got_hex), digest_format(&f->target.want, want_hex));
        engine_fail(f, &err);
        return;
    }
    if (f->target.journal != NULL && journal_reset(f->target.journal, &err) < 0) {
        hash_failed(f, &err);
        return;
    }
    /* What an earlier run left is no fault of the origin's; its own bytes are not asked for in
     * parts again. */
    f->single = f->single || !f->had_claims;
    f->had_claims = f->read_all = false;
    ranges_reset(&f->ranges);
    digest_stream_free(&f->stream);
    f->stream = digest_start(f->target.want.kind, f->target.size, &err);
    if (f->stream == NULL)
        hash_failed(f, &err);
    engine_wake(f->t);
}

static void finish(struct file *f)
{
    struct transfer *t = f->t;
    struct digest got = {0};
    struct err err;
    int failed;

    (void)pthread_mutex_unlock(&t->lock);
    failed = digest_finish(&got, f->stream, &err);
    (void)pthread_mutex_lock(&t->lock);
    if (failed < 0)
        hash_failed(f, &err);
    else if (!digest_eq(&got, &f->target.want))
        wrong_digest(f, &got);
    else
        engine_done(f);
}

/* A whole small file in one chunk: hashed, and written if it is right. */
static void hash_whole(struct file *f, struct chunk *c)
{
    struct transfer *t = f->t;
    struct digest got = {0};
    struct err err = {0};
    bool plain = true;
    bool right = false;
    int failed;

    (void)pthread_mutex_unlock(&t->lock);
    failed = digest_update(f->stream, c->data, c->len, &err) < 0 ||
                     digest_finish(&got, f->stream, &err) < 0
                 ? -1
                 : 0;
    right = failed == 0 && digest_eq(&got, &f->target.want);
    errno = 0;
    if (right && write_chunks(f, &c, 1, &plain) < 0)
        failed = file_err(&err, "writing");
    (void)pthread_mutex_lock(&t->lock);
    if (f->abandoned)
        return;
    ranges_written(&f->ranges, c->len);
    ranges_hash(&f->ranges, c->len);
    c->for_hash = false;
    release(f, c);
    if (failed < 0)
        hash_failed(f, &err);
    else if (right)
        engine_done(f);
    else
        wrong_digest(f, &got);
}

static void hash_chunk(struct file *f, struct chunk *c)
{
    struct transfer *t = f->t;
    struct err err;
    int failed;

    (void)pthread_mutex_unlock(&t->lock);
    failed = digest_update(f->stream, c->data, c->len, &err);
    (void)pthread_mutex_lock(&t->lock);
    if (f->abandoned)
        return;
    ranges_hash(&f->ranges, c->len);
    c->for_hash = false;
    release(f, c);
    if (failed < 0)
        hash_failed(f, &err);
}

static void hash_staged(struct file *f, char *buf, struct journal_range record)
{
    struct transfer *t = f->t;
    struct err err;
    int got;

    (void)pthread_mutex_unlock(&t->lock);
    got = hash_record(f, buf, record, &err);
    (void)pthread_mutex_lock(&t->lock);
    if (f->abandoned)
        return;
    if (got < 0) {
        hash_failed(f, &err);
    } else if (got == 0) {
        ranges_reject(&f->ranges);
        engine_wake(t);
    } else {
        ranges_hash(&f->ranges, record.len);
    }
}

/* The next piece of a file that is there without checksums. */
static void hash_unchecked(struct file *f, char *buf)
{
    struct transfer *t = f->t;
    uint64_t at = f->ranges.hashed;
    size_t len = piece(f->ranges.size - at);
    struct err err;
    int got;

    (void)pthread_mutex_unlock(&t->lock);
    got = read_back(f, buf, len, at, &err);
    if (got == 1)
        got = digest_update(f->stream, buf, len, &err) < 0 ? -1 : 1;
    (void)pthread_mutex_lock(&t->lock);
    if (f->abandoned)
        return;
    if (got == 0 && f->target.verify_only)
        got = err_set(&err, ERR_DIGEST, "it has only %llu bytes or a few more, not %llu",
                      (unsigned long long)at, (unsigned long long)f->ranges.size);
    if (got < 0)
        hash_failed(f, &err);
    else if (got == 0)
        wrong_digest(f, &(struct digest){0});
    else
        ranges_hash(&f->ranges, len);
}

static void hash_step(struct file *f, char *buf)
{
    struct chunk *c = f->unhashed;
    struct journal_range record;

    if (f->ranges.hashed == f->ranges.size) {
        finish(f);
    } else if (f->read_all) {
        hash_unchecked(f, buf);
    } else if (c != NULL && c->offset == f->ranges.hashed) {
        f->unhashed = c->next_hash;
        if (c->len == f->ranges.size)
            hash_whole(f, c);
        else
            hash_chunk(f, c);
    } else if (ranges_readable(&f->ranges, &record)) {
        hash_staged(f, buf, record);
    }
}

/* One turn of a file's hash; the lock is held on entry and exit. */
static void hash_turn(struct file *f, char *buf)
{
    uint64_t from = f->ranges.hashed;
    uint64_t until = from + TURN_BYTES;

    while (hashable(f) && f->ranges.hashed < until && !f->t->quit) {
        hash_step(f, buf);
        if (f->abandoned)
            return;
    }
    /* A trickle does not count: what comes slowly is late all the time. */
    if (f->blocked_ms == 0 || f->ranges.hashed - from >= FLOWING_BYTES)
        f->blocked_ms = engine_now(f->t);
}

/* The next file of a lane, waited for; NULL when the engine ends and nothing is left. */
static struct file *next_of(struct transfer *t, struct lane *lane)
{
    while (lane->first == NULL && !t->quit)
        (void)pthread_cond_wait(&lane->work, &t->lock);
    return lane->first;
}

static void pop(struct lane *lane, struct file *next)
{
    lane->first = next;
    if (next == NULL)
        lane->last = &lane->first;
}

static void *write_thread(void *ctx)
{
    struct transfer *t = ctx;
    struct file *f;

    (void)pthread_mutex_lock(&t->lock);
    while ((f = next_of(t, &t->write)) != NULL) {
        pop(&t->write, f->next_write);
        f->write_queued = false;
        f->writing = true;
        write_turn(f);
        if (f->abandoned)
            break;
        f->writing = false;
        kick_write(f);
        disk_kick_hash(f);
        engine_settle(f);
    }
    (void)pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void *hash_thread(void *ctx)
{
    struct transfer *t = ctx;
    ARENA_SCOPED a = {0};
    char *buf = NULL;
    struct file *f;

    (void)pthread_mutex_lock(&t->lock);
    while ((f = next_of(t, &t->hash)) != NULL && !t->quit) {
        if (buf == NULL)
            buf = arena_alloc(&a, 1, POOL_CHUNK, 4096);
        pop(&t->hash, f->next_hash);
        f->hash_queued = false;
        f->hashing = true;
        hash_turn(f, buf);
        if (f->abandoned)
            break;
        f->hashing = false;
        disk_kick_hash(f);
        engine_settle(f);
    }
    (void)pthread_mutex_unlock(&t->lock);
    return NULL;
}

static unsigned cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

static int start_lane(struct transfer *t, struct lane *lane, unsigned n, void *(*run)(void *),
                      struct err *err)
{
    for (unsigned i = 0; i < n; i++) {
        if ((errno = pthread_create(&lane->threads[i], NULL, run, t)) != 0)
            return err_sys(err, ERR_BUG, "starting a thread");
        lane->thread_count++;
    }
    return 0;
}

int disk_start(struct transfer *t, struct err *err)
{
    unsigned n = t->net.hash_threads != 0 ? t->net.hash_threads : cores();

    if (n > ENGINE_THREADS_MAX)
        n = ENGINE_THREADS_MAX;
    /* What the hash threads read back into counts as buffers, too. */
    pool_init(&t->pool, t->net.buffer_bytes > (uint64_t)n * POOL_CHUNK
                            ? t->net.buffer_bytes - (uint64_t)n * POOL_CHUNK
                            : 0);
    if (start_lane(t, &t->hash, n, hash_thread, err) < 0)
        return -1;
    return start_lane(t, &t->write, n < 2 ? 2 : n, write_thread, err);
}
