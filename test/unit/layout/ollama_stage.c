#include "layout/ollama_stage.h"

#include <signal.h>

#include "ollama.h"
#include "sys/flock.h"

#define OWN "ollama/.hostler/models/registry.ollama.ai/library/m/t"

/* A model with one large file, its place open. */
static struct manifest opened(struct hub *h, struct scratch *s, struct content contents[static 3])
{
    struct manifest m;

    hub_init(h, s);
    contents[0] = (struct content){"config", "{}", true};
    contents[1] = (struct content){"model", large_bytes(h), true};
    contents[2] = (struct content){0};
    m = model_of(h, "ollama:m:t", contents);
    assert_int_equal(hub_open(h, &m), 0);
    return m;
}

static const char *folder_of(const struct hub *h, const struct model_file *file)
{
    char hex[DIGEST_HEX + 1];

    return str_format(h->arena, "ollama/.hostler/sha256-%s", digest_format(&file->digest, hex));
}

static int stage(struct hub *h, const struct model_file *file, bool make)
{
    int dirfd = -7;

    if (h->place.layout->open_staging(&dirfd, &h->place, file, make, &h->err) < 0)
        fail_msg("%s", h->err.msg);
    return dirfd;
}

static void a_large_blob_is_staged_in_a_folder_of_its_own_that_goes_when_it_is_empty(void **state)
{
    struct content contents[3];
    struct hub h;
    struct manifest m = opened(&h, *state, contents);
    const struct model_file *model = manifest_find(&m, "model");
    int dirfd;

    assert_int_equal(stage(&h, manifest_find(&m, "config"), true), -1);
    assert_int_equal(stage(&h, model, false), -1);
    assert_false(scratch_has(*state, folder_of(&h, model)));
    dirfd = stage(&h, model, true);
    assert_true(dirfd >= 0);
    assert_true(scratch_has(*state, folder_of(&h, model)));
    h.place.layout->leave_staging(&h.place, model, &dirfd);
    assert_int_equal(dirfd, -1);
    assert_false(scratch_has(*state, folder_of(&h, model)));
    assert_true(scratch_has(*state, OWN));
    assert_pulled(&h, &m, contents, true);
    assert_false(scratch_has(*state, folder_of(&h, model)));
    layout_close(&h.place);
    assert_false(scratch_has(*state, "ollama/.hostler"));
    hub_done(&h);
}

static void a_folder_that_holds_something_or_that_another_has_open_stays(void **state)
{
    struct content contents[3];
    struct hub h;
    struct manifest m = opened(&h, *state, contents);
    const struct model_file *model = manifest_find(&m, "model");
    int first = stage(&h, model, true);
    int second = stage(&h, model, true);

    h.place.layout->leave_staging(&h.place, model, &first);
    assert_true(scratch_has(*state, folder_of(&h, model)));
    put(&h, str_format(h.arena, "%s/file", folder_of(&h, model)), "staged");
    h.place.layout->leave_staging(&h.place, model, &second);
    assert_true(scratch_has(*state, folder_of(&h, model)));
    first = stage(&h, model, false);
    assert_true(first >= 0);
    assert_int_equal(unlinkat(first, "file", 0), 0);
    h.place.layout->leave_staging(&h.place, model, &first);
    assert_false(scratch_has(*state, folder_of(&h, model)));
    hub_done(&h);
}

static void a_place_that_another_has_open_keeps_its_folder(void **state)
{
    struct content contents[3];
    struct hub h;
    struct manifest m = opened(&h, *state, contents);
    struct layout_place other;

    assert_int_equal(layout_open(&other, h.arena, &h.config, &m.ref, &h.err), 0);
    layout_close(&h.place);
    assert_true(scratch_has(*state, OWN));
    layout_close(&other);
    assert_false(scratch_has(*state, "ollama/.hostler"));
    hub_done(&h);
}

/* As the keeper of a lease does, who goes on with a copy of the descriptor. */
static void a_lease_that_is_kept_longer_than_the_place_locks_nobody_out(void **state)
{
    struct content contents[3];
    struct hub h;
    struct manifest m = opened(&h, *state, contents);
    int keeper = dup(h.place.staging_fd);
    int other;

    put(&h, OWN "/lease", "held");
    layout_close(&h.place);
    other = openat(h.scratch->fd, OWN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(other, LOCK_SH | LOCK_NB), 0);
    (void)close(other);
    assert_int_equal(hub_open(&h, &m), 0);
    remove_all(&h, OWN "/lease");
    (void)close(keeper);
    hub_done(&h);
}

/* Two gave it up at the same moment, the other removed it, and a third has made it anew. */
static void a_folder_that_was_made_anew_is_not_removed_for_the_old_one(void **state)
{
    struct content contents[3];
    struct hub h;
    struct manifest m = opened(&h, *state, contents);
    struct layout_place third;

    assert_int_equal(unlinkat(h.scratch->fd, OWN, AT_REMOVEDIR), 0);
    assert_int_equal(layout_open(&third, h.arena, &h.config, &m.ref, &h.err), 0);
    layout_close(&h.place);
    assert_true(scratch_has(*state, OWN));
    layout_close(&third);
    assert_false(scratch_has(*state, OWN));
    hub_done(&h);
}

/* However many come and go, who has a folder open can make a file in it. */
static void a_folder_that_is_held_is_there(void **state)
{
    struct content contents[3];
    struct hub h;
    struct manifest m = opened(&h, *state, contents);
    const struct model_file *model = manifest_find(&m, "model");
    int status = 0;
    pid_t other;

    layout_close(&h.place);
    (void)fflush(NULL);
    other = fork();
    for (int i = 0; i < 300 && status == 0; i++) {
        int dirfd = -1;
        int fd;

        if (hub_open(&h, &m) < 0 ||
            h.place.layout->open_staging(&dirfd, &h.place, model, true, &h.err) < 0) {
            status = 1;
            break;
        }
        fd = openat(dirfd, other == 0 ? "a" : "b", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || unlinkat(dirfd, other == 0 ? "a" : "b", 0) < 0)
            status = 2;
        (void)close(fd);
        h.place.layout->leave_staging(&h.place, model, &dirfd);
        layout_close(&h.place);
    }
    if (other == 0)
        _exit(status);
    assert_int_equal(status, 0);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_large_blob_is_staged_in_a_folder_of_its_own_that_goes_when_it_is_empty),
        SCRATCH_TEST(a_folder_that_holds_something_or_that_another_has_open_stays),
        SCRATCH_TEST(a_place_that_another_has_open_keeps_its_folder),
        SCRATCH_TEST(a_lease_that_is_kept_longer_than_the_place_locks_nobody_out),
        SCRATCH_TEST(a_folder_that_was_made_anew_is_not_removed_for_the_old_one),
        SCRATCH_TEST(a_folder_that_is_held_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
