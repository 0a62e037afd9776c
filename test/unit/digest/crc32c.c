#include "digest/crc32c.h"

#include <string.h>

#include "../check.h"
#include "digest/digest.h"

/* RFC 3720, B.4, read as little-endian words. */
static void gives_the_examples_of_iscsi(void **state)
{
    unsigned char data[32];

    (void)state;
    memset(data, 0, sizeof(data));
    assert_int_equal(digest_crc32c(0, data, sizeof(data)), 0x8a9136aa);
    memset(data, 0xff, sizeof(data));
    assert_int_equal(digest_crc32c(0, data, sizeof(data)), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)i;
    assert_int_equal(digest_crc32c(0, data, sizeof(data)), 0x46dd794e);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(31 - i);
    assert_int_equal(digest_crc32c(0, data, sizeof(data)), 0x113fdb5c);
    assert_int_equal(digest_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(digest_crc32c(0, NULL, 0), 0);
}

static void goes_on_from_a_seed_at_any_cut(void **state)
{
    unsigned char data[100];
    uint32_t whole;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7 + 3);
    whole = digest_crc32c(0, data, sizeof(data));
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        uint32_t part = digest_crc32c(0, data, cut);

        assert_int_equal(digest_crc32c(part, data + cut, sizeof(data) - cut), whole);
    }
}

static void table_and_instruction_agree(void **state)
{
    /* On a processor without it this compares the table with whatever is used there. */
    uint32_t (*fast)(uint32_t, const void *, size_t) =
        crc32c_has_instruction() ? crc32c_by_instruction : digest_crc32c;
    unsigned char data[300];
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        seed = seed * 1664525 + 1013904223;
        data[i] = (unsigned char)(seed >> 24);
    }
    for (size_t start = 0; start < 9; start++) {
        for (size_t len = 0; start + len <= sizeof(data); len++) {
            assert_int_equal(crc32c_by_table(seed, data + start, len),
                             fast(seed, data + start, len));
            seed++;
        }
    }
}

static void they_agree_on_long_stretches_too(void **state)
{
    uint32_t (*fast)(uint32_t, const void *, size_t) =
        crc32c_has_instruction() ? crc32c_by_instruction : digest_crc32c;
    static unsigned char data[50000];
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        seed = seed * 1664525 + 1013904223;
        data[i] = (unsigned char)(seed >> 24);
    }
    for (size_t len = 12280; len <= sizeof(data); len += 1237, seed++)
        assert_int_equal(crc32c_by_table(seed, data + len % 9, len - 9),
                         fast(seed, data + len % 9, len - 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_examples_of_iscsi),
        cmocka_unit_test(goes_on_from_a_seed_at_any_cut),
        cmocka_unit_test(table_and_instruction_agree),
        cmocka_unit_test(they_agree_on_long_stretches_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
