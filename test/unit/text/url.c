#include "text/url.h"

#include <string.h>

#include "../check.h"

/* RFC 3986, 5.4.1 and 5.4.2, without the fragments and the other schemes. */
static void joins_as_the_rfc_has_it(void **state)
{
    static const struct {
        const char *location;
        const char *want;
    } cases[] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {";x", "http://a/b/c/;x"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"HTTPS://Cdn.Example:8443/x?s=%2F", "https://cdn.example:8443/x?s=%2F"},
        {"/a b/\xc3\xa9", "http://a/a%20b/%C3%A9"},
    };
    struct err err = {0};
    ARENA_SCOPED a = {0};
    struct url base;

    (void)state;
    assert_int_equal(url_parse(&base, &a, STR("http://a/b/c/d;p?q"), &err), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url got;

        assert_int_equal(url_join(&got, &a, &base, str_from(cases[i].location), &err), 0);
        assert_string_equal(got.text.ptr, cases[i].want);
    }
}

static void parse_takes_a_url_apart(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        const char *target;
        const char *whole;
        uint16_t port;
        bool tls;
    } cases[] = {
        {"https://huggingface.co", "huggingface.co", "/", "https://huggingface.co/", 443, true},
        {"http://HUB.example:8080/a?b=%2f", "hub.example", "/a?b=%2f",
         "http://hub.example:8080/a?b=%2f", 8080, false},
        {"HTTP://a:80/x", "a", "/x", "http://a/x", 80, false},
        {"https://a:80/x", "a", "/x", "https://a:80/x", 80, true},
        {"https://a?q", "a", "/?q", "https://a/?q", 443, true},
        {"https://a:", "a", "/", "https://a/", 443, true},
        {"http://[::1]:99/x", "::1", "/x", "http://[::1]:99/x", 99, false},
        {"http://[2001:DB8::1]", "2001:db8::1", "/", "http://[2001:db8::1]/", 80, false},
        {"http://10.0.0.1/@x:y", "10.0.0.1", "/@x:y", "http://10.0.0.1/@x:y", 80, false},
        {"http://a_b-c.d/", "a_b-c.d", "/", "http://a_b-c.d/", 80, false},
    };
    ARENA_SCOPED a = {0};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url u;

        if (url_parse(&u, &a, str_from(cases[i].text), &err) < 0)
            fail_msg("%s", err.msg);
        assert_true(str_eqz(u.host, cases[i].host));
        assert_true(str_eqz(u.target, cases[i].target));
        assert_string_equal(u.text.ptr, cases[i].whole);
        assert_int_equal(u.text.len, strlen(cases[i].whole));
        assert_int_equal(u.port, cases[i].port);
        assert_int_equal(u.tls, cases[i].tls);
    }
}

static void parse_refuses_what_it_does_not_know(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        {"", "is empty"},
        {"huggingface.co", "neither http"},
        {"ftp://a/", "neither http"},
        {"httpx://a/", "neither http"},
        {"file:///etc/passwd", "neither http"},
        {"https:/a", "has no host"},
        {"https:a", "has no host"},
        {"https://", "no valid host"},
        {"https:///x", "no valid host"},
        {"https://:80/", "no valid host"},
        {"https://a%41/", "no valid host"},
        {"https://a\\b/", "no valid host"},
        {"https://user@a/", "user"},
        {"https://u:p@a/", "user"},
        {"https://a:0/", "port"},
        {"https://a:65536/", "port"},
        {"https://a:+1/", "port"},
        {"https://a:1:2/", "port"},
        {"https://[::1/", "IPv6"},
        {"https://[]/", "IPv6"},
        {"https://[::1%25eth0]/", "IPv6"},
        {"https://[1.2.3.4]/", "IPv6"},
        {"https://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/", "IPv6"},
        {"https://[::1]x/", "after its host"},
        {"https://a/#f", "fragment"},
        {"https://a/\r\nX: y", "blank"},
        {"https://a/b c", "blank"},
        {"https://a/\xc3\xa9", "blank"},
        {"https://a/\x7f", "blank"},
    };
    ARENA_SCOPED a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        struct url u = {.port = 7};

        if (url_parse(&u, &a, str_from(bad[i].text), &err) == 0)
            fail_msg("%s was taken", bad[i].text);
        assert_int_equal(err.code, ERR_LIMIT);
        if (strstr(err.msg, bad[i].why) == NULL)
            fail_msg("%s: %s", bad[i].text, err.msg);
        assert_int_equal(u.port, 7);
    }
}

static void lengths_are_bounded(void **state)
{
    ARENA_SCOPED a = {0};
    char *text = arena_array(&a, char, URL_MAX + 2);
    struct err err = {0};
    struct url u;
    struct url joined;

    (void)state;
    memset(text, 'a', URL_MAX + 1);
    memcpy(text, "http://h/", 9);
    assert_int_equal(url_parse(&u, &a, (struct str){text, URL_MAX}, &err), 0);
    assert_int_equal(u.text.len, URL_MAX);
    assert_int_equal(url_parse(&joined, &a, (struct str){text, URL_MAX + 1}, &err), -1);
    assert_int_equal(url_join(&joined, &a, &u, (struct str){text, URL_MAX + 1}, &err), -1);
    assert_int_equal(url_join(&joined, &a, &u, STR("/short"), &err), 0);
    memset(text, ' ', 8000);
    memcpy(text, "/", 1);
    text[7999] = 'x';
    assert_int_equal(url_join(&joined, &a, &u, (struct str){text, 8000}, &err), -1);
    assert_non_null(strstr(err.msg, "more than"));
    memset(text, 'a', URL_MAX);
    memcpy(text, "http://h?", 9); /* one slash more than there is room for */
    assert_int_equal(url_parse(&joined, &a, (struct str){text, URL_MAX}, &err), -1);
    assert_non_null(strstr(err.msg, "too long"));
    assert_int_equal(url_parse(&joined, &a, (struct str){text, URL_MAX - 1}, &err), 0);
    assert_int_equal(joined.text.len, URL_MAX);
    memset(text, 'a', 300);
    memcpy(text, "http://", 7);
    assert_int_equal(url_parse(&joined, &a, (struct str){text, 300}, &err), -1);
    assert_non_null(strstr(err.msg, "host name"));
}

static void messages_hold_no_signature_and_no_password(void **state)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct url u;

    (void)state;
    assert_int_equal(url_parse(&u, &a, STR("https://a:99999/p?Signature=abc"), &err), -1);
    assert_string_equal(err.msg, "the URL https://a:99999/p has no valid port");
    assert_int_equal(url_parse(&u, &a, STR("https://joe:secret@a/"), &err), -1);
    assert_null(strstr(err.msg, "secret"));
    assert_int_equal(url_parse(&u, &a, STR("https://a/\x1b[2J"), &err), -1);
    assert_null(strchr(err.msg, '\x1b'));
}

static void a_relative_redirect_keeps_the_origin(void **state)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct url base;
    struct url got;

    (void)state;
    assert_int_equal(url_parse(&base, &a, STR("https://[::1]:8443"), &err), 0);
    assert_int_equal(url_join(&got, &a, &base, STR(" x?y#z\r\n"), &err), 0);
    assert_string_equal(got.text.ptr, "https://[::1]:8443/x?y");
    assert_true(url_same_origin(&base, &got));
    assert_int_equal(url_join(&got, &a, &base, STR("//other/x"), &err), 0);
    assert_string_equal(got.text.ptr, "https://other/x");
    assert_false(url_same_origin(&base, &got));
}

static void a_redirect_to_another_scheme_is_refused(void **state)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct url base;
    struct url got;

    (void)state;
    assert_int_equal(url_parse(&base, &a, STR("https://a/"), &err), 0);
    assert_int_equal(url_join(&got, &a, &base, STR("file:///etc/passwd"), &err), -1);
    assert_int_equal(url_join(&got, &a, &base, STR("a+b-c.d:x"), &err), -1);
    assert_int_equal(url_join(&got, &a, &base, STR("/a\nX-Evil: 1"), &err), -1);
    assert_int_equal(url_join(&got, &a, &base, STR("http://u:p@b/"), &err), -1);
    assert_int_equal(url_join(&got, &a, &base, STR("1a:b"), &err), 0);
    assert_string_equal(got.text.ptr, "https://a/1a:b");
    assert_int_equal(url_join(&got, &a, &base, STR("a_b:c"), &err), 0);
    assert_int_equal(url_join(&got, &a, &base, STR("?t=1:2"), &err), 0);
}

static void an_origin_is_scheme_host_and_port(void **state)
{
    static const char *const others[] = {"http://a:443/", "https://b/", "https://a:444/",
                                         "https://a.b/"};
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct url base;
    struct url other;

    (void)state;
    assert_int_equal(url_parse(&base, &a, STR("https://a/x"), &err), 0);
    assert_int_equal(url_parse(&other, &a, STR("HTTPS://A:443/y"), &err), 0);
    assert_true(url_same_origin(&base, &other));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(url_parse(&other, &a, str_from(others[i]), &err), 0);
        assert_false(url_same_origin(&base, &other));
    }
}

static void loopback_is_known_by_name_and_address(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"http://localhost/", true},
        {"http://LOCALHOST:1/", true},
        {"http://127.0.0.1/", true},
        {"http://127.9.9.9/", true},
        {"http://[::1]/", true},
        {"http://128.0.0.1/", false},
        {"http://[::2]/", false},
        {"http://127.0.0.1.example/", false},
        {"http://localhost.b/", false},
        {"http://127.1/", false},
        {"http://a-name-that-is-longer-than-any-address-of-ipv6/", false},
    };
    ARENA_SCOPED a = {0};
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url u;

        assert_int_equal(url_parse(&u, &a, str_from(cases[i].text), &err), 0);
        if (url_is_loopback(&u) != cases[i].is)
            fail_msg("%s", cases[i].text);
    }
}

static void encode_leaves_the_unreserved_and_what_is_kept(void **state)
{
    ARENA_SCOPED a = {0};

    (void)state;
    assert_string_equal(url_encode(&a, STR("aZ09-_.~"), ""), "aZ09-_.~");
    assert_string_equal(url_encode(&a, STR("refs/pr/1"), ""), "refs%2Fpr%2F1");
    assert_string_equal(url_encode(&a, STR("a b/\xc3\xa9?#%\0"), "/"), "a%20b/%C3%A9%3F%23%25%00");
    assert_string_equal(url_encode(&a, STR(""), "/"), "");
}

static void the_public_part_has_no_query(void **state)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct url u;

    (void)state;
    assert_int_equal(url_parse(&u, &a, STR("https://a/x?Signature=s"), &err), 0);
    assert_true(str_eqz(url_public(&u), "https://a/x"));
    assert_int_equal(url_parse(&u, &a, STR("https://a/x"), &err), 0);
    assert_true(str_eqz(url_public(&u), "https://a/x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_as_the_rfc_has_it),
        cmocka_unit_test(parse_takes_a_url_apart),
        cmocka_unit_test(parse_refuses_what_it_does_not_know),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(messages_hold_no_signature_and_no_password),
        cmocka_unit_test(a_relative_redirect_keeps_the_origin),
        cmocka_unit_test(a_redirect_to_another_scheme_is_refused),
        cmocka_unit_test(an_origin_is_scheme_host_and_port),
        cmocka_unit_test(loopback_is_known_by_name_and_address),
        cmocka_unit_test(encode_leaves_the_unreserved_and_what_is_kept),
        cmocka_unit_test(the_public_part_has_no_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
