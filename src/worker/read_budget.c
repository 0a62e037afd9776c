#include "worker/read_budget.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sys/file.h"
#include "text/num.h"
#include "text/str.h"

#define MIB          ((uint64_t)1 << 20)
#define RESERVE_MIN  (64 * MIB)
#define RESERVE_MAX  (8192 * MIB)
#define FILE_MAX     ((size_t)4 << 20) /* of a file of /proc or /sys */
#define LEVELS_MAX   64                /* of cgroups */
#define WORDS_MAX    16                /* of a line of mountinfo that are looked at */
#define UNLIMITED_V1 (UINT64_C(1) << 62)

/* The names that the two versions give the same things. */
struct names {
    const char *limits[2];
    const char *usage;
    const char *cache[2];   /* lines of memory.stat that are added */
    const char *unclean[2]; /* and taken off; NULL: none */
};

static const struct names version_2 = {
    .limits = {"memory.max", "memory.high"},
    .usage = "memory.current",
    .cache = {"inactive_file", "active_file"},
    .unclean = {"file_dirty", "file_writeback"},
};

static const struct names version_1 = {
    .limits = {"memory.limit_in_bytes", NULL},
    .usage = "memory.usage_in_bytes",
    .cache = {"total_inactive_file", "total_active_file"},
    .unclean = {NULL, NULL},
};

/* What is being found. */
struct search {
    struct arena *arena;
    int root;
    bool all; /* what there is, be it used or not */
    struct read_budget best;
};

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t more(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t reserve_of(uint64_t all)
{
    uint64_t reserve = all / 8;

    if (reserve < RESERVE_MIN)
        return RESERVE_MIN;
    return reserve > RESERVE_MAX ? RESERVE_MAX : reserve;
}

static bool read_text(struct str *out, const struct search *s, const char *path)
{
    struct err ignored;

    return file_read_all(out, s->arena, s->root, path, FILE_MAX, &ignored) == 0;
}

static bool parse(uint64_t *out, struct str text)
{
    struct err ignored;

    return num_parse_u64(out, str_trim(text), UINT64_MAX, &ignored) == 0;
}

/* The number in a line "name: 123 kB" or "name 123". */
static bool find_line(uint64_t *out, struct str text, const char *name)
{
    struct str line;
    struct str word;

    while (text.len > 0) {
        (void)str_cut(&text, '\n', &line);
        (void)str_cut(&line, ' ', &word);
        if (!str_eqz(word, name))
            continue;
        line = str_trim(line);
        (void)str_cut(&line, ' ', &word);
        return parse(out, word);
    }
    return false;
}

static void bound(struct search *s, uint64_t bytes, const char *by)
{
    char size[NUM_TEXT];

    if (bytes >= s->best.bytes)
        return;
    s->best.bytes = bytes;
    (void)snprintf(s->best.why, sizeof(s->best.why), "%s: %.100s", num_format_size(size, bytes),
                   by);
}

static void bound_by_host(struct search *s)
{
    struct str text;
    uint64_t total = 0;
    uint64_t available = 0;

    if (s->all) {
        if (read_text(&text, s, "proc/meminfo") && find_line(&total, text, "MemTotal:") &&
            total <= UINT64_MAX / 1024)
            bound(s, total * 1024, "the host's memory");
        return;
    }
    if (!read_text(&text, s, "proc/meminfo") || !find_line(&total, text, "MemTotal:") ||
        !find_line(&available, text, "MemAvailable:") || total > UINT64_MAX / 1024 ||
        available > UINT64_MAX / 1024) {
        bound(s, 0, "MemAvailable of /proc/meminfo is not known");
        return;
    }
    bound(s, less(available * 1024, reserve_of(total * 1024)), "what the host's memory can spare");
}

static bool read_number(uint64_t *out, const struct search *s, const char *folder, const char *name)
{
    struct str text;

    return read_text(&text, s, str_format(s->arena, "%s/%s", folder, name)) && parse(out, text);
}

/* "max" is no number, and so no limit; version 1 writes an absurd one. */
static uint64_t limit_of(const struct search *s, const struct names *names, const char *folder)
{
    uint64_t limit = UINT64_MAX;
    uint64_t found;

    for (size_t i = 0; i < 2 && names->limits[i] != NULL; i++) {
        if (read_number(&found, s, folder, names->limits[i]) && found < limit)
            limit = found;
    }
    return limit;
}

static void bound_by_level(struct search *s, const struct names *names, const char *folder)
{
    uint64_t limit = limit_of(s, names, folder);
    uint64_t unclean = 0;
    uint64_t usage;
    uint64_t cache = 0;
    uint64_t number;
    struct str text;

    if (s->all && limit < UNLIMITED_V1)
        bound(s, limit, "the cgroup's limit");
    if (s->all || limit >= UNLIMITED_V1 || !read_number(&usage, s, folder, names->usage))
        return;
    if (read_text(&text, s, str_format(s->arena, "%s/memory.stat", folder))) {
        for (size_t i = 0; i < 2; i++) {
            if (find_line(&number, text, names->cache[i]))
                cache = more(cache, number);
            if (names->unclean[i] != NULL && find_line(&number, text, names->unclean[i]))
                unclean = more(unclean, number);
        }
    }
    cache = less(cache, unclean);
    usage = less(usage, cache);
    bound(s, less(less(limit, usage), reserve_of(limit)),
          str_format(s->arena, "what the memory limit of the cgroup /%s can spare", folder));
}

/* Our cgroup as /proc/self/cgroup has it: "0::/path", or the line whose controllers have memory. */
static bool find_path(struct str *ret_path, struct str text, bool second)
{
    struct str line;
    struct str number;
    struct str controllers;
    struct str one;

    while (text.len > 0) {
        (void)str_cut(&text, '\n', &line);
        if (!str_cut(&line, ':', &number) || !str_cut(&line, ':', &controllers))
            continue;
        if (second && str_eqz(number, "0") && controllers.len == 0) {
            *ret_path = line;
            return true;
        }
        while (!second && controllers.len > 0) {
            (void)str_cut(&controllers, ',', &one);
            if (str_eqz(one, "memory")) {
                *ret_path = line;
                return true;
            }
        }
    }
    return false;
}

/* A comma apart word of a mount's options. */
static bool has_option(struct str options, const char *name)
{
    struct str one;

    while (options.len > 0) {
        (void)str_cut(&options, ',', &one);
        if (str_eqz(one, name))
            return true;
    }
    return false;
}

/*
 * Where the hierarchy is mounted, and which part of it: "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS
 * [TAG]... - TYPE SOURCE SUPER" (proc(5)).
 */
static bool find_mount(struct str *ret_root, struct str *ret_point, struct str text, bool second)
{
    while (text.len > 0) {
        struct str words[WORDS_MAX];
        size_t count = 0;
        size_t dash = 0;
        struct str line;

        (void)str_cut(&text, '\n', &line);
        while (line.len > 0 && count < WORDS_MAX) {
            (void)str_cut(&line, ' ', &words[count]);
            if (dash == 0 && count > 5 && str_eqz(words[count], "-"))
                dash = count;
            count++;
        }
        if (dash == 0 || dash + 3 >= count)
            continue;
        if (second ? str_eqz(words[dash + 1], "cgroup2")
                   : str_eqz(words[dash + 1], "cgroup") && has_option(words[dash + 3], "memory")) {
            *ret_root = words[3];
            *ret_point = words[4];
            return true;
        }
    }
    return false;
}

static struct str without_slashes(struct str s)
{
    while (s.len > 0 && s.ptr[0] == '/')
        s = (struct str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && s.ptr[s.len - 1] == '/')
        s.len--;
    return s;
}

/*
 * The part of path beneath root. A container often sees the host's path and a mount of only its own
 * part: what is not beneath the mount's root is the mount itself.
 */
static struct str beneath(struct str path, struct str root)
{
    path = without_slashes(path);
    root = without_slashes(root);
    if (root.len == 0)
        return path;
    if (str_starts(path, root) && (path.len == root.len || path.ptr[root.len] == '/'))
        return without_slashes((struct str){path.ptr + root.len, path.len - root.len});
    return (struct str){path.ptr, 0};
}

static void bound_by_cgroups(struct search *s, bool second)
{
    const struct names *names = second ? &version_2 : &version_1;
    struct str cgroups;
    struct str mounts;
    struct str path;
    struct str root;
    struct str point;
    struct str last;

    if (!read_text(&cgroups, s, "proc/self/cgroup") ||
        !read_text(&mounts, s, "proc/self/mountinfo") || !find_path(&path, cgroups, second) ||
        !find_mount(&root, &point, mounts, second))
        return;
    path = beneath(path, root);
    point = without_slashes(point);
    for (int i = 0; i < LEVELS_MAX; i++) {
        bound_by_level(s, names,
                       str_format(s->arena, STR_FMT "%s" STR_FMT, STR_ARG(point),
                                  path.len > 0 ? "/" : "", STR_ARG(path)));
        if (path.len == 0)
            return;
        if (!str_rcut(&path, '/', &last))
            path.len = 0;
    }
}

struct read_budget read_budget_find(int root, uint64_t most)
{
    ARENA_SCOPED arena = {0};
    struct search s = {.arena = &arena, .root = root, .best = {.bytes = UINT64_MAX}};

    if (most < UINT64_MAX)
        bound(&s, most, "--read-ahead");
    bound_by_host(&s);
    bound_by_cgroups(&s, true);
    bound_by_cgroups(&s, false);
    return s.best;
}

uint64_t read_budget_all(int root)
{
    ARENA_SCOPED arena = {0};
    struct search s = {.arena = &arena, .root = root, .all = true, .best = {.bytes = UINT64_MAX}};

    bound_by_host(&s);
    bound_by_cgroups(&s, true);
    bound_by_cgroups(&s, false);
    return s.best.bytes < UINT64_MAX ? s.best.bytes : 0;
}
