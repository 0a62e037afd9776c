#include "layout/hf_fold.h"

#include "hub.h"
#include "sys/fd.h"

static bool possible(struct hub *h, const struct content *contents)
{
    struct manifest m = listing(h, "org/name", "main", COMMIT_A, contents);

    return hf_fold_possible(&m);
}

static void names_that_differ_in_more_than_case_need_no_trying(void **state)
{
    static const struct content usual[] = {{"README.md", "a", false},
                                           {"config.json", "b", false},
                                           {"readme.txt", "c", false},
                                           {"sub/.hidden", "d", false},
                                           {0}};
    struct hub h;

    hub_init(&h, *state);
    assert_false(possible(&h, usual));
    assert_false(possible(&h, (struct content[]){{0}}));
    hub_done(&h);
}

static void names_that_might_meet_somewhere_are_tried(void **state)
{
    static const struct content cases[][4] = {
        {{"A/x", "1", false}, {"B", "2", false}, {"a/X", "3", false}, {0}},
        {{"caf\xc3\xa9", "1", false}, {"x", "2", false}, {0}},
        {{"x", "1", false}, {"x.", "2", false}, {0}},
        {{"x /a", "1", false}, {"x/a", "2", false}, {0}},
        {{"MODEL~1.SAF", "1", false}, {"model.safetensors", "2", false}, {0}},
    };
    struct hub h;

    hub_init(&h, *state);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(possible(&h, cases[i]));
    hub_done(&h);
}

static void names_of_the_same_bytes_may_meet(void **state)
{
    static const struct content same[] = {
        {"A", "same", false}, {"a", "same", false}, {"b", "", false}, {0}};
    struct hub h;

    hub_init(&h, *state);
    assert_false(possible(&h, same));
    hub_done(&h);
}

static void a_filesystem_that_tells_them_apart_gets_them_all(void **state)
{
    static const struct content contents[] = {
        {"A/x", "1", false}, {"a/X", "2", false}, {"a/x", "3", false}, {0}};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    assert_pulled(&h, &m, contents, true);
    assert_true(hub_complete(&h, &m, true));
    for (const struct content *c = contents; c->path != NULL; c++)
        assert_string_equal(text_of(&h, str_format(h.arena, SNAP_A "%s", c->path)), c->bytes);
    hub_done(&h);
}

static void names_that_are_wanted_or_there_are_tried_and_no_others(void **state)
{
    static const struct content contents[] = {
        {"A", "1", false}, {"a", "2", false}, {"b", "3", false}, {0}};
    struct hub h;
    struct manifest m;
    FD_SCOPED fd = -1;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    m.files[1].wanted = false;
    m.files[2].wanted = false;
    assert_pulled(&h, &m, contents, false);
    m.files[0].wanted = false;
    m.files[1].wanted = true;
    assert_int_equal(hub_open(&h, &m), 0);
    make_dirs(&h, "scratch");
    fd = openat(h.scratch->fd, "scratch", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(hf_fold_try(&h.place, &m, fd, &h.err), 0);
    assert_true(scratch_has(*state, "scratch/A"));
    assert_true(scratch_has(*state, "scratch/a"));
    assert_false(scratch_has(*state, "scratch/b"));
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(names_that_differ_in_more_than_case_need_no_trying),
        SCRATCH_TEST(names_that_might_meet_somewhere_are_tried),
        SCRATCH_TEST(names_of_the_same_bytes_may_meet),
        SCRATCH_TEST(a_filesystem_that_tells_them_apart_gets_them_all),
        SCRATCH_TEST(names_that_are_wanted_or_there_are_tried_and_no_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
