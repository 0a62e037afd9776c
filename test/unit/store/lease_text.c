#include "store/lease_text.h"

#include <stdio.h>
#include <string.h>

#include "../check.h"
#include "digest/digest.h"

static struct lease_state longest(void)
{
    struct lease_state s = {.format = LEASE_FORMAT,
                            .token = "0123456789abcdef",
                            .pid = UINT64_MAX,
                            .beat = UINT64_MAX,
                            .done_bytes = UINT64_MAX,
                            .total_bytes = UINT64_MAX,
                            .bps = UINT64_MAX};

    memset(s.host, 'h', sizeof(s.host) - 1);
    memset(s.boot_id, 'b', sizeof(s.boot_id) - 1);
    memset(s.what, 'w', sizeof(s.what) - 1);
    return s;
}

static void the_longest_values_fit_and_come_back(void **state)
{
    struct lease_state written = longest();
    struct lease_state read;
    char text[LEASE_TEXT];

    (void)state;
    lease_format(text, &written);
    assert_true(lease_parse(&read, (struct str){text, sizeof(text)}));
    assert_memory_equal(&read, &written, sizeof(read));
}

static void a_text_that_is_half_one_and_half_another_is_none(void **state)
{
    struct lease_state first = longest();
    struct lease_state second = longest();
    struct lease_state read;
    char old[LEASE_TEXT];
    char new[LEASE_TEXT];

    (void)state;
    second.beat = 7;
    second.host[3] = 'x';
    lease_format(old, &first);
    lease_format(new, &second);
    for (size_t i = 1; i < LEASE_TEXT; i++) {
        char torn[LEASE_TEXT];

        memcpy(torn, new, i);
        memcpy(torn + i, old + i, LEASE_TEXT - i);
        if (memcmp(torn, old, LEASE_TEXT) != 0 && memcmp(torn, new, LEASE_TEXT) != 0)
            assert_false(lease_parse(&read, (struct str){torn, sizeof(torn)}));
        assert_false(lease_parse(&read, (struct str){new, i}));
    }
}

/* A lease with a right seal in which one piece of text was replaced by another of its length. */
static bool parses_with(const char *piece, const char *other)
{
    struct lease_state s = longest();
    struct lease_state read;
    char text[LEASE_TEXT];
    char end[16];
    char *at;

    lease_format(text, &s);
    at = memmem(text, sizeof(text), piece, strlen(piece));
    assert_non_null(at);
    memcpy(at, other, strlen(other));
    (void)snprintf(end, sizeof(end), "end %08x\n", digest_crc32c(0, text, LEASE_TEXT - 13));
    memcpy(text + LEASE_TEXT - 13, end, 13);
    return lease_parse(&read, (struct str){text, sizeof(text)});
}

static void a_wrong_line_is_none_whatever_its_seal(void **state)
{
    (void)state;
    assert_true(parses_with("beat 1", "beat 0"));
    assert_false(parses_with("token 0", "token Z"));
    assert_false(parses_with("token 0123456789abcdef", "token 0123456789abcd\nx"));
    assert_false(parses_with("token", "tokes"));
    assert_false(parses_with("host hh", "host\nhh"));
    assert_false(parses_with("beat 18446744073709551615", "beat 99999999999999999999"));
    assert_false(parses_with("beat 1", "beat x"));
    assert_false(parses_with("bps", "bpz"));
}

static void another_format_is_known_by_its_first_line(void **state)
{
    struct lease_state read;

    (void)state;
    assert_true(lease_parse(&read, STR("hostler-lease 2\n\x1b[31m")));
    assert_int_equal(read.format, 2);
    assert_string_equal(read.host, "a newer hostler");
    assert_false(lease_parse(&read, STR("hostler-lease 2")));
    assert_false(lease_parse(&read, STR("hostler-lease x\n")));
    assert_false(lease_parse(&read, STR("hostler-lease \n")));
    assert_false(lease_parse(&read, STR("hostler-lease 1\n")));
    assert_false(lease_parse(&read, STR("another 2\n")));
    assert_false(lease_parse(&read, STR("")));
}

static void what_people_are_shown_has_no_blanks_and_no_controls(void **state)
{
    char out[5];

    (void)state;
    lease_plain(out, sizeof(out), "a\tb c");
    assert_string_equal(out, "a?b?");
    lease_plain(out, sizeof(out), "");
    assert_string_equal(out, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_values_fit_and_come_back),
        cmocka_unit_test(a_text_that_is_half_one_and_half_another_is_none),
        cmocka_unit_test(a_wrong_line_is_none_whatever_its_seal),
        cmocka_unit_test(another_format_is_known_by_its_first_line),
        cmocka_unit_test(what_people_are_shown_has_no_blanks_and_no_controls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
