#include "layout/hf_place.h"

#include <dirent.h>

#include "hub.h"

/* What stands where we open, make or rename, put there by somebody who means ill. */

static const struct content contents[] = {
    {"config.json", "{}", false},
    {"sub/weights.bin", "0123456789 weights", true},
    {0},
};

static struct manifest model(struct hub *h)
{
    return listing(h, "org/name", "main", COMMIT_A, contents);
}

/* Everything in outside/ as it was, and nothing new. */
static void assert_untouched(const struct hub *h)
{
    size_t names = 0;
    DIR *dir = opendir(hub_path(h, "outside"));

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        names++;
    (void)closedir(dir);
    assert_int_equal(names, 2 + 1);
    assert_string_equal(text_of(h, "outside/secret"), "stays");
    assert_int_equal(mode_of(h, "outside/secret"), 0600);
}

/* A folder of the cache that is a link to a folder outside, or within the cache. */
static void a_folder_that_is_a_link_is_refused(void **state)
{
    static const char *const names[] = {
        "huggingface/hub/models--org--name",
        REPO "snapshots",
        REPO "blobs",
        REPO "refs",
        REPO "trees",
        REPO ".hostler",
        REPO "snapshots/" COMMIT_A,
        SNAP_A "sub",
    };
    static const char *const texts[] = {"/outside", "../../../../../outside", "../../../outside",
                                        "../../models--other--name"};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    put(&h, "outside/secret", "stays");
    assert_int_equal(chmod(hub_path(&h, "outside/secret"), 0600), 0);
    put(&h, "huggingface/hub/models--other--name/x", "");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            const char *text = j == 0 ? hub_path(&h, "outside") : texts[j];

            put_link(&h, text, names[i]);
            if (hub_pull(&h, &m, contents, true) == 0)
                fail_msg("%s -> %s was followed", names[i], text);
            if (h.err.code != ERR_LIMIT)
                fail_msg("%s -> %s: %s", names[i], text, h.err.msg);
            assert_untouched(&h);
            layout_close(&h.place);
            (void)unlinkat(h.scratch->fd, "huggingface/hub/models--org--name", 0);
            (void)remove_tree(hub_path(&h, "huggingface/hub/models--org--name"));
        }
    }
    assert_pulled(&h, &m, contents, true);
    hub_done(&h);
}

static void a_blob_that_is_a_link_elsewhere_is_refused(void **state)
{
    static const char *const texts[] = {
        "../../../outside/secret",
        "../../../../../../../etc/passwd",
        "/etc/passwd",
        "0123",
        "../../blobs/01/" XET, /* the right form, but there is no marker */
        "../../blobs/02/" XET,
        "../../blobs/01/../01/" XET,
        "../../../hub/blobs/01/" XET,
    };
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    put(&h, "outside/secret", "stays");
    assert_int_equal(chmod(hub_path(&h, "outside/secret"), 0600), 0);
    put(&h, "huggingface/hub/blobs/01/" XET, contents[1].bytes);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *name =
            str_format(h.arena, REPO "blobs/%s", hex_of(&h, contents[1].bytes, true));

        put_link(&h, texts[i], name);
        assert_int_equal(hub_pull(&h, &m, contents, true), -1);
        if (h.err.code != ERR_LIMIT || strstr(h.err.msg, name + strlen("huggingface")) == NULL)
            fail_msg("-> %s: %s", texts[i], h.err.msg);
        assert_untouched(&h);
        remove_all(&h, name);
    }
    hub_done(&h);
}

static void a_blob_that_is_a_folder_or_a_fifo_is_refused(void **state)
{
    struct hub h;
    struct manifest m;
    const char *name;

    hub_init(&h, *state);
    m = model(&h);
    name = str_format(h.arena, REPO "blobs/%s", hex_of(&h, "{}", false));
    make_dirs(&h, name);
    assert_int_equal(hub_pull(&h, &m, contents, true), -1);
    assert_int_equal(h.err.code, ERR_LIMIT);
    remove_all(&h, name);
    assert_int_equal(mkfifoat(h.scratch->fd, name, 0666), 0);
    assert_int_equal(hub_pull(&h, &m, contents, true), -1);
    assert_int_equal(h.err.code, ERR_LIMIT);
    hub_done(&h);
}

static void a_pointer_that_leads_elsewhere_is_replaced_and_its_target_left(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    put(&h, "outside/secret", "stays");
    assert_int_equal(chmod(hub_path(&h, "outside/secret"), 0600), 0);
    put_link(&h, "../../../../../outside/secret", SNAP_A "config.json");
    put(&h, SNAP_A "sub/weights.bin", "other bytes");
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_untouched(&h);
    assert_string_equal(text_of(&h, SNAP_A "config.json"), "{}");
    assert_string_equal(text_of(&h, SNAP_A "sub/weights.bin"), contents[1].bytes);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_folder_where_a_file_belongs_is_refused(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    put(&h, SNAP_A "config.json/file", "somebody's");
    assert_int_equal(hub_pull(&h, &m, contents, true), -1);
    assert_int_equal(h.err.code, ERR_LIMIT);
    assert_string_equal(text_of(&h, SNAP_A "config.json/file"), "somebody's");
    hub_done(&h);
}

static void a_ref_that_is_a_link_is_replaced_and_not_written_through(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    put(&h, REPO "precious", COMMIT_B);
    put_link(&h, "../precious", REPO "refs/main");
    assert_int_equal(hub_open(&h, &m), 0);
    assert_null(h.place.layout->local_commit(&h.place, "main"));
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(text_of(&h, REPO "precious"), COMMIT_B);
    assert_string_equal(link_of(&h, REPO "refs/main"), "(no link)");
    assert_string_equal(text_of(&h, REPO "refs/main"), COMMIT_A);
    hub_done(&h);
}

static void revisions_and_commits_that_climb_are_refused(void **state)
{
    static const char *const revisions[] = {"../x", "a/../../x", "/x", "a//b", ".", "refs/../../x"};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    for (size_t i = 0; i < sizeof(revisions) / sizeof(revisions[0]); i++) {
        m.ref.revision = revisions[i];
        assert_int_equal(hub_pull(&h, &m, contents, true), -1);
        assert_int_equal(h.err.code, ERR_LIMIT);
    }
    m = model(&h);
    m.commit = "../../../../../../x";
    assert_int_equal(hub_pull(&h, &m, contents, true), -1);
    assert_int_equal(h.err.code, ERR_LIMIT);
    assert_false(hub_complete(&h, &m, true));
    m = model(&h);
    m.ref.revision = COMMIT_B;
    assert_int_equal(hub_pull(&h, &m, contents, true), -1);
    assert_int_equal(h.err.code, ERR_LIMIT);
    hub_done(&h);
}

static void a_branch_below_the_name_of_an_old_one_says_what_to_remove(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h);
    m.ref.revision = "feature";
    assert_pulled(&h, &m, contents, true);
    m.ref.revision = "feature/new";
    assert_int_equal(hub_pull(&h, &m, contents, true), -1);
    assert_non_null(strstr(h.err.msg, "/refs/feature should be a directory of its own"));
    assert_non_null(strstr(err_hint_of(&h.err), "a revision of that name"));
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_folder_that_is_a_link_is_refused),
        SCRATCH_TEST(a_blob_that_is_a_link_elsewhere_is_refused),
        SCRATCH_TEST(a_blob_that_is_a_folder_or_a_fifo_is_refused),
        SCRATCH_TEST(a_pointer_that_leads_elsewhere_is_replaced_and_its_target_left),
        SCRATCH_TEST(a_folder_where_a_file_belongs_is_refused),
        SCRATCH_TEST(a_ref_that_is_a_link_is_replaced_and_not_written_through),
        SCRATCH_TEST(revisions_and_commits_that_climb_are_refused),
        SCRATCH_TEST(a_branch_below_the_name_of_an_old_one_says_what_to_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
