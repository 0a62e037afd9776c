/*
 * Power cuts at any moment of a pull, and of the pull after one, by the program's own code in this
 * process: what tests of all stores share. What is particular to a store is its power_face.
 */
#ifndef TEST_POWER_PULL_H
#define TEST_POWER_PULL_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "../remove_tree.h"
#include "cmd/cmd.h"
#include "hub_server.h"
#include "power_cut.h"
#include "sys/stop.h"

#define CUTS_A_PULL 20 /* of one pull's history */

#define LARGE_BYTES ((size_t)1300 * 1000) /* preallocated and journalled, not a whole block */

struct power_face {
    const char *variable;    /* that names the origin */
    const char *const *refs; /* any of them may be pulled after a cut; the first one before */
    size_t ref_count;
    const char *const
        *dirs;            /* that another program makes, up to a NULL; the last one is of blobs */
    const char *prefix;   /* of a blob's name, before its digest */
    const char *arriving; /* what follows the name of a blob on its way */
    /* Nothing is wrong; of so many of the first files another program's blobs may not have been
       looked at yet. */
    void (*check_visible)(const char *volume, size_t foreign);
    /* refs[ref] is whole; worked: the pull asked the origin for something. */
    void (*check_complete)(const char *volume, size_t ref, bool worked);
};

static struct hub_server server;
static char scratch[64]; /* in memory where that is possible */
static unsigned volumes;
static unsigned seed; /* of the cut under way: named by what fails */

/* ---- folders ---- */

static char *random_bytes(size_t size)
{
    char *bytes = arena_array(&server.arena, char, size);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)power_dice(256);
    return bytes;
}

static int scratch_make(void)
{
    struct err err;

    (void)snprintf(scratch, sizeof(scratch), "/dev/shm/hostler-power-XXXXXX");
    if (mkdtemp(scratch) != NULL)
        return stop_install(&err);
    (void)snprintf(scratch, sizeof(scratch), "/tmp/hostler-power-XXXXXX");
    return mkdtemp(scratch) == NULL ? -1 : stop_install(&err);
}

static int scratch_remove(void **state)
{
    (void)state;
    (void)printf("# %u power cuts\n", seed);
    (void)remove_tree(scratch);
    return 0;
}

static const char *new_volume(struct arena *a)
{
    const char *path = str_format(a, "%s/%u", scratch, volumes++);

    assert_int_equal(power_raw(SYS_mkdirat, AT_FDCWD, path, 0755), 0);
    return path;
}

static bool holds(const char *volume, const char *name, const char *bytes, size_t size)
{
    ARENA_SCOPED a = {0};
    int fd = open(str_format(&a, "%s/%s", volume, name), O_RDONLY | O_CLOEXEC);
    char *there = arena_array(&a, char, size + 1);
    ssize_t got = fd < 0 ? -1 : read(fd, there, size + 1);

    if (fd >= 0)
        (void)close(fd);
    return got >= 0 && (size_t)got == size && memcmp(there, bytes, size) == 0;
}

/* Wherever it may lead. */
static bool exists(const char *volume, const char *name)
{
    ARENA_SCOPED a = {0};

    return faccessat(AT_FDCWD, str_format(&a, "%s/%s", volume, name), F_OK, AT_SYMLINK_NOFOLLOW) ==
           0;
}

/* Without those of downloads of other programs. */
static size_t count_names(const char *volume, const char *name)
{
    ARENA_SCOPED a = {0};
    DIR *dir = opendir(str_format(&a, "%s/%s", volume, name));
    const struct dirent *entry;
    size_t count = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct str text = str_from(entry->d_name);

        count += !str_eqz(text, ".") && !str_eqz(text, "..") &&
                 !str_ends(text, STR(".incomplete")) && !str_ends(text, STR("-partial"));
    }
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

/* ---- a pull ---- */

static const char *log_of(const char *path)
{
    static char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, text, sizeof(text) - 1);

    text[len < 0 ? 0 : len] = '\0';
    (void)close(fd);
    return text;
}

static void pull(const struct power_face *face, const char *volume, size_t ref, size_t foreign)
{
    ARENA_SCOPED a = {0};
    char *argv[] = {str_dup(&a, str_from(face->refs[ref])),
                    str_dup(&a, STR("--volume")),
                    str_dup(&a, str_from(volume)),
                    str_dup(&a, STR("--takeover")),
                    str_dup(&a, STR("1s")),
                    NULL};
    char *environment[] = {str_format(&a, "%s=http://127.0.0.1:%u", face->variable, server.port),
                           NULL};
    const struct config_input input = {
        .command = "pull", .argc = 5, .argv = argv, .environ = environment};
    const char *log = str_format(&a, "%s/log", scratch);
    int fd = open(log, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct report_options report = {.clock = clock_real(), .out_fd = fd, .err_fd = fd};
    struct config *config = arena_new(&a, struct config);
    struct cmd_context ctx = {.arena = &a, .config = config};
    unsigned answers = server.answers;
    struct err err = {0};

    if (config_load(config, &a, &input, &err) < 0)
        fail_msg("%s", err.msg);
    config_report(&report, config);
    ctx.report = report_new(&a, &report);
    ctx.args = config->args;
    if (cmd_pull.run(&ctx, &err) < 0)
        fail_msg("cut %u: %s\n%s", seed, err.msg, log_of(log));
    report_free(&ctx.report);
    (void)close(fd);
    face->check_visible(volume, foreign);
    face->check_complete(volume, ref, server.answers > answers);
}

/* ---- what another program left ---- */

/* A blob as huggingface_hub and Ollama leave one: whole, named by its digest, and not synced. */
static void put_foreign_blob(const struct power_face *face, const char *dir,
                             const struct hub_file *file)
{
    ARENA_SCOPED a = {0};
    const char *name = str_format(&a, "%s/%s%s", dir, face->prefix, file->hex);
    const char *temp = str_format(&a, "%s%s", name, face->arriving);
    int fd = openat(AT_FDCWD, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)file->size), 0);
    assert_int_equal(pwrite(fd, file->bytes, file->size, 0), file->size);
    (void)close(fd);
    assert_int_equal(renameat(AT_FDCWD, temp, AT_FDCWD, name), 0);
}

static void put_foreign(const struct power_face *face, const char *volume, size_t count)
{
    ARENA_SCOPED a = {0};
    const char *dir = NULL;

    for (size_t i = 0; count > 0 && face->dirs[i] != NULL; i++) {
        dir = str_format(&a, "%s/%s", volume, face->dirs[i]);
        assert_int_equal(mkdirat(AT_FDCWD, dir, 0777), 0);
    }
    for (size_t i = 0; i < count; i++)
        put_foreign_blob(face, dir, &server.files[i]);
}

/* ---- cuts ---- */

static struct power_cut random_cut(const struct power *history)
{
    static const struct power_mood moods[] = {{0, 0},  {50, 50}, {100, 0}, {0, 100},
                                              {90, 5}, {5, 90},  {40, 20}};
    unsigned at =
        history->made + (unsigned)power_dice((uint64_t)(history->now - history->made) + 1);

    return (struct power_cut){.mood = moods[power_dice(sizeof(moods) / sizeof(moods[0]))],
                              .at = power_dice(8) == 0 ? history->now : at};
}

/* A cut of history, then a pull; the history of that pull is *ret_next. */
static void cut_and_pull(const struct power_face *face, struct power *ret_next,
                         const struct power *history, size_t foreign)
{
    ARENA_SCOPED a = {0};
    struct power_cut cut = random_cut(history);
    const char *volume = new_volume(&a);

    power_make(volume, history, &cut);
    face->check_visible(volume, foreign);
    pull(face, volume, face->ref_count == 1 ? 0 : power_dice(face->ref_count), foreign);
    *ret_next = power_end();
    (void)remove_tree(volume);
}

/* Finds so many blobs that another program wrote. */
static struct power first_pull(const struct power_face *face, size_t foreign)
{
    ARENA_SCOPED a = {0};
    const char *volume = new_volume(&a);
    struct power history;

    power_begin(volume);
    put_foreign(face, volume, foreign);
    pull(face, volume, 0, foreign);
    history = power_end();
    (void)remove_tree(volume);
    return history;
}

static void run_cuts(const struct power_face *face, unsigned from, unsigned count)
{
    for (unsigned round = from / CUTS_A_PULL; seed < from + count; round++) {
        size_t some[] = {0, 1, 0, server.count};
        size_t foreign = some[round % 4];
        struct power history = first_pull(face, foreign);

        for (unsigned i = 0; i < CUTS_A_PULL && seed < from + count; i++) {
            struct power next;

            power_random = ++seed;
            cut_and_pull(face, &next, &history, foreign);
            if (power_dice(2) == 0 && seed < from + count) {
                struct power last;

                seed++;
                cut_and_pull(face, &last, &next, foreign);
                power_free(&last);
            }
            power_free(&next);
        }
        power_free(&history);
    }
}

#endif
