/* The cut itself: a volume as the disk may have it, made in an empty directory. */
#ifndef TEST_POWER_CUT_H
#define TEST_POWER_CUT_H

#include <stdlib.h>

#include "power.h"

/* How many cuts of so many are made: ThreadSanitizer is slow, and looks for races, not for cuts. */
#ifdef WITH_TSAN
#define POWER_CUTS(count) ((count) / 10)
#else
#define POWER_CUTS(count) (count)
#endif

/* What the disk tends to have, in percent: what was last, what was synced; else anything between.
 */
struct power_mood {
    unsigned latest;
    unsigned synced;
};

struct power_cut {
    struct power_mood mood;
    unsigned at; /* nothing later has happened */
};

static inline unsigned power_pick(const struct power_cut *cut, unsigned synced)
{
    uint64_t dice = power_dice(100);

    if (dice < cut->mood.latest)
        return cut->at;
    if (dice < cut->mood.latest + cut->mood.synced)
        return synced;
    return synced + (unsigned)power_dice(cut->at - synced + 1);
}

/* ---- files ---- */

struct power_file {
    unsigned char *bytes;
    size_t size;
    struct timespec changed;
};

static inline unsigned power_file_synced(const struct power_cut *cut, const struct power_node *node)
{
    unsigned synced = 0;

    for (size_t i = 0; i < node->changes.len; i++)
        if (node->changes.at[i].sync && node->changes.at[i].at <= cut->at)
            synced = node->changes.at[i].at;
    return synced;
}

/* The one that was last at that time; NULL: the file was new and empty. */
static inline const struct power_change *power_change_at(const struct power_node *node, unsigned at)
{
    const struct power_change *last = NULL;

    for (size_t i = 0; i < node->changes.len && node->changes.at[i].at <= at; i++)
        last = &node->changes.at[i];
    return last;
}

static inline size_t power_size_at(const struct power_node *node, unsigned at)
{
    const struct power_change *change = power_change_at(node, at);

    return change == NULL ? 0 : change->size;
}

/* Plays one change over the blocks that have it; where it stops half-way, half of the block. */
static inline void power_play(unsigned char *bytes, const struct power_change *change,
                              size_t before, const unsigned *blocks)
{
    size_t end = change->len > 0 ? change->offset + change->len : before;
    size_t start = change->len > 0 ? change->offset : change->size;

    for (size_t at = start; at < end;) {
        size_t next = (at / POWER_BLOCK + 1) * POWER_BLOCK;
        size_t len = (next < end ? next : end) - at;

        if (change->at <= blocks[at / POWER_BLOCK]) {
            if (change->len > 0)
                memcpy(bytes + at, change->data + (at - start), len);
            else
                memset(bytes + at, 0, len);
        } else if (change->len > 0 && power_dice(16) == 0) {
            memcpy(bytes + at, change->data + (at - start), len / 2);
        }
        at = next;
    }
}

/* A block that was never synced may hold what a removed file left there. */
static inline void power_spoil(unsigned char *bytes, size_t size, const unsigned *blocks,
                               const struct power_cut *cut, size_t synced_size)
{
    for (size_t at = (synced_size + POWER_BLOCK - 1) / POWER_BLOCK * POWER_BLOCK; at < size;
         at += POWER_BLOCK)
        if (blocks[at / POWER_BLOCK] < cut->at && power_dice(8) == 0)
            memset(bytes + at, 0x5a, size - at < POWER_BLOCK ? size - at : POWER_BLOCK);
}

static inline struct power_file power_file_of(const struct power_cut *cut,
                                              const struct power_node *node)
{
    unsigned synced = power_file_synced(cut, node);
    const struct power_change *shown = power_change_at(node, power_pick(cut, synced));
    const struct power_change *dated = power_change_at(node, power_pick(cut, 0));
    size_t most = 0, before = 0;
    struct power_file file = {.size = shown == NULL ? 0 : shown->size};
    unsigned *blocks;

    for (size_t i = 0; i < node->changes.len; i++)
        most = node->changes.at[i].size > most ? node->changes.at[i].size : most;
    file.bytes = calloc(most + 1, 1);
    blocks = calloc(most / POWER_BLOCK + 1, sizeof(*blocks));
    assert_non_null(file.bytes);
    assert_non_null(blocks);
    for (size_t i = 0; i <= most / POWER_BLOCK; i++)
        blocks[i] = power_pick(cut, synced);
    for (size_t i = 0; i < node->changes.len && node->changes.at[i].at <= cut->at; i++) {
        if (!node->changes.at[i].sync)
            power_play(file.bytes, &node->changes.at[i], before, blocks);
        before = node->changes.at[i].size;
    }
    power_spoil(file.bytes, file.size, blocks, cut, power_size_at(node, synced));
    free(blocks);
    if (dated != NULL)
        file.changed = dated->changed;
    return file;
}

/* ---- making it ---- */

/* Decides where name leads. A directory that was renamed has one name, the later if both are left.
 */
static inline void power_leave(const struct power_cut *cut, struct power_name *name)
{
    const struct power_entry *left = NULL;
    unsigned synced = 0;
    unsigned at;

    for (size_t i = 0; i < name->entries.len; i++)
        if (name->entries.at[i].sync && name->entries.at[i].at <= cut->at)
            synced = name->entries.at[i].at;
    at = power_pick(cut, synced);
    for (size_t i = 0; i < name->entries.len && name->entries.at[i].at <= at; i++)
        left = &name->entries.at[i];
    name->left = left == NULL ? NULL : left->node;
    if (name->left != NULL && left->at >= name->left->home_at) {
        name->left->home = name;
        name->left->home_at = left->at;
    }
}

/* What path, just made, is in the new volume's history. */
static inline void power_made(struct power_node *dir, const char *text, const char *path,
                              struct power_node *old)
{
    struct stat st;

    assert_int_equal(power_stat(power.fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    if (old->copy == NULL) {
        old->copy = power_add(st.st_ino, st.st_mode, old->number);
        old->copy->path = path;
        if (old->target != NULL)
            old->copy->target = str_dup(&power.arena, str_from(old->target));
    }
    power_enter(dir, text, old->copy);
}

static inline void power_make_file(const struct power_cut *cut, struct power_node *dir,
                                   const char *text, const char *path, struct power_node *old)
{
    /* A torn lease costs its whole time limit: seldom. */
    bool whole = strncmp(text, "lease", 5) == 0 && power_dice(32) != 0;
    const struct power_cut latest = {.mood = {.latest = 100}, .at = cut->at};
    struct power_file file = power_file_of(whole ? &latest : cut, old);
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    int fd = (int)power_raw(SYS_openat, power.fd, path, flags, 0644);
    const struct timespec times[] = {file.changed, file.changed};

    assert_true(fd >= 0);
    assert_int_equal(power_raw(SYS_pwrite64, fd, file.bytes, file.size, 0L), file.size);
    assert_int_equal(futimens(fd, times), 0);
    power_made(dir, text, path, old);
    power_change(fd, old->copy, 0, file.bytes, file.size);
    (void)close(fd);
    free(file.bytes);
}

/* The directory old is at prefix, "" or with a slash at its end, as old->copy. */
static inline void power_make_dir(const struct power_cut *cut, struct power_node *old,
                                  const char *prefix)
{
    for (struct power_name *name = old->names; name != NULL; name = name->next) {
        struct power_node *node = name->left;
        const char *path = str_format(&power.arena, "%s%s", prefix, name->text);

        if (node == NULL || (node->type == S_IFDIR && node->home != name))
            continue;
        if (node->copy != NULL) {
            assert_int_equal(power_raw(SYS_linkat, power.fd, node->copy->path, power.fd, path, 0),
                             0);
            power_made(old->copy, name->text, path, node);
        } else if (node->type == S_IFREG) {
            power_make_file(cut, old->copy, name->text, path, node);
        } else if (node->type == S_IFLNK) {
            assert_int_equal(power_raw(SYS_symlinkat, node->target, power.fd, path), 0);
            power_made(old->copy, name->text, path, node);
        } else {
            assert_int_equal(power_raw(SYS_mkdirat, power.fd, path, 0777), 0);
            power_made(old->copy, name->text, path, node);
            power_make_dir(cut, node, str_format(&power.arena, "%s/", path));
        }
    }
}

/*
 * Makes in the directory path, which is empty, what a cut of old leaves, and begins the history of
 * that: all there is now is synced.
 */
static inline void power_make(const char *path, const struct power *old,
                              const struct power_cut *cut)
{
    for (struct power_node *node = old->nodes; node != NULL; node = node->next) {
        node->copy = NULL;
        node->home = NULL;
        node->home_at = 0;
    }
    for (struct power_node *node = old->nodes; node != NULL; node = node->next)
        for (struct power_name *name = node->names; name != NULL; name = name->next)
            power_leave(cut, name);
    power_begin(path);
    old->root->copy = power.root;
    power_make_dir(cut, old->root, "");
    for (struct power_node *node = power.nodes; node != NULL; node = node->next)
        power_sync(node);
    power.made = power.now;
}

#endif
