#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/receipt.h"
#include "store/sealed.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"
#include "sys/stop.h"
#include "text/vec.h"

#define KIND      "blobs"
#define FILE_NAME "blobs"

/* How long another writer of the same folder is waited for. */
#define LOCK_TRIES   200
#define LOCK_WAIT_MS 10

enum touch {
    UNTOUCHED, /* as the file has it */
    SET,
    DROPPED,
};

struct entry {
    struct blob_record record;
    enum touch touch;
};

struct blob_records {
    struct arena *arena;
    VEC(struct entry) entries; /* sorted by digest, none twice */
    struct stat seen;          /* the file as it was last read; zero: there was none */
    bool changed;
};

static int compare(const struct digest *a, const struct digest *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES);
}

static int by_digest(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;

    return compare(&a->record.digest, &b->record.digest);
}

/* The place of d, or where it would stand. */
static size_t place_of(const struct blob_records *r, const struct digest *d)
{
    size_t low = 0;
    size_t high = r->entries.len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(&r->entries.at[middle].record.digest, d) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct blob_records *r, size_t place, const struct digest *d)
{
    return place < r->entries.len && digest_eq(&r->entries.at[place].record.digest, d);
}

static bool parse_line(struct blob_record *out, struct str line)
{
    struct str hex;
    struct err ignored;
    uint64_t mtime;
    bool before_epoch;

    (void)str_cut(&line, ' ', &hex);
    if (digest_parse(&out->digest, hex, &ignored) < 0 || !sealed_number(&out->size, &line))
        return false;
    before_epoch = str_starts(line, STR("-"));
    if (before_epoch)
        line = (struct str){line.ptr + 1, line.len - 1};
    if (!sealed_number(&mtime, &line) || mtime > INT64_MAX || !sealed_number(&out->inode, &line) ||
        line.len > 0)
        return false;
    out->mtime_ns = before_epoch ? -(int64_t)mtime : (int64_t)mtime;
    return true;
}

/* What the file says; nothing if it counts as absent. */
static void read_file(struct blob_records *r, const struct volume *v, const char *folder)
{
    const char *path = sealed_path(r->arena, folder, FILE_NAME);
    struct str body;
    bool sorted = true;

    /* Before it is read: one that is replaced in between is then read again. */
    if (fstatat(v->fd, path, &r->seen, AT_SYMLINK_NOFOLLOW) < 0)
        r->seen = (struct stat){0};
    if (!sealed_read(&body, r->arena, v, path, KIND, RECEIPT_FORMAT))
        return;
    while (body.len > 0) {
        struct entry entry = {.touch = UNTOUCHED};
        struct str line;

        (void)str_cut(&body, '\n', &line);
        if (!parse_line(&entry.record, line))
            continue;
        sorted = sorted &&
                 (r->entries.len == 0 || by_digest(&r->entries.at[r->entries.len - 1], &entry) < 0);
        vec_push(r->arena, &r->entries, entry);
    }
    if (!sorted)
        r->entries.len = 0; /* not written by us */
}

int blob_records_read(struct blob_records **out, struct arena *a, const struct volume *v,
                      const char *folder, struct err *err)
{
    struct blob_records *r = arena_new(a, struct blob_records);

    (void)err;
    r->arena = a;
    read_file(r, v, folder);
    *out = r;
    return 0;
}

static struct blob_record record_of(const struct digest *d, const struct stat *st)
{
    return (struct blob_record){
        .digest = *d,
        .size = (uint64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .inode = st->st_ino,
    };
}

static bool is_same(const struct blob_record *a, const struct blob_record *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns && a->inode == b->inode;
}

bool blob_records_hold(const struct blob_records *r, const struct digest *d, const struct stat *st)
{
    size_t place = place_of(r, d);
    struct blob_record now = record_of(d, st);

    return is_at(r, place, d) && r->entries.at[place].touch != DROPPED &&
           is_same(&r->entries.at[place].record, &now);
}

/* The entry of d, made where it is missing. */
static struct entry *entry_of(struct blob_records *r, const struct digest *d)
{
    size_t place = place_of(r, d);

    if (!is_at(r, place, d)) {
        struct entry entry = {.record.digest = *d};
        struct entry *at;

        vec_push(r->arena, &r->entries, entry);
        at = r->entries.at + place;
        memmove(at + 1, at, (r->entries.len - 1 - place) * sizeof(*at));
        *at = entry;
    }
    return &r->entries.at[place];
}

void blob_records_set(struct blob_records *r, const struct digest *d, const struct stat *st)
{
    if (blob_records_hold(r, d, st))
        return;
    *entry_of(r, d) = (struct entry){.record = record_of(d, st), .touch = SET};
    r->changed = true;
}

void blob_records_drop(struct blob_records *r, const struct digest *d)
{
    if (!is_at(r, place_of(r, d), d))
        return;
    entry_of(r, d)->touch = DROPPED;
    r->changed = true;
}

/* FNV-1a. */
struct digest blob_records_copy_key(const struct digest *d, const char *path)
{
    struct digest key = *d;
    uint64_t fold = 0xcbf29ce484222325U;

    for (const char *c = path; *c != '\0'; c++)
        fold = (fold ^ (uint8_t)*c) * 0x100000001b3U;
    for (size_t i = 0; i < sizeof(fold); i++)
        key.bytes[i] ^= (uint8_t)(fold >> (8 * i));
    return key;
}

/* Our changes over what others have written since we read. */
static void merge(struct blob_records *fresh, const struct blob_records *ours)
{
    for (size_t i = 0; i < ours->entries.len; i++) {
        const struct entry *entry = &ours->entries.at[i];

        if (entry->touch != UNTOUCHED)
            *entry_of(fresh, &entry->record.digest) = *entry;
    }
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * What held when we read it, and where flock does not work another has lost by writing over it,
 * stays known to us: we may have found a blob by it that a model is about to rest on.
 */
static void keep(struct blob_records *fresh, const struct blob_records *ours)
{
    for (size_t i = 0; i < ours->entries.len; i++) {
        const struct entry *entry = &ours->entries.at[i];
        const struct digest *d = &entry->record.digest;

        if (entry->touch == UNTOUCHED && !is_at(fresh, place_of(fresh, d), d))
            *entry_of(fresh, d) = *entry;
    }
}

void blob_records_refresh(struct blob_records *r, const struct volume *v, const char *folder)
{
    struct blob_records fresh = {.arena = r->arena, .changed = r->changed};
    struct arena_mark mark = arena_mark(r->arena);
    const char *path = sealed_path(r->arena, folder, FILE_NAME);
    struct stat now;

    if (fstatat(v->fd, path, &now, AT_SYMLINK_NOFOLLOW) < 0 || is_same_file(&now, &r->seen)) {
        arena_rewind(r->arena, mark);
        return;
    }
    read_file(&fresh, v, folder);
    merge(&fresh, r);
    keep(&fresh, r);
    *r = fresh;
}

static void put(struct buf *b, const struct blob_record *record)
{
    char hex[DIGEST_HEX + 1];

    buf_addf(b, "%s %ju %jd %ju\n", digest_format(&record->digest, hex), (uintmax_t)record->size,
             (intmax_t)record->mtime_ns, (uintmax_t)record->inode);
}

/* Made if need be and locked until the descriptor is closed; after a while it goes without. */
static int lock_folder(bool *ret_locked, const struct volume *v, const char *folder)
{
    ARENA_SCOPED a = {0};
    const char *path = sealed_path(&a, folder, "");
    struct err ignored;
    int fd = -1;

    *ret_locked = false;
    if (file_mkdirs(v->fd, path, &v->root, &ignored) == 0)
        fd = file_open_dir(v->fd, path, &ignored);
    for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
        *ret_locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (*ret_locked || errno != EWOULDBLOCK || stop_wait_ms(LOCK_WAIT_MS))
            break;
    }
    return fd;
}

/* All is on disk: what others write from now on is newer than what we wrote. */
static void settle(struct blob_records *r)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->entries.len; i++) {
        if (r->entries.at[i].touch == DROPPED)
            continue;
        r->entries.at[kept] = r->entries.at[i];
        r->entries.at[kept++].touch = UNTOUCHED;
    }
    r->entries.len = kept;
    r->changed = false;
}

int blob_records_write(struct blob_records *r, const struct volume *v, const char *folder,
                       struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct blob_records fresh = {.arena = &scratch};
    struct buf b = sealed_begin(&scratch, KIND, RECEIPT_FORMAT);
    bool due = r->changed && v->writable;
    bool locked;
    FD_SCOPED lock = due ? lock_folder(&locked, v, folder) : -1;

    (void)lock; /* held until the end */
    if (!due)
        return 0;
    read_file(&fresh, v, folder);
    merge(&fresh, r);
    for (size_t i = 0; i < fresh.entries.len; i++) {
        if (fresh.entries.at[i].touch != DROPPED)
            put(&b, &fresh.entries.at[i].record);
    }
    if (sealed_write(&b, v, sealed_path(&scratch, folder, FILE_NAME), err) < 0)
        return -1;
    settle(r);
    return 0;
}

void blob_records_sweep(const struct volume *v, const char *folder)
{
    ARENA_SCOPED a = {0};
    bool locked = false;
    FD_SCOPED lock = v->writable ? lock_folder(&locked, v, folder) : -1;

    if (locked && volume_is_local(lock))
        file_sweep(v->fd, sealed_path(&a, folder, ""));
}
