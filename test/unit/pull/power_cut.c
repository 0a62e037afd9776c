/*
 * Power cuts at any moment of a pull, and of the pull after one: staging, journal, names, records
 * and receipts come back as an arbitrary mix of older states. What readers see is right all the
 * time, and the next pull, by the program's own code in this process, makes the model whole.
 */
#include "power_cut.h"

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "hub_server.h"
#include "sys/stop.h"

#define CUTS        1000
#define CUTS_A_PULL 20 /* of one pull's history */

#define LARGE_BYTES ((size_t)1300 * 1000) /* preallocated and journalled, not a whole block */
#define FILES_MAX   12

#define REPO_DIR  "huggingface/hub/models--org--tiny"
#define BLOBS     REPO_DIR "/blobs"
#define SNAPSHOT  REPO_DIR "/snapshots/" HUB_COMMIT
#define REF       REPO_DIR "/refs/main"
#define TREE_FILE REPO_DIR "/trees/" HUB_COMMIT ".json"

static struct hub_server server;
static struct hub_file files[FILES_MAX];
static char scratch[64]; /* in memory where that is possible */
static unsigned volumes;
static unsigned seed; /* of the cut under way: named by what fails */

/* ---- the model ---- */

static char *random_bytes(size_t size)
{
    char *bytes = arena_array(&server.arena, char, size);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)power_dice(256);
    return bytes;
}

/* One large file, some small ones: more than are synced singly. */
static int start_all(void **state)
{
    struct err err;

    (void)state;
    files[0] =
        (struct hub_file){"model.safetensors", random_bytes(LARGE_BYTES), LARGE_BYTES, true, NULL};
    files[1] = (struct hub_file){"config.json", "{}", 2, false, NULL};
    files[2] = (struct hub_file){"sub/tokenizer.model", random_bytes(9000), 9000, true, NULL};
    for (size_t i = 3; i < FILES_MAX; i++)
        files[i] = (struct hub_file){str_format(&server.arena, "small-%02zu.json", i),
                                     random_bytes(100 * i), 100 * i, false, NULL};
    (void)snprintf(scratch, sizeof(scratch), "/dev/shm/hostler-power-XXXXXX");
    if (mkdtemp(scratch) != NULL)
        return stop_install(&err);
    (void)snprintf(scratch, sizeof(scratch), "/tmp/hostler-power-XXXXXX");
    return mkdtemp(scratch) == NULL ? -1 : stop_install(&err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static int stop_all(void **state)
{
    (void)state;
    remove_tree(scratch);
    return 0;
}

static const char *new_volume(struct arena *a)
{
    const char *path = str_format(a, "%s/%u", scratch, volumes++);

    assert_int_equal(power_raw(SYS_mkdirat, AT_FDCWD, path, 0755), 0);
    return path;
}

/* ---- what readers see ---- */

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

static bool exists(const char *volume, const char *name)
{
    ARENA_SCOPED a = {0};

    return access(str_format(&a, "%s/%s", volume, name), F_OK) == 0;
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

        count += !str_eqz(text, ".") && !str_eqz(text, "..") && !str_ends(text, STR(".incomplete"));
    }
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

/* Nothing that is wrong; a snapshot that is there is whole. */
static void check_visible(const char *volume, size_t foreign)
{
    bool snapshot = exists(volume, SNAPSHOT);

    for (size_t i = 0; i < server.count; i++) {
        ARENA_SCOPED a = {0};
        const struct hub_file *f = &files[i];
        const char *blob = str_format(&a, BLOBS "/%s", f->hex);

        /* What another program wrote there is its own word until a pull has shown it. */
        if (exists(volume, blob) && (i >= foreign || snapshot) &&
            !holds(volume, blob, f->bytes, f->size))
            fail_msg("cut %u: the blob of %s is wrong", seed, f->path);
        if (snapshot && !holds(volume, str_format(&a, SNAPSHOT "/%s", f->path), f->bytes, f->size))
            fail_msg("cut %u: %s in the snapshot is wrong or missing", seed, f->path);
    }
    if (exists(volume, REF) && (!snapshot || !holds(volume, REF, HUB_COMMIT, strlen(HUB_COMMIT))))
        fail_msg("cut %u: refs/main leads nowhere", seed);
    if (exists(volume, TREE_FILE) && !snapshot)
        fail_msg("cut %u: a listing without its snapshot", seed);
}

static void check_complete(const char *volume, bool worked)
{
    check_visible(volume, 0);
    if (!exists(volume, SNAPSHOT) || !exists(volume, REF) || !exists(volume, TREE_FILE))
        fail_msg("cut %u: the model is not whole", seed);
    if (count_names(volume, BLOBS) != server.count)
        fail_msg("cut %u: %zu blobs", seed, count_names(volume, BLOBS));
    if (worked && count_names(volume, REPO_DIR "/.hostler") != 0)
        fail_msg("cut %u: something is left in .hostler", seed);
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

static void pull(const char *volume)
{
    ARENA_SCOPED a = {0};
    char *argv[] = {str_dup(&a, STR("hf:" HUB_REPO)), str_dup(&a, STR("--volume")),
                    str_dup(&a, str_from(volume)),    str_dup(&a, STR("--takeover")),
                    str_dup(&a, STR("1s")),           NULL};
    char *environment[] = {str_format(&a, "HF_ENDPOINT=http://127.0.0.1:%u", server.port), NULL};
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
    check_complete(volume, server.answers > answers);
}

/* As huggingface_hub leaves a blob: whole, named by its digest, and not synced. */
static void put_foreign_blob(const char *volume, const struct hub_file *file)
{
    ARENA_SCOPED a = {0};
    const char *temp = str_format(&a, "%s/" BLOBS "/%s.incomplete", volume, file->hex);
    const char *name = str_format(&a, "%s/" BLOBS "/%s", volume, file->hex);
    int fd = openat(AT_FDCWD, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)file->size), 0);
    assert_int_equal(pwrite(fd, file->bytes, file->size, 0), file->size);
    (void)close(fd);
    assert_int_equal(renameat(AT_FDCWD, temp, AT_FDCWD, name), 0);
}

static void put_foreign(const char *volume, size_t count)
{
    static const char *const dirs[] = {"huggingface", "huggingface/hub", REPO_DIR,
                                       REPO_DIR "/snapshots", BLOBS};
    ARENA_SCOPED a = {0};

    for (size_t i = 0; count > 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++)
        assert_int_equal(mkdirat(AT_FDCWD, str_format(&a, "%s/%s", volume, dirs[i]), 0777), 0);
    for (size_t i = 0; i < count; i++)
        put_foreign_blob(volume, &files[i]);
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
static void cut_and_pull(struct power *ret_next, const struct power *history, size_t foreign)
{
    ARENA_SCOPED a = {0};
    struct power_cut cut = random_cut(history);
    const char *volume = new_volume(&a);

    power_make(volume, history, &cut);
    check_visible(volume, foreign);
    pull(volume);
    *ret_next = power_end();
    remove_tree(volume);
}

/* Finds so many blobs that another program wrote. */
static struct power first_pull(size_t foreign)
{
    ARENA_SCOPED a = {0};
    const char *volume = new_volume(&a);
    struct power history;

    power_begin(volume);
    put_foreign(volume, foreign);
    pull(volume);
    history = power_end();
    remove_tree(volume);
    return history;
}

static void run_cuts(unsigned from, unsigned count)
{
    for (unsigned round = from / CUTS_A_PULL; seed < from + count; round++) {
        size_t some[] = {0, 1, 0, server.count};
        size_t foreign = some[round % 4];
        struct power history = first_pull(foreign);

        for (unsigned i = 0; i < CUTS_A_PULL && seed < from + count; i++) {
            struct power next;

            power_random = ++seed;
            cut_and_pull(&next, &history, foreign);
            if (power_dice(2) == 0 && seed < from + count) {
                struct power last;

                seed++;
                cut_and_pull(&last, &next, foreign);
                power_free(&last);
            }
            power_free(&next);
        }
        power_free(&history);
    }
}

static void after_a_power_cut_at_any_moment_a_pull_ends_with_the_right_bytes(void **state)
{
    (void)state;
    hub_start(&server, files, 3);
    run_cuts(0, CUTS);
}

static void so_it_is_for_more_files_than_are_synced_singly(void **state)
{
    (void)state;
    server.count = FILES_MAX;
    server.listing = hub_listing(&server.arena, files, FILES_MAX);
    run_cuts(CUTS, CUTS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_power_cut_at_any_moment_a_pull_ends_with_the_right_bytes),
        cmocka_unit_test(so_it_is_for_more_files_than_are_synced_singly),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
