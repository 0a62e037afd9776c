#include "worker/words.h"

#include <string.h>

#include "../check.h"
#include "text/buf.h"
#include "text/str.h"

#define MOST 6

static void words_are_cut_as_a_shell_would(void **state)
{
    static const struct {
        const char *text;
        const char *words[MOST];
    } rows[] = {
        {"ollama serve", {"ollama", "serve"}},
        {"  a\t b\n\rc ", {"a", "b", "c"}},
        {"sh -c 'exit 3; # no'", {"sh", "-c", "exit 3; # no"}},
        {"'a \\ \"b'", {"a \\ \"b"}},
        {"\"a 'b' \\\" \\\\ \\n\"", {"a 'b' \" \\ \\n"}},
        {"a\\ b \\'c \\\\", {"a b", "'c", "\\"}},
        {"a'b c'\"d e\"f", {"ab cd ef"}},
        {"a '' \"\"", {"a", "", ""}},
        {"''", {""}},
        {"a\\", {"a\\"}},
        {"$HOME *.c {path:x} a|b", {"$HOME", "*.c", "{path:x}", "a|b"}},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *const *words;
        struct err err = {0};
        size_t k = 0;

        if (words_cut(&words, &a, rows[i].text, &err) < 0)
            fail_msg("%s: %s", rows[i].text, err.msg);
        for (; rows[i].words[k] != NULL; k++) {
            assert_non_null(words[k]);
            assert_string_equal(words[k], rows[i].words[k]);
        }
        assert_null(words[k]);
    }
}

static void an_open_quote_and_no_command_are_errors_of_usage(void **state)
{
    static const char *const texts[] = {"",       "  \n\t",  "sh -c 'a",  "\"a",
                                        "a \"b'", "\"a\\\"", "'a\\' b 'c"};
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *const *words = NULL;
        struct err err = {0};

        if (words_cut(&words, &a, texts[i], &err) == 0)
            fail_msg("taken: %s", texts[i]);
        assert_int_equal(err.code, ERR_USAGE);
        assert_null(words);
        assert_non_null(strstr(err.msg, i < 2 ? "no command" : "a quote is not closed"));
    }
}

static void a_thousand_words_and_no_more(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf text = buf_new(&a, 3 * WORDS_MOST);
    char *const *words;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < WORDS_MOST; i++)
        buf_addz(&text, "a ");
    assert_int_equal(words_cut(&words, &a, text.ptr, &err), 0);
    assert_non_null(words[WORDS_MOST - 1]);
    assert_null(words[WORDS_MOST]);
    buf_addz(&text, "a");
    assert_int_equal(words_cut(&words, &a, text.ptr, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.msg, "more than 1000 words");
}

/* A thousand words of a hundred letters are a hundred thousand bytes, not a thousand times that. */
static void all_words_together_take_the_room_of_the_text(void **state)
{
    ARENA_SCOPED texts = {0};
    ARENA_SCOPED a = {0};
    struct buf text = buf_new(&texts, 101 * WORDS_MOST + 1);
    char *const *words;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < WORDS_MOST; i++)
        buf_addf(&text, "%0100zu ", i);
    /* The pointers to them grow by doubling, and old ones stay with the arena. */
    arena_reserve(&a, text.len + 1 + 4 * WORDS_MOST * sizeof(char *));
    assert_int_equal(words_cut(&words, &a, text.ptr, &err), 0);
    assert_true(arena_is_one_block(&a));
    for (size_t i = 0; i < WORDS_MOST; i++) {
        assert_string_equal(words[i], str_format(&texts, "%0100zu", i));
    }
    assert_null(words[WORDS_MOST]);
}

static void a_flag_s_value_is_behind_it_or_behind_the_equals_and_the_last_one_counts(void **state)
{
    static const char *const words[] = {"vllm",  "serve", "--tp", "2",      "--tp=4", "--eager",
                                        "--tpx", "9",     "--n",  "twelve", "--last", NULL};

    (void)state;
    assert_string_equal(words_value(words, "--tp"), "4");
    assert_int_equal(words_number(words, "--tp"), 4);
    assert_int_equal(words_number(words, "--n"), 0);
    assert_null(words_value(words, "--last"));
    assert_null(words_value(words, "--none"));
    assert_int_equal(words_number(words, "--none"), 0);
    assert_true(words_have(words, "--eager"));
    assert_true(words_have(words, "--tp"));
    assert_true(words_have(words, "--last"));
    assert_false(words_have(words, "--t"));
    assert_false(words_have(words, "--served-model-name"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_cut_as_a_shell_would),
        cmocka_unit_test(an_open_quote_and_no_command_are_errors_of_usage),
        cmocka_unit_test(a_thousand_words_and_no_more),
        cmocka_unit_test(all_words_together_take_the_room_of_the_text),
        cmocka_unit_test(a_flag_s_value_is_behind_it_or_behind_the_equals_and_the_last_one_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
