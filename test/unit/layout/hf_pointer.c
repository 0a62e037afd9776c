#include "layout/hf_pointer.h"

#include <errno.h>

#include "hub.h"

/*
 * Filesystems without links, played by a filter of system calls. A filter cannot be taken away
 * again, so the tests stand in this order: without symbolic links, then without hard links too.
 */

static const struct content contents[] = {
    {"config.json", "{}", false},
    {"empty.txt", "", false},
    {"sub/empty.txt", "", false},
    {"sub/same.bin", "0123456789 weights", true},
    {"weights.bin", "0123456789 weights", true},
    {0},
};

static nlink_t links_of(const struct hub *h, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(h->scratch->fd, name, &st, 0), 0);
    return st.st_nlink;
}

static void assert_all_there(struct hub *h, const char *commit)
{
    for (const struct content *c = contents; c->path != NULL; c++)
        assert_string_equal(
            text_of(h, str_format(h->arena, REPO "snapshots/%s/%s", commit, c->path)), c->bytes);
}

static void without_symbolic_links_snapshots_are_hard_links(void **state)
{
    struct hub h;
    struct manifest m;

    assert_true(deny(SYS_symlinkat, EPERM));
    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    assert_pulled(&h, &m, contents, true);
    assert_non_null(strstr(h.notices, "hard links"));
    assert_non_null(strstr(h.notices, "no view"));
    assert_all_there(&h, COMMIT_A);
    assert_string_equal(link_of(&h, SNAP_A "weights.bin"), "(no link)");
    assert_int_equal(links_of(&h, SNAP_A "weights.bin"), 3);
    assert_true(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.hashed, 0);
    m.commit = COMMIT_B;
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_all_there(&h, COMMIT_B);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void without_any_links_blobs_are_moved_and_copied(void **state)
{
    struct hub h;
    struct manifest m;

    assert_true(deny(SYS_linkat, EPERM));
    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    assert_pulled(&h, &m, contents, true);
    assert_non_null(strstr(h.notices, "neither"));
    assert_all_there(&h, COMMIT_A);
    assert_false(scratch_has(
        *state, str_format(h.arena, REPO "blobs/%s", hex_of(&h, contents[4].bytes, true))));
    assert_true(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 0);
    m.commit = COMMIT_B;
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 0);
    assert_all_there(&h, COMMIT_B);
    assert_true(hub_complete(&h, &m, true));
    m.commit = COMMIT_A;
    assert_true(hub_complete(&h, &m, false) || hub_pull(&h, &m, contents, true) == 0);
    assert_int_equal(h.fetched, 0);
    /* a copy that was written to counts no more */
    put(&h, SNAP_A "sub/same.bin", "9876543210 weights");
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_all_there(&h, COMMIT_A);
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(without_symbolic_links_snapshots_are_hard_links),
        SCRATCH_TEST(without_any_links_blobs_are_moved_and_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
