#include "model/manifest.h"

#include <stdio.h>

#include "../check.h"

static struct manifest manifest_of(struct arena *a, const char *const *paths)
{
    struct manifest m = {.ref = {.source = "hf", .text = "hf:org/name"}};

    while (paths[m.file_count] != NULL)
        m.file_count++;
    m.files = arena_array(a, struct model_file, m.file_count);
    for (size_t i = 0; i < m.file_count; i++)
        m.files[i] = (struct model_file){.path = paths[i], .size = 10 + i};
    return m;
}

static void check_sorts_so_that_find_finds(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m =
        manifest_of(&a, (const char *const[]){"b", "a/x", "a-b", "a/c", "README.md", NULL});
    struct err err = {0};

    (void)state;
    assert_int_equal(manifest_check(&m, &err), 0);
    assert_string_equal(m.files[0].path, "README.md");
    assert_string_equal(m.files[4].path, "b");
    assert_int_equal(manifest_find(&m, "a/c")->size, 13);
    assert_null(manifest_find(&m, "a"));
    assert_null(manifest_find(&m, "z"));
}

static void refuses_a_path_named_twice(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = manifest_of(&a, (const char *const[]){"a", "b", "a", NULL});
    struct err err = {0};

    (void)state;
    assert_int_equal(manifest_check(&m, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "hf:org/name: the listing names a twice");
}

static void refuses_a_file_that_is_anothers_folder(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m =
        manifest_of(&a, (const char *const[]){"x/y", "x/y-z", "x/y.z", "x/y/z/deep", NULL});
    struct err err = {0};

    (void)state;
    assert_int_equal(manifest_check(&m, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "hf:org/name: the listing has x/y both as a file and as a folder");
}

static void paths_that_differ_in_case_only_are_two(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = manifest_of(&a, (const char *const[]){"README.md", "readme.md", NULL});
    struct err err = {0};

    (void)state;
    assert_int_equal(manifest_check(&m, &err), 0);
}

static void refuses_sizes_beyond_the_limit(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = manifest_of(&a, (const char *const[]){"a", "b", NULL});
    struct err err = {0};

    (void)state;
    m.files[0].size = MANIFEST_SIZE_MAX;
    m.files[1].size = 0;
    assert_int_equal(manifest_check(&m, &err), 0);
    m.files[1].size = 1;
    assert_int_equal(manifest_check(&m, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "hf:org/name: with b the files are larger than 2^50 bytes");
    m.files[1].size = UINT64_MAX;
    assert_int_equal(manifest_check(&m, &err), -1);
}

static void refuses_more_files_than_the_limit(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = {.ref = {.text = "hf:org/name"}, .file_count = MANIFEST_FILES_MAX + 1};
    struct err err = {0};

    (void)state;
    m.files = arena_array(&a, struct model_file, m.file_count);
    for (size_t i = 0; i < m.file_count; i++)
        m.files[i].path = str_format(&a, "%zu", i);
    assert_int_equal(manifest_check(&m, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    m.file_count--;
    assert_int_equal(manifest_check(&m, &err), 0);
}

static void counts_only_what_is_wanted(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = manifest_of(&a, (const char *const[]){"a", "b", "c", NULL});

    (void)state;
    assert_int_equal(manifest_wanted_count(&m), 0);
    m.files[0].wanted = true;
    m.files[2].wanted = true;
    assert_int_equal(manifest_wanted_count(&m), 2);
    assert_int_equal(manifest_wanted_bytes(&m), 22);
}

static void an_empty_listing_holds_nothing(void **state)
{
    struct manifest m = {.ref = {.text = "hf:org/name"}};
    struct err err = {0};

    (void)state;
    assert_int_equal(manifest_check(&m, &err), 0);
    assert_null(manifest_find(&m, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_sorts_so_that_find_finds),
        cmocka_unit_test(refuses_a_path_named_twice),
        cmocka_unit_test(refuses_a_file_that_is_anothers_folder),
        cmocka_unit_test(paths_that_differ_in_case_only_are_two),
        cmocka_unit_test(refuses_sizes_beyond_the_limit),
        cmocka_unit_test(refuses_more_files_than_the_limit),
        cmocka_unit_test(counts_only_what_is_wanted),
        cmocka_unit_test(an_empty_listing_holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
