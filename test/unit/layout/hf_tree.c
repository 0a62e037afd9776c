#include "layout/hf_tree.h"

#include "hub.h"
#include "sys/file.h"

static const struct content contents[] = {
    {"README.md", "# A", false},
    {"a \"b\"/\xc3\xa4\xf0\x9f\x90\x8e.json", "{}", false}, /* ä and a horse */
    {"model.safetensors", "weights", true},
    {0},
};

/* As the client's json.dumps(..., indent=1) writes it. */
static const char expected[] = "{\n"
                               " \"format_version\": 1,\n"
                               " \"files\": {\n"
                               "  \"README.md\": {\n"
                               "   \"size\": 3,\n"
                               "   \"blob_id\": \"%s\"\n"
                               "  },\n"
                               "  \"a \\\"b\\\"/\\u00e4\\ud83d\\udc0e.json\": {\n"
                               "   \"size\": 2,\n"
                               "   \"blob_id\": \"%s\"\n"
                               "  },\n"
                               "  \"model.safetensors\": {\n"
                               "   \"size\": 7,\n"
                               "   \"blob_id\": \"1111111111111111111111111111111111111111\",\n"
                               "   \"lfs_sha256\": \"%s\",\n"
                               "   \"lfs_size\": 7\n"
                               "  }\n"
                               " }\n"
                               "}";

#define TREE REPO "trees/" COMMIT_A ".json"

static const char *expected_text(const struct hub *h)
{
    /* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral) */
    return str_format(h->arena, expected, hex_of(h, contents[0].bytes, false),
                      hex_of(h, contents[1].bytes, false), hex_of(h, contents[2].bytes, true));
}

static void the_listing_is_byte_for_byte_the_clients(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    m.files[2].xet = XET;
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(text_of(&h, TREE), expected_text(&h));
    m.file_count = 0;
    m.commit = COMMIT_B;
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(text_of(&h, REPO "trees/" COMMIT_B ".json"),
                        "{\n \"format_version\": 1,\n \"files\": {}\n}");
    hub_done(&h);
}

static void the_listing_of_another_program_is_read(void **state)
{
    static const char text[] =
        "{\"format_version\":1,\"more\":[],\"files\":{\"z.bin\":{\"size\":7,\"blob_id\":"
        "\"1111111111111111111111111111111111111111\",\"lfs_sha256\":\"" XET
        "\",\"lfs_size\":7,\"xet_hash\":\"" XET "\",\"new\":true},"
        "\"a/b\":{\"size\":0,\"blob_id\":\"2222222222222222222222222222222222222222\","
        "\"xet_hash\":null}}}\n";
    struct hub h;
    struct manifest m;
    struct manifest got;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    put(&h, TREE, text);
    assert_int_equal(hub_open(&h, &m), 0);
    assert_int_equal(h.place.layout->local_manifest(&got, &h.place, &m.ref, COMMIT_A, &h.err), 0);
    assert_int_equal(got.file_count, 2);
    assert_string_equal(got.commit, COMMIT_A);
    assert_string_equal(got.files[0].path, "a/b");
    assert_int_equal(got.files[0].digest.kind, DIGEST_GIT_SHA1);
    assert_string_equal(got.files[0].xet, "");
    assert_int_equal(got.files[1].digest.kind, DIGEST_SHA256);
    assert_int_equal(got.files[1].size, 7);
    assert_string_equal(got.files[1].xet, XET);
    assert_string_equal(got.files[1].oid, "1111111111111111111111111111111111111111");
    hub_done(&h);
}

static void what_is_no_listing_is_not_found(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"format_version\":1}",
        "{\"format_version\":2,\"files\":{}}",
        "{\"format_version\":\"1\",\"files\":{}}",
        "{\"format_version\":1,\"files\":[]}",
        "{\"format_version\":1,\"files\":{\"a\":1}}",
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":1}}}",
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":-1,\"blob_id\":\"" COMMIT_A "\"}}}",
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":1,\"blob_id\":\"12\"}}}",
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":1,\"blob_id\":\"" XET "\"}}}",
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":1,\"blob_id\":\"" COMMIT_A
        "\",\"lfs_sha256\":\"" COMMIT_A "\"}}}",
        /* what would tear the listing when it is written again */
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":1,\"blob_id\":\"a\\\"\",\"lfs_sha256\":"
        "\"" XET "\"}}}",
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":1,\"blob_id\":\"" COMMIT_A
        "\",\"xet_hash\":\"\\\\\"}}}",
        "{\"format_version\":1,\"files\":{\"../a\":{\"size\":1,\"blob_id\":\"" COMMIT_A "\"}}}",
        "{\"format_version\":1,\"files\":{\"/a\":{\"size\":1,\"blob_id\":\"" COMMIT_A "\"}}}",
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":1,\"blob_id\":\"" COMMIT_A
        "\"},\"a/b\":{\"size\":1,\"blob_id\":\"" COMMIT_A "\"}}}",
        "{\"format_version\":1,\"files\":{\"a\":{\"size\":9007199254740992000,\"blob_id\":"
        "\"" COMMIT_A "\"}}}",
    };
    struct hub h;
    struct manifest m;
    struct manifest got;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put(&h, TREE, texts[i]);
        assert_int_equal(hub_open(&h, &m), 0);
        if (h.place.layout->local_manifest(&got, &h.place, &m.ref, COMMIT_A, &h.err) == 0)
            fail_msg("taken: %s", texts[i]);
        assert_int_equal(h.err.code, ERR_NOT_FOUND);
    }
    assert_int_equal(h.place.layout->local_manifest(&got, &h.place, &m.ref, COMMIT_B, &h.err), -1);
    assert_int_equal(h.err.code, ERR_NOT_FOUND);
    /* and is replaced by a pull */
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(text_of(&h, TREE), expected_text(&h));
    hub_done(&h);
}

static void the_clients_listing_stays_unless_only_its_owner_may_read_it(void **state)
{
    struct hub h;
    struct manifest m;
    const char *theirs;

    hub_init(&h, *state);
    m = listing(&h, "org/name", "main", COMMIT_A, contents);
    theirs = str_format(h.arena, "%s\n", expected_text(&h));
    put(&h, TREE, theirs);
    assert_int_equal(chmod(hub_path(&h, TREE), 0644), 0);
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(text_of(&h, TREE), theirs);
    assert_int_equal(chmod(hub_path(&h, TREE), 0600), 0);
    assert_pulled(&h, &m, contents, true);
    assert_string_equal(text_of(&h, TREE), expected_text(&h));
    assert_int_equal(mode_of(&h, TREE), 0666 & ~file_umask());
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(the_listing_is_byte_for_byte_the_clients),
        SCRATCH_TEST(the_listing_of_another_program_is_read),
        SCRATCH_TEST(what_is_no_listing_is_not_found),
        SCRATCH_TEST(the_clients_listing_stays_unless_only_its_owner_may_read_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
