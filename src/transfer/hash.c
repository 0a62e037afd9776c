/*
 * The hash: at most one thread at a time takes a file's bytes in order, from memory where they
 * still are, else from the disk after a check; and has the last word on the file.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "sys/file.h"
#include "transfer/engine.h"

#define FLOWING_BYTES ((uint64_t)1 << 20) /* a turn of that many says that bytes are not late */
#define TURN_BYTES    ((uint64_t)8 << 20) /* then another file gets the thread */

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

    engine_unlock(t);
    failed = digest_finish(&got, f->stream, &err);
    engine_lock(t);
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
    bool right = false;
    int failed;

    engine_unlock(t);
    failed = digest_update(f->stream, c->data, c->len, &err) < 0 ||
                     digest_finish(&got, f->stream, &err) < 0
                 ? -1
                 : 0;
    right = failed == 0 && digest_eq(&got, &f->target.want);
    errno = 0;
    if (right && out_write(&f->out, &(struct iovec){c->data, c->len}, 1, 0, true) < 0)
        failed = file_err(&err, "writing");
    engine_lock(t);
    if (f->abandoned)
        return;
    ranges_written(&f->ranges, c->len);
    ranges_hash(&f->ranges, c->len);
    c->for_hash = false;
    disk_release(f, c);
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

    engine_unlock(t);
    failed = digest_update(f->stream, c->data, c->len, &err);
    engine_lock(t);
    if (f->abandoned)
        return;
    ranges_hash(&f->ranges, c->len);
    c->for_hash = false;
    disk_release(f, c);
    if (failed < 0)
        hash_failed(f, &err);
}

static void hash_staged(struct file *f, char *buf, struct journal_range record)
{
    struct transfer *t = f->t;
    struct err err;
    int got;

    engine_unlock(t);
    got = hash_record(f, buf, record, &err);
    engine_lock(t);
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

    engine_unlock(t);
    got = read_back(f, buf, len, at, &err);
    if (got == 1)
        got = digest_update(f->stream, buf, len, &err) < 0 ? -1 : 1;
    engine_lock(t);
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

void hash_turn(struct file *f, char *buf)
{
    uint64_t from = f->ranges.hashed;
    uint64_t until = from + TURN_BYTES;

    while (disk_hashable(f) && f->ranges.hashed < until && !f->t->quit) {
        hash_step(f, buf);
        if (f->abandoned)
            return;
    }
    /* A trickle does not count: what comes slowly is late all the time. */
    if (f->blocked_ms == 0 || f->ranges.hashed - from >= FLOWING_BYTES)
        f->blocked_ms = engine_now(f->t);
}
