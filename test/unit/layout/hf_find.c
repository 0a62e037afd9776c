#include "layout/hf_find.h"

#include "hub.h"
#include "sys/fd.h"

#define OTHER "huggingface/hub/models--other--name/"

/* Large enough to be looked for in other repositories. */
static const char *large_bytes(struct hub *h)
{
    size_t len = (size_t)1 << 20;
    char *bytes = arena_array(h->arena, char, len + 1);

    memset(bytes, 'w', len);
    return bytes;
}

static ino_t inode_of(const struct hub *h, const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(h->scratch->fd, name, &st, 0), 0);
    return st.st_ino;
}

static void plain_files_of_a_snapshot_count_and_stay(void **state)
{
    static const struct content contents[] = {
        {"config.json", "{}", false},
        {"empty.txt", "", false},
        {"sub/empty.txt", "", false}, /* one digest, two inodes */
        {"sub/weights.bin", "0123456789 weights", true},
        {0},
    };
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    put(&h, SNAP_A "config.json", "{}");
    put(&h, SNAP_A "empty.txt", "");
    put(&h, SNAP_A "sub/empty.txt", "");
    put(&h, SNAP_A "sub/weights.bin", contents[3].bytes);
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 2);
    assert_true(hub_complete(&h, &m, true));
    assert_string_equal(link_of(&h, SNAP_A "config.json"), "(no link)");
    assert_string_equal(link_of(&h, SNAP_A "empty.txt"), "(no link)");
    assert_string_equal(link_of(&h, SNAP_A "sub/empty.txt"), "(no link)");
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.hashed, 0);
    hub_done(&h);
}

static void a_plain_file_serves_another_commit_too(void **state)
{
    static const struct content contents[] = {{"weights.bin", "0123456789 weights", true}, {0}};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_B, contents);
    put(&h, SNAP_A "weights.bin", contents[0].bytes);
    /* of wrong bytes, under the blob's name */
    put(&h, str_format(h.arena, REPO "blobs/%s", hex_of(&h, contents[0].bytes, true)), "wrong");
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.fetched, 0);
    assert_string_equal(text_of(&h, SNAP_B "weights.bin"), contents[0].bytes);
    assert_int_equal(inode_of(&h, SNAP_A "weights.bin"), inode_of(&h, SNAP_B "weights.bin"));
    assert_true(hub_complete(&h, &m, true));
    m.commit = COMMIT_A;
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.hashed, 0);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_plain_file_of_wrong_bytes_is_fetched_and_replaced(void **state)
{
    static const struct content contents[] = {{"weights.bin", "0123456789 weights", true}, {0}};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    put(&h, SNAP_A "weights.bin", "9876543210 weights");
    assert_pulled(&h, &m, contents, true);
    assert_int_equal(h.hashed, 1);
    assert_int_equal(h.fetched, 1);
    assert_string_equal(text_of(&h, SNAP_A "weights.bin"), contents[0].bytes);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void the_same_bytes_in_another_repository_are_not_fetched(void **state)
{
    struct hub h;
    struct publish_abilities can;
    const char *bytes;
    const char *blob;

    hub_init(&h, *state);
    bytes = large_bytes(&h);
    {
        const struct content contents[] = {{"weights.bin", bytes, true}, {0}};
        struct manifest m = listing(&h, "org/name", "main", COMMIT_A, contents);

        blob = hex_of(&h, bytes, true);
        put(&h, str_format(h.arena, OTHER "blobs/%s", blob), bytes);
        assert_pulled(&h, &m, contents, true);
        assert_int_equal(h.fetched, 0);
        assert_int_equal(h.hashed, 1);
        assert_string_equal(text_of(&h, SNAP_A "weights.bin"), bytes);
        assert_string_equal(link_of(&h, str_format(h.arena, REPO "blobs/%s", blob)), "(no link)");
        assert_true(hub_complete(&h, &m, true));
        assert_int_equal(publish_probe(&can, h.scratch->fd, &h.err), 0);
        if (can.hard_links && !can.reflinks)
            assert_int_equal(inode_of(&h, SNAP_A "weights.bin"),
                             inode_of(&h, str_format(h.arena, OTHER "blobs/%s", blob)));
        /* the other's own is gone: ours stays */
        remove_all(&h, "huggingface/hub/models--other--name");
        assert_true(hub_complete(&h, &m, true));
    }
    hub_done(&h);
}

static void wrong_bytes_in_another_repository_are_neither_used_nor_touched(void **state)
{
    struct hub h;
    const char *bytes;
    char *wrong;
    const char *name;

    hub_init(&h, *state);
    bytes = large_bytes(&h);
    wrong = str_dup(h.arena, str_from(bytes));
    wrong[7] = 'x';
    {
        const struct content contents[] = {{"weights.bin", bytes, true}, {0}};
        struct manifest m = listing(&h, "org/name", "main", COMMIT_A, contents);

        name = str_format(h.arena, OTHER "blobs/%s", hex_of(&h, bytes, true));
        put(&h, name, wrong);
        assert_pulled(&h, &m, contents, true);
        assert_int_equal(h.fetched, 1);
        assert_string_equal(text_of(&h, name), wrong);
        assert_string_equal(text_of(&h, SNAP_A "weights.bin"), bytes);
    }
    hub_done(&h);
}

/* ---- written to while it was hashed ---- */

/* Found without a record, and then of other bytes, as by a writer who came while it was hashed. */
static void find_and_change(struct hub *h, struct blob_found *found, const struct manifest *m,
                            const char *name)
{
    FD_SCOPED fd = -1;

    assert_int_equal(hub_open(h, m), 0);
    assert_int_equal(h->place.layout->find(found, &h->place, &m->files[0], &h->err), 0);
    assert_int_equal(found->state, BLOB_UNVERIFIED);
    fd = openat(h->scratch->fd, name, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    assert_int_equal(futimens(fd, (const struct timespec[]){{1, 0}, {1, 0}}), 0);
}

static void a_blob_that_is_written_to_after_it_was_hashed_has_no_record(void **state)
{
    static const struct content contents[] = {{"weights.bin", "0123456789 weights", true}, {0}};
    struct hub h;
    struct blob_found found;
    struct manifest m;
    const char *name;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    name = str_format(h.arena, REPO "blobs/%s", hex_of(&h, contents[0].bytes, true));
    put(&h, name, contents[0].bytes);
    find_and_change(&h, &found, &m, name);
    assert_int_equal(h.place.layout->take(&h.place, &m.files[0], &found, &h.err), 0);
    fd_close(&found.fd);
    assert_int_equal(h.place.layout->find(&found, &h.place, &m.files[0], &h.err), 0);
    assert_int_equal(found.state, BLOB_UNVERIFIED);
    fd_close(&found.fd);
    hub_done(&h);
}

static void what_another_repository_changes_meanwhile_is_not_taken_over(void **state)
{
    struct hub h;
    struct blob_found found;
    const char *bytes;
    const char *name;

    hub_init(&h, *state);
    bytes = large_bytes(&h);
    name = str_format(h.arena, OTHER "blobs/%s", hex_of(&h, bytes, true));
    put(&h, name, bytes);
    {
        const struct content contents[] = {{"weights.bin", bytes, true}, {0}};
        struct manifest m = listing(&h, "org/name", "main", COMMIT_A, contents);

        find_and_change(&h, &found, &m, name);
        assert_int_equal(h.place.layout->take(&h.place, &m.files[0], &found, &h.err), -1);
        assert_non_null(strstr(h.err.msg, "was written to while it was taken over"));
        fd_close(&found.fd);
        assert_false(
            scratch_has(h.scratch, str_format(h.arena, REPO "blobs/%s", hex_of(&h, bytes, true))));
    }
    hub_done(&h);
}

/* ---- the shared blob store ---- */

static const struct content shared[] = {{"weights.bin", "0123456789 weights", true}, {0}};

static struct manifest with_xet(struct hub *h)
{
    struct manifest m = listing(h, "org/name", "main", COMMIT_A, shared);

    m.files[0].xet = XET;
    return m;
}

static void make_store(const struct hub *h, const char *marker)
{
    put(h, "huggingface/hub/blobs/.huggingface-shared-blobs", marker);
    put(h, "huggingface/hub/blobs/01/" XET, shared[0].bytes);
    put(h, "huggingface/hub/blobs/01/" XET ".refs", "models--x--y/blobs/z\n");
    assert_int_equal(chmod(hub_path(h, "huggingface/hub/blobs/01/" XET), 0444), 0);
}

static void a_link_into_the_shared_store_is_hashed_once_and_stays(void **state)
{
    struct hub h;
    struct manifest m;
    const char *blob;

    hub_init(&h, *state);
    m = with_xet(&h);
    blob = str_format(h.arena, REPO "blobs/%s", hex_of(&h, shared[0].bytes, true));
    make_store(&h, "1\n");
    put_link(&h, "../../blobs/01/" XET, blob);
    assert_pulled(&h, &m, shared, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 1);
    assert_string_equal(link_of(&h, blob), "../../blobs/01/" XET);
    assert_true(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, shared, true);
    assert_int_equal(h.hashed, 0);
    assert_string_equal(text_of(&h, "huggingface/hub/blobs/01/" XET ".refs"),
                        "models--x--y/blobs/z\n");
    hub_done(&h);
}

static void an_entry_of_the_shared_store_saves_the_download(void **state)
{
    struct hub h;
    struct manifest m;
    const char *blob;

    hub_init(&h, *state);
    m = with_xet(&h);
    blob = str_format(h.arena, REPO "blobs/%s", hex_of(&h, shared[0].bytes, true));
    make_store(&h, "1\n");
    assert_pulled(&h, &m, shared, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 1);
    assert_string_equal(link_of(&h, blob), "(no link)");
    assert_string_equal(text_of(&h, SNAP_A "weights.bin"), shared[0].bytes);
    assert_int_equal(mode_of(&h, "huggingface/hub/blobs/01/" XET), 0444);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void the_shared_store_is_left_alone_where_it_is_switched_off_or_none(void **state)
{
    static const char *const markers[] = {"1\n", "2\n", "1", ""};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = with_xet(&h);
    for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
        make_store(&h, markers[i]);
        h.config.no_shared_blobs = i == 0;
        assert_pulled(&h, &m, shared, true);
        assert_int_equal(h.fetched, 1);
        remove_all(&h, "huggingface");
    }
    hub_done(&h);
}

static void a_link_whose_entry_is_gone_or_of_another_size_is_fetched_and_replaced(void **state)
{
    struct hub h;
    struct manifest m;
    const char *blob;

    hub_init(&h, *state);
    m = with_xet(&h);
    blob = str_format(h.arena, REPO "blobs/%s", hex_of(&h, shared[0].bytes, true));
    for (size_t i = 0; i < 2; i++) {
        make_store(&h, "1\n");
        remove_all(&h, "huggingface/hub/blobs/01/" XET);
        if (i == 1)
            put(&h, "huggingface/hub/blobs/01/" XET, "short");
        put_link(&h, "../../blobs/01/" XET, blob);
        assert_pulled(&h, &m, shared, true);
        assert_int_equal(h.fetched, 1);
        assert_string_equal(link_of(&h, blob), "(no link)");
        if (i == 1)
            assert_string_equal(text_of(&h, "huggingface/hub/blobs/01/" XET), "short");
        remove_all(&h, "huggingface");
    }
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(plain_files_of_a_snapshot_count_and_stay),
        SCRATCH_TEST(a_plain_file_serves_another_commit_too),
        SCRATCH_TEST(a_plain_file_of_wrong_bytes_is_fetched_and_replaced),
        SCRATCH_TEST(the_same_bytes_in_another_repository_are_not_fetched),
        SCRATCH_TEST(wrong_bytes_in_another_repository_are_neither_used_nor_touched),
        SCRATCH_TEST(a_blob_that_is_written_to_after_it_was_hashed_has_no_record),
        SCRATCH_TEST(what_another_repository_changes_meanwhile_is_not_taken_over),
        SCRATCH_TEST(a_link_into_the_shared_store_is_hashed_once_and_stays),
        SCRATCH_TEST(an_entry_of_the_shared_store_saves_the_download),
        SCRATCH_TEST(the_shared_store_is_left_alone_where_it_is_switched_off_or_none),
        SCRATCH_TEST(a_link_whose_entry_is_gone_or_of_another_size_is_fetched_and_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
