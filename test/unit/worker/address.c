#include "worker/address.h"

#include "../check.h"

static void it_is_read_as_the_server_reads_it(void **state)
{
    static const char *const rows[][2] = {
        {"1.2.3.4", "http://1.2.3.4:11434"},
        {"1.2.3.4:1234", "http://1.2.3.4:1234"},
        {"gpu-3.example", "http://gpu-3.example:11434"},
        {"gpu-3.example:1234/", "http://gpu-3.example:1234"},
        {":1234", "http://127.0.0.1:1234"},
        {"", "http://127.0.0.1:11434"},
        {"  ", "http://127.0.0.1:11434"},
        {"0.0.0.0", "http://127.0.0.1:11434"},
        {"0.0.0.0:1234", "http://127.0.0.1:1234"},
        {"[::]", "http://127.0.0.1:11434"},
        {"[::]:1234", "http://127.0.0.1:1234"},
        {"::", "http://127.0.0.1:11434"},
        {"[::1]", "http://[::1]:11434"},
        {"[::1]:11500", "http://[::1]:11500"},
        {"::1", "http://[::1]:11434"},
        {"fd00::12:1", "http://[fd00::12:1]:11434"},
        {"http://1.2.3.4", "http://1.2.3.4:80"},
        {"http://0.0.0.0:11434", "http://127.0.0.1:11434"},
        {"http://[::1]:1234", "http://[::1]:1234"},
        {"https://h", "https://h:443"},
        {"https://h/", "https://h:443"},
        {"https://h:1/", "https://h:1"},
        {"https://h/ollama//", "https://h:443/ollama"},
        {" \"1.2.3.4\" ", "http://1.2.3.4:11434"},
        {"' 1.2.3.4:5 '", "http://1.2.3.4:5"},
        {":66000", "http://127.0.0.1:11434"},
        {"h:-1", "http://h:11434"},
        {"https://h:x", "https://h:443"},
        {"ftp://h", "ftp://h:11434"},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(address_of_ollama(&a, rows[i][0]), rows[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_as_the_server_reads_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
