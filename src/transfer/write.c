/*
 * The writers: at most one thread at a time puts a file's chunks at their offsets, several that are
 * adjacent by one system call, and notes each in the journal with its checksum.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "sys/file.h"
#include "transfer/engine.h"

#define WRITE_CHUNKS 4 /* of one system call */

static int write_run(struct file *f, struct chunk *const *run, int n, bool keep)
{
    struct iovec iov[WRITE_CHUNKS];

    for (int i = 0; i < n; i++)
        iov[i] = (struct iovec){run[i]->data, run[i]->len};
    return out_write(&f->out, iov, n, (off_t)run[0]->offset, keep);
}

static int write_and_note(struct file *f, struct chunk *const *chunks, int n, bool keep,
                          struct err *err)
{
    for (int i = 0; i < n; i++)
        chunks[i]->crc = digest_crc32c(0, chunks[i]->data, chunks[i]->len);
    errno = 0;
    if (write_run(f, chunks, n, keep) < 0)
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
        disk_release(f, c);
    }
    f->write_last = &f->write_first;
}

void write_turn(struct file *f)
{
    struct transfer *t = f->t;
    struct chunk *run[WRITE_CHUNKS] = {0};
    struct err err;
    int n = take_run(f, run);
    bool keep;
    int failed;

    assert(n > 0);
    /* What is farther ahead of the hash than memory reaches will be read back. */
    keep = run[0]->offset > f->ranges.hashed + t->net.buffer_bytes;
    engine_unlock(t);
    failed = write_and_note(f, run, n, keep, &err);
    engine_lock(t);
    if (f->abandoned)
        return;
    for (int i = 0; i < n; i++) {
        run[i]->for_writer = false;
        f->writes--;
        if (failed == 0)
            ranges_written(&f->ranges, run[i]->len);
        disk_release(f, run[i]);
    }
    if (failed < 0) {
        engine_fail(f, &err);
        forget_writes(f);
    }
    if (t->starved > 0 && disk_reclaim(t))
        engine_wake(t);
}
