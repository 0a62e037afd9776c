#include "source/hf_parse.h"

#include <stdio.h>

#include "../check.h"

#define SHA1   "63a8b081895390a26e140280378bc85ec8bce07a"
#define SHA256 "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define STARS  "****************************************************************"

static int parse_revision(struct hf_revision *out, struct arena *a, const char *body,
                          struct err *err)
{
    return hf_parse_revision(out, a, str_from(body), "hf:o/n: its revision", err);
}

static int parse_page(struct hf_listing *out, struct arena *a, const char *body, struct err *err)
{
    return hf_parse_page(out, a, str_from(body), "hf:o/n: its listing", err);
}

static void the_commit_of_a_revision_is_read(void **state)
{
    ARENA_SCOPED a = {0};
    struct hf_revision r;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        parse_revision(&r, &a, "{\"_id\":\"x\",\"id\":\"o/n\",\"sha\":\"" SHA1 "\"}", &err), 0);
    assert_string_equal(r.commit, SHA1);
    assert_false(r.disabled);
    assert_int_equal(parse_revision(&r, &a,
                                    "{\"sha\":\"" SHA1 "\",\"disabled\":true,"
                                    "\"gated\":\"manual\",\"private\":false}",
                                    &err),
                     0);
    assert_true(r.disabled);
}

struct broken {
    const char *body;
    enum err_code code;
    const char *msg;
};

static const struct broken broken_revisions[] = {
    {"{\"id\":\"o/n\"}", ERR_NET, "hf:o/n: its revision: \"sha\" is missing"},
    {"{\"sha\":null}", ERR_NET, "hf:o/n: its revision: \"sha\" is missing"},
    {"{\"sha\":7}", ERR_NET, "hf:o/n: its revision: \"sha\" should be a string"},
    {"[]", ERR_NET, "hf:o/n: its revision: \"sha\" is missing"},
    {"{\"sha\":\"../../etc\"}", ERR_NET,
     "hf:o/n: its revision: the sha \"../../etc\" is no commit"},
    {"{\"sha\":\"63A8B081895390A26E140280378BC85EC8BCE07A\"}", ERR_NET,
     "hf:o/n: its revision: the sha \"63A8B081895390A26E140280378BC85EC8BCE07A\" is no commit"},
    {"<html><body>please log in", ERR_NET,
     "hf:o/n: its revision: a web page came instead of the Hub's answer"},
};

static void broken_revisions_say_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken_revisions) / sizeof(broken_revisions[0]); i++) {
        ARENA_SCOPED a = {0};
        struct hf_revision r;
        struct err err = {0};

        assert_int_equal(parse_revision(&r, &a, broken_revisions[i].body, &err), -1);
        assert_int_equal(err.code, broken_revisions[i].code);
        assert_string_equal(err.msg, broken_revisions[i].msg);
    }
}

static void a_page_gives_its_files_and_leaves_folders_out(void **state)
{
    ARENA_SCOPED a = {0};
    struct hf_listing l = {0};
    struct err err = {0};
    char hex[DIGEST_HEX + 1];

    (void)state;
    assert_int_equal(
        parse_page(&l, &a,
                   "[{\"type\":\"directory\",\"path\":\"onnx\",\"oid\":\"" SHA1 "\",\"size\":0},"
                   "{\"type\":\"file\",\"path\":\"config.json\",\"size\":665,\"oid\":\"" SHA1 "\"},"
                   "{\"type\":\"file\",\"path\":\"onnx/m.onnx\",\"size\":548105171,"
                   "\"oid\":\"" SHA1 "\",\"lfs\":{\"oid\":\"" SHA256 "\",\"size\":548105171,"
                   "\"pointerSize\":134},\"xetHash\":\"" SHA256 "\"},"
                   "{\"type\":\"commit\",\"path\":\"a submodule\"}]",
                   &err),
        0);
    assert_int_equal(l.entries, 4);
    assert_int_equal(l.files.len, 2);
    assert_string_equal(l.files.at[0].path, "config.json");
    assert_int_equal(l.files.at[0].size, 665);
    assert_int_equal(l.files.at[0].digest.kind, DIGEST_GIT_SHA1);
    assert_string_equal(digest_format(&l.files.at[0].digest, hex), SHA1);
    assert_string_equal(l.files.at[0].oid, SHA1);
    assert_string_equal(l.files.at[0].xet, "");
    assert_false(l.files.at[0].wanted);
    assert_int_equal(l.files.at[1].digest.kind, DIGEST_SHA256);
    assert_string_equal(digest_format(&l.files.at[1].digest, hex), SHA256);
    assert_string_equal(l.files.at[1].oid, SHA1);
    assert_string_equal(l.files.at[1].xet, SHA256);
    assert_int_equal(parse_page(&l, &a, "[]", &err), 0);
    assert_int_equal(l.files.len, 2);
}

static void a_masked_xet_hash_is_dropped(void **state)
{
    ARENA_SCOPED a = {0};
    struct hf_listing l = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(parse_page(&l, &a,
                                "[{\"type\":\"file\",\"path\":\"m\",\"size\":1,\"oid\":\"" SHA1
                                "\",\"lfs\":{\"oid\":\"" SHA256
                                "\",\"size\":1},\"xetHash\":\"" STARS "\"}]",
                                &err),
                     0);
    assert_string_equal(l.files.at[0].xet, "");
}

#define FILE_OF(members) "[{\"type\":\"file\"," members "}]"
#define OID              "\"oid\":\"" SHA1 "\""

static const struct broken broken_pages[] = {
    {"{}", ERR_NET, "hf:o/n: its listing: the listing is no array"},
    {"[7]", ERR_NET, "hf:o/n: its listing: an entry is no object"},
    {"[{}]", ERR_NET, "hf:o/n: its listing: \"type\" is missing"},
    {"[{\"type\":\"file\"}]", ERR_NET, "hf:o/n: its listing: \"path\" is missing"},
    {FILE_OF("\"path\":\"a\""), ERR_NET, "hf:o/n: its listing: a: \"size\" is missing"},
    {FILE_OF("\"path\":\"a\",\"size\":-1," OID), ERR_NET,
     "hf:o/n: its listing: a: \"size\" should be a whole number from 0"},
    {FILE_OF("\"path\":\"a\",\"size\":1.5," OID), ERR_NET,
     "hf:o/n: its listing: a: \"size\" should be a whole number from 0"},
    {FILE_OF("\"path\":\"a\",\"size\":1"), ERR_NET, "hf:o/n: its listing: a: \"oid\" is missing"},
    {FILE_OF("\"path\":\"a\",\"size\":1,\"oid\":\"" SHA256 "\""), ERR_LIMIT,
     "hf:o/n: its listing: a: \"oid\" has 64 digits"},
    {FILE_OF("\"path\":\"a\",\"size\":1," OID ",\"lfs\":7"), ERR_NET,
     "hf:o/n: its listing: a: \"lfs\" is no object"},
    {FILE_OF("\"path\":\"a\",\"size\":1," OID ",\"lfs\":{\"oid\":\"" SHA1 "\",\"size\":1}"),
     ERR_LIMIT, "hf:o/n: its listing: a: \"lfs\": \"oid\" has 40 digits"},
    {FILE_OF("\"path\":\"a\",\"size\":1," OID ",\"lfs\":{\"oid\":\"" SHA256 "\",\"size\":2}"),
     ERR_NET, "hf:o/n: its listing: a: the listing says both 1 and 2 bytes"},
    {FILE_OF("\"path\":\"a\",\"size\":1125899906842625," OID), ERR_LIMIT,
     "hf:o/n: its listing: a: 1125899906842625 bytes are more than any file has"},
    {FILE_OF("\"path\":\"a\",\"size\":1,\"xetHash\":7," OID), ERR_NET,
     "hf:o/n: its listing: a: \"xetHash\" should be a string"},
    {"\n <!DOCTYPE html>", ERR_NET,
     "hf:o/n: its listing: a web page came instead of the Hub's answer"},
};

static void broken_pages_say_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken_pages) / sizeof(broken_pages[0]); i++) {
        ARENA_SCOPED a = {0};
        struct hf_listing l = {0};
        struct err err = {0};

        assert_int_equal(parse_page(&l, &a, broken_pages[i].body, &err), -1);
        assert_string_equal(err.msg, broken_pages[i].msg);
        assert_int_equal(err.code, broken_pages[i].code);
        assert_int_equal(l.entries, 0);
        assert_int_equal(l.files.len, 0);
    }
}

static void hostile_paths_are_refused(void **state)
{
    static const char *const paths[] = {"",     "/etc/passwd", "../x",  "a/../../x", "a//b", "a/.",
                                        "C:/x", "a\\\\b",      "a\\nb", "a/",        "."};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        ARENA_SCOPED a = {0};
        struct hf_listing l = {0};
        struct err err = {0};
        const char *body =
            str_format(&a, "[{\"type\":\"file\",\"path\":\"%s\",\"size\":1," OID "}]", paths[i]);

        if (parse_page(&l, &a, body, &err) == 0)
            fail_msg("\"%s\" was taken", paths[i]);
        assert_int_equal(err.code, ERR_LIMIT);
    }
}

static void more_entries_than_the_limit_are_refused(void **state)
{
    ARENA_SCOPED a = {0};
    struct hf_listing l = {.entries = HF_ENTRIES_MAX - 1};
    struct err err = {0};

    (void)state;
    assert_int_equal(parse_page(&l, &a, "[{\"type\":\"directory\"}]", &err), 0);
    assert_int_equal(parse_page(&l, &a, "[{\"type\":\"directory\"}]", &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "hf:o/n: its listing: more than 400000 files and folders");
}

static void more_files_than_the_limit_are_refused(void **state)
{
    ARENA_SCOPED a = {0};
    struct hf_listing l = {0};
    struct model_file file = {.path = "x"};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < MANIFEST_FILES_MAX; i++)
        vec_push(&a, &l.files, file);
    assert_int_equal(parse_page(&l, &a, FILE_OF("\"path\":\"a\",\"size\":1," OID), &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "hf:o/n: its listing: more than 200000 files");
}

struct link {
    const char *value;
    const char *next; /* NULL: none */
};

static const struct link links[] = {
    {"<https://h/a?b=1&cursor=x>; rel=\"next\"", "https://h/a?b=1&cursor=x"},
    {"<u>;rel=next", "u"},
    {"<u>; REL=\"Next\"", "u"},
    {"<a>; rel=\"prev\", <b>; rel=\"next\"", "b"},
    {"<a,b;c>; title=\"x, <y>; rel=next\"; rel=\"prev\", <d>; rel=\"last next\"", "d"},
    {"<a>; title=\"a\\\"b, \"; rel=next", "a"},
    {"<>; rel=next", ""},
    {"<a>; rel=\"xet-auth\", <b>; rel=\"xet-reconstruction-info\"", NULL},
    {"<a>; rel=nextnext", NULL},
    {"<a>; notrel=next", NULL},
    {"<a>", NULL},
    {"<a; rel=next", NULL},
    {"a; rel=next", NULL},
    {"<a>; rel=\"", NULL},
    {"", NULL},
};

static void the_next_link_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        struct str url;
        bool found = hf_parse_next(&url, str_from(links[i].value));

        if (found != (links[i].next != NULL) || (found && !str_eqz(url, links[i].next)))
            fail_msg("%s", links[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_commit_of_a_revision_is_read),
        cmocka_unit_test(broken_revisions_say_what_is_wrong),
        cmocka_unit_test(a_page_gives_its_files_and_leaves_folders_out),
        cmocka_unit_test(a_masked_xet_hash_is_dropped),
        cmocka_unit_test(broken_pages_say_what_is_wrong),
        cmocka_unit_test(hostile_paths_are_refused),
        cmocka_unit_test(more_entries_than_the_limit_are_refused),
        cmocka_unit_test(more_files_than_the_limit_are_refused),
        cmocka_unit_test(the_next_link_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
