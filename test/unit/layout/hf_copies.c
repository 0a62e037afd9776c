#include <errno.h>

#include "hub.h"
#include "layout/hf_pointer.h"
#include "sys/file.h"

/*
 * Symbolic links but no hard ones: another filesystem under the store, or the kernel forbids them
 * on what others own. The filter stays, so every test here runs under it.
 */

static const struct content contents[] = {{"weights.bin", "0123456789 weights", true}, {0}};

static void begin(struct hub *h, struct scratch *s)
{
    hub_init(h, s);
    assert_true(deny(SYS_linkat, EPERM));
}

static void plain_files_become_blobs_by_copy_and_every_commit_is_complete(void **state)
{
    struct hub h;
    struct manifest m;

    begin(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_B, contents);
    put(&h, SNAP_A "weights.bin", contents[0].bytes);
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 1);
    assert_string_equal(text_of(&h, SNAP_B "weights.bin"), contents[0].bytes);
    assert_true(hub_complete(&h, &m, true));
    /* The record is the new blob's: the plain file gives way to a link to it. */
    m.commit = COMMIT_A;
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 0);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void an_entry_of_the_shared_store_is_copied(void **state)
{
    struct hub h;
    struct manifest m;

    begin(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    m.files[0].xet = XET;
    put(&h, "huggingface/hub/blobs/.huggingface-shared-blobs", "1\n");
    put(&h, "huggingface/hub/blobs/01/" XET, contents[0].bytes);
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_string_equal(text_of(&h, SNAP_A "weights.bin"), contents[0].bytes);
    assert_true(hub_complete(&h, &m, true));
    assert_int_equal(
        mode_of(&h, str_format(h.arena, REPO "blobs/%s", hex_of(&h, contents[0].bytes, true))),
        0666 & ~file_umask());
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(plain_files_become_blobs_by_copy_and_every_commit_is_complete),
        SCRATCH_TEST(an_entry_of_the_shared_store_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
