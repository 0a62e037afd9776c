#include "layout/views.h"

#include "hub.h"

static const struct content contents[] = {{"config.json", "{}", false}, {0}};

static struct manifest model(struct hub *h, const char *repo, const char *revision,
                             const char *commit)
{
    return listing(h, repo, revision, commit, contents);
}

#define FOLDER_LINK "../huggingface/hub/models--org--name"
#define NAME_LINK   "../../huggingface/hub/models--org--name/snapshots/"

static void a_volume_that_was_moved_keeps_its_views(void **state)
{
    struct hub h;
    struct manifest m;
    char *moved;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    assert_pulled(&h, &m, contents, true);
    layout_close(&h.place);
    moved = str_format(h.arena, "%s-moved", h.scratch->path);
    assert_int_equal(rename(h.scratch->path, moved), 0);
    assert_string_equal(text_of(&h, "vllm/org/name/config.json"), "{}");
    assert_string_equal(text_of(&h, "vllm/models--org--name/refs/main"), COMMIT_A);
    assert_int_equal(rename(moved, h.scratch->path), 0);
    hub_done(&h);
}

static void a_link_at_the_volumes_root_is_followed_and_named_in_views(void **state)
{
    struct hub h;
    struct manifest m;
    char *elsewhere;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    elsewhere = str_format(h.arena, "%s-elsewhere", h.scratch->path);
    assert_int_equal(mkdir(elsewhere, 0777), 0);
    assert_int_equal(symlinkat(elsewhere, h.scratch->fd, "huggingface"), 0);
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(link_of(&h, "vllm/models--org--name"), FOLDER_LINK);
    assert_string_equal(text_of(&h, "vllm/org/name/config.json"), "{}");
    assert_true(hub_complete(&h, &m, true));
    layout_close(&h.place);
    assert_int_equal(remove_tree(elsewhere), 0);
    hub_done(&h);
}

static void a_view_root_that_is_a_link_gets_links_that_lead_there(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    make_dirs(&h, "deep/er/views");
    assert_int_equal(symlinkat("deep/er/views", h.scratch->fd, "vllm"), 0);
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(link_of(&h, "vllm/org/name"),
                        "../../../../huggingface/hub/models--org--name/snapshots/" COMMIT_A);
    assert_string_equal(text_of(&h, "vllm/org/name/config.json"), "{}");
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_hub_outside_of_the_volume_is_led_to_by_its_path(void **state)
{
    struct hub h;
    struct manifest m;
    char *elsewhere;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    elsewhere = str_format(h.arena, "%s-elsewhere", h.scratch->path);
    h.config.hf_hub = elsewhere;
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(link_of(&h, "vllm/models--org--name"),
                        str_format(h.arena, "%s/models--org--name", elsewhere));
    assert_true(hub_complete(&h, &m, true));
    layout_close(&h.place);
    assert_int_equal(remove_tree(elsewhere), 0);
    hub_done(&h);
}

static void the_old_cache_of_transformers_gets_its_view(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    h.config.transformers_cache = hub_path(&h, "huggingface");
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(link_of(&h, "huggingface/models--org--name"), "hub/models--org--name");
    assert_string_equal(link_of(&h, "huggingface/blobs"), "hub/blobs");
    assert_false(scratch_has(*state, "huggingface/org"));
    assert_true(hub_complete(&h, &m, true));
    remove_all(&h, "huggingface/models--org--name");
    assert_false(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_view_root_that_is_the_hub_gets_nothing(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    h.config.transformers_cache = h.config.hf_hub;
    assert_pulled(&h, &m, contents, true);
    assert_false(scratch_has(*state, "huggingface/hub/blobs"));
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void dangling_and_outdated_links_are_mended(void **state)
{
    static const char *const texts[] = {
        "/nowhere/at/all",
        "../../elsewhere/models--org--name/snapshots/" COMMIT_B,
        NAME_LINK COMMIT_B,
        "name",
    };
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    assert_pulled(&h, &m, contents, true);
    make_dirs(&h, REPO "snapshots/" COMMIT_B);
    make_dirs(&h, "elsewhere/models--org--name/snapshots/" COMMIT_B);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        remove_all(&h, "vllm/org/name");
        remove_all(&h, "vllm/models--org--name");
        put_link(&h, texts[i], "vllm/org/name");
        put_link(&h, "../old/models--org--name", "vllm/models--org--name");
        assert_false(hub_complete(&h, &m, true));
        assert_pulled(&h, &m, contents, true);
        assert_string_equal(link_of(&h, "vllm/org/name"), NAME_LINK COMMIT_A);
        assert_string_equal(link_of(&h, "vllm/models--org--name"), FOLDER_LINK);
        assert_true(hub_complete(&h, &m, true));
    }
    hub_done(&h);
}

static void a_link_of_another_text_to_the_right_place_stays(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    put_link(&h, hub_path(&h, "huggingface/hub/models--org--name"), "vllm/models--org--name");
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(link_of(&h, "vllm/models--org--name"),
                        hub_path(&h, "huggingface/hub/models--org--name"));
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void what_somebody_else_put_in_the_way_stays_and_is_named(void **state)
{
    static const char *const things[] = {
        "vllm/org/name/file",                   /* a model that was put there by hand */
        "vllm/models--org--name/file",          /* a cache of its own */
        "vllm/blobs/.huggingface-shared-blobs", /* a client was here first */
        "vllm/org",                             /* a file where a folder is needed */
        "vllm/org/name",
    };
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
        put(&h, things[i], "somebody's");
        assert_pulled(&h, &m, contents, true);
        assert_string_equal(text_of(&h, things[i]), "somebody's");
        if (strstr(h.notices, "is not ours") == NULL)
            fail_msg("no notice of %s: %s", things[i], h.notices);
        assert_true(hub_complete(&h, &m, true));
        remove_all(&h, "vllm");
    }
    hub_done(&h);
}

static void a_link_of_somebody_else_that_leads_somewhere_stays(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    put(&h, "finetuned/config.json", "better");
    put_link(&h, "../../finetuned", "vllm/org/name");
    put_link(&h, "../finetuned", "vllm/other");
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(link_of(&h, "vllm/org/name"), "../../finetuned");
    assert_non_null(strstr(h.notices, "vllm/org/name is not ours"));
    /* a link where the folder of an organisation would be is not written through */
    m = model(&h, "other/name", "main", COMMIT_A);
    assert_pulled(&h, &m, contents, true);
    assert_false(scratch_has(*state, "finetuned/name"));
    assert_non_null(strstr(h.notices, "vllm/other/name is not ours"));
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void names_that_collide_leave_the_first(void **state)
{
    struct hub h;
    struct manifest single;
    struct manifest below;

    hub_init(&h, *state);
    single = model(&h, "org", "main", COMMIT_A);
    below = model(&h, "org/name", "main", COMMIT_A);
    assert_pulled(&h, &single, contents, true);
    assert_string_equal(link_of(&h, "vllm/org"),
                        "../huggingface/hub/models--org/snapshots/" COMMIT_A);
    assert_pulled(&h, &below, contents, true);
    assert_non_null(strstr(h.notices, "vllm/org/name is not ours"));
    assert_true(hub_complete(&h, &below, true));
    assert_true(hub_complete(&h, &single, true));
    assert_false(scratch_has(*state, "huggingface/hub/models--org/snapshots/" COMMIT_A "/name"));
    hub_done(&h);
}

static void the_plain_name_belongs_to_the_default_revision(void **state)
{
    struct hub h;
    struct manifest v1;
    struct manifest v2;
    struct manifest main_one;

    hub_init(&h, *state);
    v1 = model(&h, "org/name", "v1", COMMIT_A);
    v2 = model(&h, "org/name", "v2", COMMIT_B);
    main_one = model(&h, "org/name", "main", COMMIT_B);
    assert_pulled(&h, &v1, contents, true);
    assert_string_equal(link_of(&h, "vllm/org/name"), NAME_LINK COMMIT_A);
    assert_pulled(&h, &v2, contents, true);
    assert_string_equal(link_of(&h, "vllm/org/name"), NAME_LINK COMMIT_B);
    assert_pulled(&h, &v1, contents, true);
    assert_string_equal(link_of(&h, "vllm/org/name"), NAME_LINK COMMIT_A);
    assert_pulled(&h, &main_one, contents, true);
    assert_string_equal(link_of(&h, "vllm/org/name"), NAME_LINK COMMIT_B);
    assert_true(hub_complete(&h, &v1, true));
    assert_pulled(&h, &v1, contents, true);
    assert_string_equal(link_of(&h, "vllm/org/name"), NAME_LINK COMMIT_B);
    hub_done(&h);
}

static void a_view_whose_folder_cannot_be_made_is_named(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model(&h, "org/name", "main", COMMIT_A);
    h.config.transformers_cache = "/proc/1/none";
    assert_pulled(&h, &m, contents, true);
    assert_non_null(strstr(h.notices, "/proc/1/none"));
    assert_string_equal(text_of(&h, "vllm/org/name/config.json"), "{}");
    h.config.transformers_cache = NULL;
    h.config.vllm_cache = "/dev/null/none";
    m.ref.revision = "v1";
    assert_pulled(&h, &m, contents, true);
    assert_non_null(strstr(h.notices, "/dev/null/none"));
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_volume_that_was_moved_keeps_its_views),
        SCRATCH_TEST(a_link_at_the_volumes_root_is_followed_and_named_in_views),
        SCRATCH_TEST(a_view_root_that_is_a_link_gets_links_that_lead_there),
        SCRATCH_TEST(a_hub_outside_of_the_volume_is_led_to_by_its_path),
        SCRATCH_TEST(the_old_cache_of_transformers_gets_its_view),
        SCRATCH_TEST(a_view_root_that_is_the_hub_gets_nothing),
        SCRATCH_TEST(dangling_and_outdated_links_are_mended),
        SCRATCH_TEST(a_link_of_another_text_to_the_right_place_stays),
        SCRATCH_TEST(what_somebody_else_put_in_the_way_stays_and_is_named),
        SCRATCH_TEST(a_link_of_somebody_else_that_leads_somewhere_stays),
        SCRATCH_TEST(names_that_collide_leave_the_first),
        SCRATCH_TEST(the_plain_name_belongs_to_the_default_revision),
        SCRATCH_TEST(a_view_whose_folder_cannot_be_made_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
