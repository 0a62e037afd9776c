#include <signal.h>

#include "hub.h"
#include "layout/hf_snapshot.h"
#include "layout/layout.h"

static const struct content contents[] = {
    {"README.md", "# A model", false},
    {"a/b/deep.json", "{\"deep\": 1}", false},
    {"config.json", "{}", false},
    {"empty.txt", "", false},
    {"model.safetensors", "0123456789 weights", true},
    {0},
};

static struct manifest model(struct hub *h)
{
    return listing(h, "org/name", "main", COMMIT_A, contents);
}

static void a_pull_makes_what_huggingface_hub_reads(void **state)
{
    struct hub h;
    struct manifest m;
    const char *weights;

    hub_init(&h, *state);
    m = model(&h);
    assert_pulled(&h, &m, contents, true);
    weights = hex_of(&h, contents[4].bytes, true);
    assert_string_equal(link_of(&h, SNAP_A "model.safetensors"),
                        str_format(h.arena, "../../blobs/%s", weights));
    assert_string_equal(
        link_of(&h, SNAP_A "a/b/deep.json"),
        str_format(h.arena, "../../../../blobs/%s", hex_of(&h, contents[1].bytes, false)));
    assert_string_equal(text_of(&h, SNAP_A "a/b/deep.json"), contents[1].bytes);
    assert_string_equal(text_of(&h, SNAP_A "empty.txt"), "");
    assert_string_equal(text_of(&h, str_format(h.arena, REPO "blobs/%s", weights)),
                        contents[4].bytes);
    assert_string_equal(text_of(&h, REPO "refs/main"), COMMIT_A);
    assert_int_equal(strlen(text_of(&h, "huggingface/hub/CACHEDIR.TAG")), 191);
    assert_string_equal(link_of(&h, "vllm/models--org--name"),
                        "../huggingface/hub/models--org--name");
    assert_string_equal(link_of(&h, "vllm/org/name"),
                        "../../huggingface/hub/models--org--name/snapshots/" COMMIT_A);
    assert_string_equal(link_of(&h, "vllm/blobs"), "../huggingface/hub/blobs");
    assert_true(scratch_has(*state, REPO "trees/" COMMIT_A ".json"));
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void nothing_is_left_behind_by_a_pull(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    assert_pulled(&h, &m, contents, true);
    layout_close(&h.place);
    /* only empty folders can be removed */
    assert_int_equal(unlinkat(h.scratch->fd, REPO ".hostler", AT_REMOVEDIR), 0);
    hub_done(&h);
}

static void the_second_pull_fetches_and_hashes_nothing(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 5);
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 0);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void whatever_name_is_lost_the_model_is_incomplete_and_is_mended(void **state)
{
    static const char *const names[] = {
        SNAP_A "config.json",
        SNAP_A "a/b/deep.json",
        SNAP_A "a",
        REPO "refs/main",
        REPO "trees",
        "vllm/org/name",
        "vllm/org",
        "vllm/models--org--name",
        "vllm/blobs",
        "vllm",
        SNAP_A,
        REPO "blobs",
        REPO,
    };
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    assert_pulled(&h, &m, contents, true);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        remove_all(&h, names[i]);
        assert_false(hub_complete(&h, &m, true));
        assert_pulled(&h, &m, contents, true);
        assert_true(hub_complete(&h, &m, true));
        assert_string_equal(text_of(&h, "vllm/org/name/a/b/deep.json"), contents[1].bytes);
    }
    hub_done(&h);
}

static void a_blob_that_was_touched_is_hashed_once_and_not_fetched(void **state)
{
    struct hub h;
    struct manifest m;
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    hub_init(&h, *state);
    m = model(&h);
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(utimensat(h.scratch->fd, SNAP_A "config.json", times, 0), 0);
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.hashed, 1);
    assert_int_equal(h.fetched, 0);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

/* As a volume copied with its times is: records rest on inodes too. */
static void a_blob_that_was_copied_with_its_time_is_hashed_once(void **state)
{
    struct hub h;
    struct manifest m;
    struct stat st;
    const char *blob;

    hub_init(&h, *state);
    m = model(&h);
    blob = str_format(h.arena, REPO "blobs/%s", hex_of(&h, contents[4].bytes, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(fstatat(h.scratch->fd, blob, &st, 0), 0);
    {
        struct timespec times[2] = {st.st_atim, st.st_mtim};

        assert_int_equal(renameat(h.scratch->fd, blob, h.scratch->fd, "kept"), 0);
        put(&h, blob, contents[4].bytes);
        assert_int_equal(utimensat(h.scratch->fd, blob, times, 0), 0);
    }
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.hashed, 1);
    assert_int_equal(h.fetched, 0);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_blob_of_wrong_bytes_or_wrong_size_is_fetched_and_replaced(void **state)
{
    static const char *const wrong[] = {"9876543210 weights", "0123", ""};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        put(&h, str_format(h.arena, REPO "blobs/%s", hex_of(&h, contents[4].bytes, true)),
            wrong[i]);
        assert_pulled(&h, &m, contents, true);
        assert_string_equal(text_of(&h, SNAP_A "model.safetensors"), contents[4].bytes);
        assert_true(hub_complete(&h, &m, true));
    }
    hub_done(&h);
}

static void a_selection_makes_no_listing_of_the_whole_but_a_named_commit_does(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    m.files[0].wanted = false;
    assert_pulled(&h, &m, contents, false);
    assert_false(scratch_has(*state, REPO "trees/" COMMIT_A ".json"));
    assert_false(scratch_has(*state, SNAP_A "README.md"));
    assert_true(hub_complete(&h, &m, false));
    m.ref.revision = COMMIT_A;
    assert_false(hub_complete(&h, &m, false));
    assert_pulled(&h, &m, contents, false);
    assert_true(scratch_has(*state, REPO "trees/" COMMIT_A ".json"));
    assert_false(scratch_has(*state, REPO "refs/" COMMIT_A));
    assert_true(hub_complete(&h, &m, false));
    hub_done(&h);
}

static void a_larger_selection_brings_only_the_difference(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    m.files[0].wanted = false;
    assert_pulled(&h, &m, contents, false);
    m.files[0].wanted = true;
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 1);
    assert_string_equal(text_of(&h, SNAP_A "README.md"), contents[0].bytes);
    hub_done(&h);
}

static void revisions_have_names_of_their_own_and_share_blobs(void **state)
{
    static const struct content next[] = {
        {"config.json", "{}", false},
        {"model.safetensors", "other weights", true},
        {0},
    };
    struct hub h;
    struct manifest m;
    struct manifest pr;

    hub_init(&h, *state);
    m = model(&h);
    pr = listing(&h, "org/name", "refs/pr/1", COMMIT_B, next);
    assert_pulled(&h, &m, contents, true);
    assert_pulled(&h, &pr, next, true);
    assert_int_equal(h.fetched, 1);
    assert_string_equal(text_of(&h, REPO "refs/refs/pr/1"), COMMIT_B);
    assert_string_equal(text_of(&h, REPO "refs/main"), COMMIT_A);
    assert_string_equal(text_of(&h, SNAP_B "model.safetensors"), "other weights");
    assert_true(hub_complete(&h, &m, true));
    assert_true(hub_complete(&h, &pr, true));
    assert_int_equal(hub_open(&h, &m), 0);
    assert_string_equal(h.place.layout->local_commit(&h.place, "refs/pr/1"), COMMIT_B);
    assert_null(h.place.layout->local_commit(&h.place, "v9"));
    assert_string_equal(h.place.layout->local_commit(&h.place, COMMIT_B), COMMIT_B);
    hub_done(&h);
}

static void a_moved_branch_gets_its_new_commit_and_keeps_the_old_snapshot(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    assert_pulled(&h, &m, contents, true);
    m.commit = COMMIT_B;
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_string_equal(text_of(&h, REPO "refs/main"), COMMIT_B);
    assert_string_equal(text_of(&h, SNAP_A "config.json"), "{}");
    assert_string_equal(link_of(&h, "vllm/org/name"),
                        "../../huggingface/hub/models--org--name/snapshots/" COMMIT_B);
    hub_done(&h);
}

static void a_ref_with_a_newline_is_understood_and_mended(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    assert_pulled(&h, &m, contents, true);
    put(&h, REPO "refs/main", COMMIT_A "\n");
    assert_false(hub_complete(&h, &m, true));
    assert_int_equal(hub_open(&h, &m), 0);
    assert_string_equal(h.place.layout->local_commit(&h.place, "main"), COMMIT_A);
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(text_of(&h, REPO "refs/main"), COMMIT_A);
    put(&h, REPO "refs/main", "");
    assert_null(h.place.layout->local_commit(&h.place, "main"));
    put(&h, REPO "refs/main", "../../../../../../../../../etc/passwd/aa");
    assert_null(h.place.layout->local_commit(&h.place, "main"));
    hub_done(&h);
}

static void refs_come_after_listings_and_listings_after_the_snapshot(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    put(&h, REPO "trees", "in the way");
    assert_int_equal(hub_pull(&h, &m, contents, true), -1);
    assert_true(scratch_has(*state, SNAP_A "config.json"));
    assert_false(scratch_has(*state, REPO "refs/main"));
    remove_all(&h, REPO "trees");
    put(&h, REPO "refs", "in the way");
    assert_int_equal(hub_pull(&h, &m, contents, true), -1);
    assert_true(scratch_has(*state, REPO "trees/" COMMIT_A ".json"));
    assert_false(scratch_has(*state, "vllm/org/name"));
    hub_done(&h);
}

static void without_all_blobs_no_snapshot_appears(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    assert_int_equal(hub_open(&h, &m), 0);
    assert_int_equal(hub_bring(&h, &m.files[0], contents[0].bytes), 0);
    assert_int_equal(h.place.layout->publish_model(&h.place, &m, true, &h.err), -1);
    assert_int_equal(h.err.code, ERR_VOLUME);
    assert_false(scratch_has(*state, REPO "snapshots/" COMMIT_A));
    assert_false(scratch_has(*state, REPO "refs/main"));
    hub_done(&h);
}

static void leftovers_of_a_killed_run_are_removed_and_links_in_them_not_followed(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    put(&h, "precious/file", "stays");
    put(&h, REPO ".hostler/snapshot-0123/a/b", "x");
    put_link(&h, "../../../../../precious", REPO ".hostler/snapshot-0123/link");
    put(&h, REPO ".hostler/duplicate-0123", "x");
    put(&h, REPO ".hostler/tmp-0123", "x");
    put(&h, REPO ".hostler/link-0123", "x");
    put(&h, REPO ".hostler/lease", "x");
    assert_pulled(&h, &m, contents, true);
    assert_false(scratch_has(*state, REPO ".hostler/snapshot-0123"));
    assert_false(scratch_has(*state, REPO ".hostler/duplicate-0123"));
    assert_false(scratch_has(*state, REPO ".hostler/tmp-0123"));
    assert_false(scratch_has(*state, REPO ".hostler/link-0123"));
    assert_true(scratch_has(*state, REPO ".hostler/lease"));
    assert_string_equal(text_of(&h, "precious/file"), "stays");
    hub_done(&h);
}

/* Two that hold the lease: one publishes while the other begins again and again. */
static void one_that_sweeps_does_not_make_another_fail(void **state)
{
    struct hub h;
    struct manifest m;
    struct layout_place other;
    pid_t sweeper;
    int failed = 0;

    hub_init(&h, *state);
    m = model(&h);
    assert_pulled(&h, &m, contents, true);
    sweeper = fork();
    while (sweeper == 0) {
        if (layout_open(&other, h.arena, &h.config, &m.ref, &h.err) < 0)
            _exit(1);
        hf_snapshot_begin(&other);
        layout_close(&other);
    }
    for (int i = 0; i < 15 && failed == 0; i++) {
        m.commit = str_format(h.arena, "%040d", i);
        failed = h.place.layout->publish_model(&h.place, &m, true, &h.err);
    }
    (void)kill(sweeper, SIGKILL);
    (void)waitpid(sweeper, NULL, 0);
    if (failed != 0)
        fail_msg("%s", h.err.msg);
    hub_done(&h);
}

static void a_place_that_was_only_opened_leaves_no_folder(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    assert_int_equal(hub_open(&h, &m), 0);
    assert_true(scratch_has(*state, REPO "snapshots"));
    layout_close(&h.place);
    assert_false(scratch_has(*state, "huggingface/hub/models--org--name"));
    hub_done(&h);
}

static void a_place_that_another_has_open_keeps_its_folder(void **state)
{
    struct hub h;
    struct manifest m;
    struct layout_place other;

    hub_init(&h, *state);
    m = model(&h);
    assert_int_equal(hub_open(&h, &m), 0);
    assert_int_equal(layout_open(&other, h.arena, &h.config, &m.ref, &h.err), 0);
    layout_close(&h.place);
    assert_true(scratch_has(*state, REPO ".hostler"));
    layout_close(&other);
    assert_false(scratch_has(*state, REPO ".hostler"));
    hub_done(&h);
}

static void looking_makes_nothing(void **state)
{
    struct hub h;
    struct manifest m;
    struct blob_found found;

    hub_init(&h, *state);
    m = model(&h);
    h.config.read_only = true;
    assert_int_equal(hub_open(&h, &m), 0);
    assert_int_equal(h.place.staging_fd, -1);
    assert_int_equal(h.place.layout->find(&found, &h.place, &m.files[0], &h.err), 0);
    assert_int_equal(found.state, BLOB_ABSENT);
    assert_false(h.place.layout->complete(&h.place, &m, true));
    assert_null(h.place.layout->local_commit(&h.place, "main"));
    layout_close(&h.place);
    assert_false(scratch_has(*state, "huggingface"));
    assert_false(scratch_has(*state, "vllm"));
    hub_done(&h);
}

static void modes_come_from_the_umask_and_folders_from_the_root(void **state)
{
    static const mode_t masks[] = {0022, 0027, 0002, 0077};
    struct hub h;
    struct manifest m;
    const char *blob;
    mode_t before = umask(0);

    hub_init(&h, *state);
    blob = str_format(h.arena, REPO "blobs/%s", hex_of(&h, "{}", false));
    m = model(&h);
    assert_int_equal(chmod(h.scratch->path, 02775), 0);
    assert_int_equal(fstat(h.scratch->fd, &h.volume.root), 0);
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        (void)umask(masks[i]);
        assert_pulled(&h, &m, contents, true);
        assert_int_equal(mode_of(&h, blob), 0666 & ~masks[i]);
        assert_int_equal(mode_of(&h, REPO "refs/main"), 0666 & ~masks[i]);
        assert_int_equal(mode_of(&h, REPO "trees/" COMMIT_A ".json"), 0666 & ~masks[i]);
        assert_int_equal(mode_of(&h, SNAP_A "a"), mode_of(&h, REPO "blobs"));
        assert_int_equal(mode_of(&h, "vllm/org"), mode_of(&h, REPO "blobs"));
        assert_true((mode_of(&h, REPO "blobs") & S_ISGID) != 0);
        assert_int_equal((mode_of(&h, REPO "blobs") & S_IWGRP) != 0, (masks[i] & S_IRGRP) == 0);
        remove_all(&h, "huggingface");
        remove_all(&h, "vllm");
    }
    (void)umask(before);
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_pull_makes_what_huggingface_hub_reads),
        SCRATCH_TEST(nothing_is_left_behind_by_a_pull),
        SCRATCH_TEST(the_second_pull_fetches_and_hashes_nothing),
        SCRATCH_TEST(whatever_name_is_lost_the_model_is_incomplete_and_is_mended),
        SCRATCH_TEST(a_blob_that_was_touched_is_hashed_once_and_not_fetched),
        SCRATCH_TEST(a_blob_that_was_copied_with_its_time_is_hashed_once),
        SCRATCH_TEST(a_blob_of_wrong_bytes_or_wrong_size_is_fetched_and_replaced),
        SCRATCH_TEST(a_selection_makes_no_listing_of_the_whole_but_a_named_commit_does),
        SCRATCH_TEST(a_larger_selection_brings_only_the_difference),
        SCRATCH_TEST(revisions_have_names_of_their_own_and_share_blobs),
        SCRATCH_TEST(a_moved_branch_gets_its_new_commit_and_keeps_the_old_snapshot),
        SCRATCH_TEST(a_ref_with_a_newline_is_understood_and_mended),
        SCRATCH_TEST(refs_come_after_listings_and_listings_after_the_snapshot),
        SCRATCH_TEST(without_all_blobs_no_snapshot_appears),
        SCRATCH_TEST(leftovers_of_a_killed_run_are_removed_and_links_in_them_not_followed),
        SCRATCH_TEST(one_that_sweeps_does_not_make_another_fail),
        SCRATCH_TEST(a_place_that_was_only_opened_leaves_no_folder),
        SCRATCH_TEST(a_place_that_another_has_open_keeps_its_folder),
        SCRATCH_TEST(looking_makes_nothing),
        SCRATCH_TEST(modes_come_from_the_umask_and_folders_from_the_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
