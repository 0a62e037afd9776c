#include "gpu/tree.h"

#include "../child.h"
#include "planted.h"

static struct str text_of(struct scratch *s, const char *path)
{
    struct str text = {0};

    if (!tree_text(&text, &s->arena, s->path, path))
        fail_msg("%s is not read", path);
    return text;
}

static void texts_lose_the_blanks_at_their_ends_and_nothing_else(void **state)
{
    static const char *const rows[][2] = {
        {"0x1002\n", "0x1002"}, {" \t a  b\nc \n\n", "a  b\nc"}, {"", ""}, {" \n", ""}};
    struct scratch *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        plant(s, "a/b/text", rows[i][0]);
        assert_true(str_eqz(text_of(s, "a/b/text"), rows[i][1]));
    }
}

static void a_text_is_cut_at_its_limit(void **state)
{
    struct scratch *s = *state;
    char *text = arena_array(&s->arena, char, TREE_TEXT + 2);

    memset(text, 'n', TREE_TEXT + 1);
    plant(s, "long", text);
    assert_int_equal(text_of(s, "long").len, TREE_TEXT);
}

/* A pipe that nobody writes to must hold nobody up either. */
static void what_is_absent_or_no_file_is_no_text(void **state)
{
    struct str text = {"left", 4};
    struct scratch *s = *state;
    uint64_t number = 7;

    plant(s, "folder/file", "1");
    assert_int_equal(mkfifoat(s->fd, "pipe", 0600), 0);
    assert_false(tree_text(&text, &s->arena, s->path, "none"));
    assert_false(tree_text(&text, &s->arena, s->path, "folder"));
    assert_false(tree_text(&text, &s->arena, s->path, "folder/file/none"));
    assert_true(str_eqz(text, "left"));
    assert_int_equal(text_of(s, "pipe").len, 0);
    assert_false(tree_u64(&number, &s->arena, s->path, "none"));
    assert_int_equal(number, 7);
}

static void numbers_are_decimal_or_have_0x_before_them(void **state)
{
    static const struct {
        const char *text;
        uint64_t number; /* 7: none */
    } rows[] = {
        {"0\n", 0},
        {"206141652992\n", 206141652992},
        {"18446744073709551615", UINT64_MAX},
        {"0x1002\n", 0x1002},
        {"0x030200", 0x030200},
        {"0xffffffffffffffff", UINT64_MAX},
        {"18446744073709551616", 7},
        {"0x10000000000000000", 7},
        {"0x", 7},
        {"0xg", 7},
        {"0x-1", 7},
        {"-1", 7},
        {"+1", 7},
        {"1 2", 7},
        {"1002h", 7},
        {"", 7},
    };
    struct scratch *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t number = 7;

        plant(s, "number", rows[i].text);
        assert_int_equal(tree_u64(&number, &s->arena, s->path, "number"), rows[i].number != 7);
        if (number != rows[i].number)
            fail_msg("\"%s\": %ju", rows[i].text, (uintmax_t)number);
    }
}

static void names_are_listed_by_their_numbers(void **state)
{
    static const char *const made[] = {"card10", "card2",      "card0-DP-1",
                                       "card0",  "renderD128", ".card1"};
    static const char *const expected[] = {"card0", "card0-DP-1", "card2", "card10"};
    struct scratch *s = *state;
    struct tree_names names;

    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        plant(s, str_format(&s->arena, "drm/%s", made[i]), "");
    names = tree_list(&s->arena, s->path, "drm", "card");
    assert_int_equal(names.len, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < names.len; i++)
        assert_string_equal(names.at[i], expected[i]);
    assert_int_equal(tree_list(&s->arena, s->path, "drm", "").len, 5);
    assert_int_equal(tree_list(&s->arena, s->path, "drm", "nvidia").len, 0);
    assert_int_equal(tree_list(&s->arena, s->path, "none", "").len, 0);
    assert_int_equal(tree_list(&s->arena, s->path, "drm/card0", "").len, 0);
}

static void of_a_folder_without_end_a_bounded_number_is_listed(void **state)
{
    struct scratch *s = *state;

    for (size_t i = 0; i <= TREE_NAMES; i++)
        plant(s, str_format(&s->arena, "many/%zu", i), "");
    assert_int_equal(tree_list(&s->arena, s->path, "many", "").len, TREE_NAMES);
}

static void of_a_link_the_last_part_is_told(void **state)
{
    static const char *const rows[][2] = {{"../../devices/0000:03:00.0", "0000:03:00.0"},
                                          {"pid:[4026531836]", "pid:[4026531836]"},
                                          {"/gone", "gone"}};
    struct scratch *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *name = str_format(&s->arena, "link%zu", i);

        assert_int_equal(symlinkat(rows[i][0], s->fd, name), 0);
        assert_string_equal(tree_link_name(&s->arena, s->path, name), rows[i][1]);
    }
    plant(s, "file", "");
    assert_null(tree_link_name(&s->arena, s->path, "file"));
    assert_null(tree_link_name(&s->arena, s->path, "none"));
}

static void a_field_is_a_line_that_begins_with_its_whole_name(void **state)
{
    static const char text[] = "simd_count_max 4\nsimd_count 1216\nModel: \t NVIDIA L4 \n"
                               "Empty:\nalone\n simd 5\nsimd_count 7";
    static const char *const rows[][2] = {{"simd_count", "1216"}, {"simd_count_max", "4"},
                                          {"Model", "NVIDIA L4"}, {"Empty", ""},
                                          {"alone", NULL},        {"simd", NULL},
                                          {"count", NULL},        {"Model: NVIDIA L4 ", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str value = {"left", 4};
        bool found = tree_field(&value, STR(text), rows[i][0]);

        assert_int_equal(found, rows[i][1] != NULL);
        assert_true(str_eqz(value, found ? rows[i][1] : "left"));
    }
}

static void a_copy_is_cut_to_its_place(void **state)
{
    char place[] = "#########";

    (void)state;
    tree_copy(place, 4, STR("abcdef"));
    assert_memory_equal(place, "abc\0#####", 10);
    tree_copy(place, 4, STR("xyz"));
    assert_memory_equal(place, "xyz\0#####", 10);
    tree_copy(place, 4, STR(""));
    assert_memory_equal(place, "\0yz\0#####", 10);
}

/* Root may open everything: the rights of files are seen by somebody else. */
static bool is_refused_by_its_mode(void *ctx)
{
    struct scratch *s = ctx;
    struct stat st;
    const char *why;

    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
        return false;
    why = tree_refused(&s->arena, s->path, "dev/nvidia0");
    return why != NULL && fstatat(s->fd, "dev/nvidia0", &st, 0) == 0 &&
           strcmp(why, str_format(&s->arena,
                                  "%s/dev/nvidia0 may not be opened: owner %u, group %u, mode 0440",
                                  s->path, st.st_uid, st.st_gid)) == 0;
}

static void one_that_may_not_be_opened_says_whose_it_is(void **state)
{
    struct scratch *s = *state;
    const char *why;

    plant(s, "dev/nvidiactl", "");
    assert_true(tree_has(&s->arena, s->path, "dev/nvidiactl"));
    assert_null(tree_refused(&s->arena, s->path, "dev/nvidiactl"));
    assert_false(tree_has(&s->arena, s->path, "dev/none"));
    why = tree_refused(&s->arena, s->path, "dev/none");
    assert_string_equal(why, str_format(&s->arena, "%s/dev/none is not there", s->path));
    plant(s, "dev/nvidia0", "");
    assert_int_equal(fchmodat(s->fd, "dev/nvidia0", 0440, 0), 0);
    assert_int_equal(fchmod(s->fd, 0755), 0);
    in_child(is_refused_by_its_mode, s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(texts_lose_the_blanks_at_their_ends_and_nothing_else),
        SCRATCH_TEST(a_text_is_cut_at_its_limit),
        SCRATCH_TEST(what_is_absent_or_no_file_is_no_text),
        SCRATCH_TEST(numbers_are_decimal_or_have_0x_before_them),
        SCRATCH_TEST(names_are_listed_by_their_numbers),
        SCRATCH_TEST(of_a_folder_without_end_a_bounded_number_is_listed),
        SCRATCH_TEST(of_a_link_the_last_part_is_told),
        cmocka_unit_test(a_field_is_a_line_that_begins_with_its_whole_name),
        cmocka_unit_test(a_copy_is_cut_to_its_place),
        SCRATCH_TEST(one_that_may_not_be_opened_says_whose_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
