#include "store/receipt.h"

#include "scratch.h"

#define FOLDER "hf/models--org--name"
#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define XET    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct volume opened(struct scratch *s)
{
    struct volume v = {.fd = -1};

    assert_int_equal(volume_open(&v, &s->arena, s->path, false, &s->err), 0);
    return v;
}

static struct manifest manifest(struct scratch *s, const char *path)
{
    struct manifest m = {.commit = COMMIT, .file_count = 2};

    assert_int_equal(ref_parse(&m.ref, &s->arena, STR("hf:org/name@v1"), &s->err), 0);
    m.files = arena_array(&s->arena, struct model_file, 2);
    m.files[0] = (struct model_file){.path = path,
                                     .size = 1234,
                                     .digest = {DIGEST_SHA256, {1, 2}},
                                     .oid = COMMIT,
                                     .xet = XET,
                                     .wanted = true};
    m.files[1] = (struct model_file){
        .path = "z/empty", .digest = {DIGEST_GIT_SHA1, {3}}, .oid = "", .xet = ""};
    return m;
}

static void a_receipt_gives_back_what_was_written(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct manifest m = manifest(s, "a b/100%.json");
    struct manifest back;

    assert_int_equal(receipt_read(&back, &s->arena, &v, FOLDER, "v1", &s->err), -1);
    assert_int_equal(s->err.code, ERR_NOT_FOUND);
    assert_int_equal(receipt_write(&m, &v, FOLDER, "v1", &s->err), 0);
    assert_int_equal(receipt_read(&back, &s->arena, &v, FOLDER, "v1", &s->err), 0);
    assert_string_equal(back.ref.text, "hf:org/name@v1");
    assert_string_equal(back.commit, COMMIT);
    assert_int_equal(back.file_count, 2);
    assert_string_equal(back.files[0].path, "a b/100%.json");
    assert_int_equal(back.files[0].size, 1234);
    assert_true(digest_eq(&back.files[0].digest, &m.files[0].digest));
    assert_string_equal(back.files[0].oid, COMMIT);
    assert_string_equal(back.files[0].xet, XET);
    assert_true(back.files[0].wanted);
    assert_string_equal(back.files[1].path, "z/empty");
    assert_string_equal(back.files[1].oid, "");
    assert_false(back.files[1].wanted);
    volume_close(&v);
}

static void each_revision_has_its_own_receipt_whatever_its_name(void **state)
{
    static const char *const names[] = {"main", "refs/pr/1", "refs%2Fpr%2F1", "..", "a\nb", "Main"};
    struct scratch *s = *state;
    struct volume v = opened(s);
    char longest[1001];
    struct manifest back;

    memset(longest, '/', 1000);
    longest[1000] = '\0';
    for (size_t i = 0; i < 7; i++) {
        struct manifest m = manifest(s, "file");
        const char *revision = i < 6 ? names[i] : longest;

        m.files[0].size = i;
        assert_int_equal(receipt_write(&m, &v, FOLDER, revision, &s->err), 0);
    }
    for (size_t i = 0; i < 7; i++) {
        const char *revision = i < 6 ? names[i] : longest;

        assert_int_equal(receipt_read(&back, &s->arena, &v, FOLDER, revision, &s->err), 0);
        assert_int_equal(back.files[0].size, i);
    }
    longest[999] = 'x';
    assert_int_equal(receipt_read(&back, &s->arena, &v, FOLDER, longest, &s->err), -1);
    volume_close(&v);
}

static void a_receipt_under_another_s_name_counts_as_absent(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct manifest m = manifest(s, "file");
    struct manifest back;

    assert_int_equal(receipt_write(&m, &v, FOLDER, "main", &s->err), 0);
    assert_int_equal(renameat(s->fd, ".hostler/receipts/" FOLDER "/model-main", s->fd,
                              ".hostler/receipts/" FOLDER "/model-MAIN"),
                     0);
    assert_int_equal(receipt_read(&back, &s->arena, &v, FOLDER, "MAIN", &s->err), -1);
    volume_close(&v);
}

static void a_receipt_that_is_torn_or_changed_or_newer_counts_as_absent(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct manifest m = manifest(s, "file");
    const char *name = ".hostler/receipts/" FOLDER "/model-main";
    struct manifest back;
    size_t len = 0;
    char *text;

    assert_int_equal(receipt_write(&m, &v, FOLDER, "main", &s->err), 0);
    text = scratch_read(s, name, &len);
    assert_true(receipt_parse(&back, &s->arena, (struct str){text, len}));
    for (size_t cut = 0; cut < len; cut++)
        assert_false(receipt_parse(&back, &s->arena, (struct str){text, cut}));
    for (size_t i = 0; i < len; i++) {
        text[i] ^= 1;
        assert_false(receipt_parse(&back, &s->arena, (struct str){text, len}));
        text[i] ^= 1;
    }
    volume_close(&v);
}

/* A whole text with a right seal around the given lines. */
static bool parses(struct scratch *s, const char *lines)
{
    struct manifest back;
    char *body = str_format(&s->arena, "hostler-receipt 1\n%s", lines);
    char *text = str_format(&s->arena, "%send %08x\n", body, digest_crc32c(0, body, strlen(body)));

    return receipt_parse(&back, &s->arena, str_from(text));
}

#define HEAD  "model hf:org/name\nrevision main\ncommit " COMMIT "\n"
#define ENTRY "file " XET " 5 - - 1 "

static void a_hostile_receipt_with_a_right_seal_counts_as_absent(void **state)
{
    static const char *const bad[] = {
        "model hf:org/name\nrevision main\ncommit ../../etc\n" ENTRY "a\n",
        "model hf:org/name\nrevision main\ncommit " COMMIT "%00/..\n" ENTRY "a\n",
        "model hf:../name\nrevision main\ncommit " COMMIT "\n" ENTRY "a\n",
        "model hf:org/name\nrevision main\n" ENTRY "a\n",
        HEAD ENTRY "../a\n",
        HEAD ENTRY "a/%2E%2E/b\n",
        HEAD ENTRY "/a\n",
        HEAD ENTRY "a%00b\n",
        HEAD ENTRY "a%0Ab\n",
        HEAD ENTRY "a%2\n",
        HEAD ENTRY "a%zz\n",
        HEAD ENTRY "a b\n",
        HEAD ENTRY "-\n",
        HEAD ENTRY "a\n" ENTRY "a\n",
        HEAD "file " XET " -5 - - 1 a\n",
        HEAD "file " XET " 99999999999999999999 - - 1 a\n",
        HEAD "file " XET " 2251799813685248 - - 1 a\n",
        HEAD "file " XET " 5 x/y - 1 a\n",
        HEAD "file " XET " 5 - abc 1 a\n",
        HEAD "file " XET " 5 - - 2 a\n",
        HEAD "file 123 5 - - 1 a\n",
        HEAD "raw a%00b\n" ENTRY "a\n",
        HEAD "raw a b\n" ENTRY "a\n",
        HEAD "raw a%zz\n" ENTRY "a\n",
        HEAD "raw a\nraw a\n" ENTRY "a\n",
        HEAD ENTRY "a\nraw a\n",
        HEAD "other line\n",
    };
    struct scratch *s = *state;

    assert_true(parses(s, HEAD ENTRY "a%20b\n" ENTRY "b\n"));
    assert_true(parses(s, HEAD "raw a%20b\n" ENTRY "a\n"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parses(s, bad[i]))
            fail_msg("taken: %s", bad[i]);
    }
}

static void a_receipt_of_ollama_has_a_digest_as_its_commit(void **state)
{
    struct scratch *s = *state;
    const char *head = "model ollama:llava:7b\nrevision 7b\ncommit ";

    assert_true(parses(s, str_format(&s->arena, "%ssha256:" XET "\n" ENTRY "a\n", head)));
    assert_true(parses(s, str_format(&s->arena, "%s" XET "\n", head)));
    assert_false(parses(s, str_format(&s->arena, "%ssha256:../x\n", head)));
}

static void the_publishers_own_text_comes_back_byte_for_byte(void **state)
{
    static const char raw[] = "{\n \"a\":\t\"100 % \xc3\xa4\x7f\r\n\"}\n";
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct manifest m = manifest(s, "file");
    struct manifest back;

    assert_int_equal(receipt_write(&m, &v, FOLDER, "v1", &s->err), 0);
    assert_int_equal(receipt_read(&back, &s->arena, &v, FOLDER, "v1", &s->err), 0);
    assert_null(back.raw.ptr);
    m.raw = (struct str){raw, sizeof(raw) - 1};
    assert_int_equal(receipt_write(&m, &v, FOLDER, "v1", &s->err), 0);
    assert_int_equal(receipt_read(&back, &s->arena, &v, FOLDER, "v1", &s->err), 0);
    assert_int_equal(back.raw.len, m.raw.len);
    assert_memory_equal(back.raw.ptr, raw, m.raw.len);
    assert_int_equal(back.file_count, 2);
    volume_close(&v);
}

static void what_kills_left_is_swept_and_receipts_stay(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct manifest m = manifest(s, "file");

    assert_int_equal(receipt_write(&m, &v, FOLDER, "main", &s->err), 0);
    scratch_write(s, ".hostler/receipts/" FOLDER "/tmp-0123456789abcdef", "x", 1);
    receipt_sweep(&v, FOLDER);
    assert_false(scratch_has(s, ".hostler/receipts/" FOLDER "/tmp-0123456789abcdef"));
    assert_true(scratch_has(s, ".hostler/receipts/" FOLDER "/model-main"));
    volume_close(&v);
}

static void a_volume_that_cannot_be_written_keeps_no_receipts(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct manifest m = manifest(s, "file");

    v.writable = false;
    assert_int_equal(receipt_write(&m, &v, FOLDER, "main", &s->err), 0);
    assert_false(scratch_has(s, ".hostler"));
    volume_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_receipt_gives_back_what_was_written),
        SCRATCH_TEST(each_revision_has_its_own_receipt_whatever_its_name),
        SCRATCH_TEST(a_receipt_under_another_s_name_counts_as_absent),
        SCRATCH_TEST(a_receipt_that_is_torn_or_changed_or_newer_counts_as_absent),
        SCRATCH_TEST(a_hostile_receipt_with_a_right_seal_counts_as_absent),
        SCRATCH_TEST(a_receipt_of_ollama_has_a_digest_as_its_commit),
        SCRATCH_TEST(the_publishers_own_text_comes_back_byte_for_byte),
        SCRATCH_TEST(what_kills_left_is_swept_and_receipts_stay),
        SCRATCH_TEST(a_volume_that_cannot_be_written_keeps_no_receipts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
