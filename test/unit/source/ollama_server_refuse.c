#include "source/ollama_server_refuse.h"

#include <string.h>

#include "../check.h"

#define BASE  "http://gpu1:11434"
#define MODEL "ollama:llava:7b"
#define HEAD  MODEL ": the Ollama at " BASE " "

struct row {
    const char *words;
    enum err_code code;
    const char *message;
    const char *hint;
};

static void check(const struct row *row, const struct err *err)
{
    if (err->code != row->code || strcmp(err->msg, row->message) != 0 ||
        strcmp(err_hint_of(err), row->hint) != 0)
        fail_msg("%s: %d %s (%s)", row->words, err->code, err->msg, err_hint_of(err));
}

static void each_of_its_words_has_a_code_a_message_and_a_way_out(void **state)
{
    static const struct row rows[] = {
        {"pull model manifest: file does not exist", ERR_NOT_FOUND,
         HEAD "finds no such model: pull model manifest: file does not exist",
         "check the name and the tag; a private model needs that server's key"},
        {"write /b/sha256-1-partial: no space left on device", ERR_NO_SPACE,
         HEAD "has no space left: write /b/sha256-1-partial: no space left on device",
         "free space where that Ollama has its store, or give it a larger one"},
        {"write /b: disk quota exceeded", ERR_NO_SPACE,
         HEAD "has no space left: write /b: disk quota exceeded",
         "free space where that Ollama has its store, or give it a larger one"},
        {"digest mismatch, file must be downloaded again: want a, got b", ERR_DIGEST,
         HEAD "got wrong bytes: digest mismatch, file must be downloaded again: want a, got b",
         "it deletes them: pull again; if they stay wrong, look at its proxy and its disk"},
        {"pull model manifest: 412: \n\nThe model you are attempting to pull", ERR_USAGE,
         HEAD "is too old for this model: pull model manifest: 412: \\x0a\\x0aThe model you are "
              "attempting to pull",
         "update that Ollama"},
        {"this model requires a newer version", ERR_USAGE,
         HEAD "is too old for this model: this model requires a newer version",
         "update that Ollama"},
        {"http: no Location header in response", ERR_USAGE,
         HEAD "cannot take models from that registry: http: no Location header in response",
         "hostler itself can: let it write the store, with --ollama-via store"},
        {"unexpected status code 302", ERR_USAGE,
         HEAD "cannot take models from that registry: unexpected status code 302",
         "hostler itself can: let it write the store, with --ollama-via store"},
        {"realm host \"a\" is not \"b\"", ERR_USAGE,
         HEAD "cannot take models from that registry: realm host \\x22a\\x22 is not \\x22b\\x22",
         "hostler itself can: let it write the store, with --ollama-via store"},
        {"unauthorized: access denied", ERR_AUTH,
         HEAD "is not allowed to have it: unauthorized: access denied",
         "give the key of that server (its .ollama/id_ed25519.pub) to the account that has access"},
        {"open /b/x: permission denied", ERR_VOLUME,
         HEAD "cannot write its store: open /b/x: permission denied",
         "its user must be able to write its store (OLLAMA_MODELS there)"},
        {"open /b/x: read-only file system", ERR_VOLUME,
         HEAD "cannot write its store: open /b/x: read-only file system",
         "its user must be able to write its store (OLLAMA_MODELS there)"},
        {"invalid model name", ERR_USAGE, HEAD "does not take this name: invalid model name",
         "see ollama.com for names"},
        {"max retries exceeded: EOF", ERR_NET, HEAD "could not fetch it: max retries exceeded: EOF",
         "check the network of that server: the bytes come to it, not to hostler"},
        {"dial tcp: lookup r: no such host", ERR_NET,
         HEAD "could not pull it: dial tcp: lookup r: no such host", "see the log of that Ollama"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = {0};

        assert_int_equal(ollama_server_refuse(BASE, MODEL, str_from(rows[i].words), &err), -1);
        check(&rows[i], &err);
    }
}

static void its_words_are_printed_escaped_and_cut(void **state)
{
    char words[2000];
    struct err err = {0};

    (void)state;
    memset(words, 'x', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    memcpy(words, "\x1b[2J", 4);
    assert_int_equal(ollama_server_refuse(BASE, MODEL, str_from(words), &err), -1);
    assert_non_null(strstr(err.msg, "\\x1b[2J"));
    assert_null(strchr(err.msg, '\x1b'));
    assert_true(strlen(err.msg) < 300);
}

static void a_status_has_its_words_or_its_own_meaning(void **state)
{
    static const struct {
        int status;
        struct row row; /* words are the body */
    } rows[] = {
        {400,
         {"{\"error\":\"invalid model name\"}", ERR_USAGE,
          HEAD "does not take this name: invalid model name", "see ollama.com for names"}},
        {500,
         {"{\"error\":\"stat x: no such file\"}", ERR_NET,
          HEAD "could not pull it: stat x: no such file", "see the log of that Ollama"}},
        {401,
         {"", ERR_AUTH, HEAD "refuses us (401)",
          "an Ollama on loopback takes only requests to a local name; what stands before it may "
          "want a login"}},
        {403,
         {"<html>", ERR_AUTH, HEAD "refuses us (403)",
          "an Ollama on loopback takes only requests to a local name; what stands before it may "
          "want a login"}},
        {404,
         {"404 page not found", ERR_USAGE, MODEL ": " BASE " answers 404, as no Ollama does",
          "name a running Ollama with OLLAMA_URL"}},
        {301,
         {"{\"error\":7}", ERR_USAGE, MODEL ": " BASE " answers 301, as no Ollama does",
          "name a running Ollama with OLLAMA_URL"}},
    };
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err = (struct err){0};
        assert_int_equal(ollama_server_refuse_status(BASE, MODEL, rows[i].status,
                                                     str_from(rows[i].row.words), &err),
                         -1);
        check(&rows[i].row, &err);
    }
    assert_int_equal(ollama_server_refuse_status(BASE, MODEL, 502, STR("no"), &err), -1);
    assert_int_equal(err.code, ERR_NET);
    assert_string_equal(err.msg, HEAD "answers 502");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_its_words_has_a_code_a_message_and_a_way_out),
        cmocka_unit_test(its_words_are_printed_escaped_and_cut),
        cmocka_unit_test(a_status_has_its_words_or_its_own_meaning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
