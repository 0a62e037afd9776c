#include "model/ref.h"

#include <stdio.h>

#include "../check.h"

struct good {
    const char *written;
    const char *source;
    const char *host;
    const char *repo;
    const char *revision;
    bool named;
    const char *text;
};

#define HF(written, repo, revision, named, text)               \
    {                                                          \
        written, "hf", NULL, repo, revision, named, "hf:" text \
    }
#define OLLAMA(written, host, repo, tag, named, text)             \
    {                                                             \
        written, "ollama", host, repo, tag, named, "ollama:" text \
    }
#define HOME    "registry.ollama.ai"
#define MISTRAL "mistralai/Mistral-7B-Instruct-v0.2"
#define COMMIT  "63a8b081895390a26e140280378bc85ec8bce07a"

static const struct good good[] = {
    HF("hf:org/name", "org/name", "main", false, "org/name"),
    HF("hf:" MISTRAL, MISTRAL, "main", false, MISTRAL),
    HF(MISTRAL, MISTRAL, "main", false, MISTRAL),
    HF("hf:org/name@v1.0", "org/name", "v1.0", true, "org/name@v1.0"),
    HF("hf:org/name@main", "org/name", "main", false, "org/name"),
    HF("org/name@refs/pr/1", "org/name", "refs/pr/1", true, "org/name@refs/pr/1"),
    HF("org/name@" COMMIT, "org/name", COMMIT, true, "org/name@" COMMIT),
    HF("hf:gpt2", "gpt2", "main", false, "gpt2"),
    HF("hf:gpt2@607a30d", "gpt2", "607a30d", true, "gpt2@607a30d"),
    HF("hf://org/name", "org/name", "main", false, "org/name"),
    HF("hf://models/org/name@v1", "org/name", "v1", true, "org/name@v1"),
    HF("https://huggingface.co/org/name", "org/name", "main", false, "org/name"),
    HF("https://huggingface.co/org/name/", "org/name", "main", false, "org/name"),
    HF("https://huggingface.co/gpt2", "gpt2", "main", false, "gpt2"),
    HF("http://hf.co/org/name?library=vllm#files", "org/name", "main", false, "org/name"),
    HF("https://huggingface.co/org/name/tree/v1", "org/name", "v1", true, "org/name@v1"),
    HF("https://huggingface.co/org/name/tree/main/", "org/name", "main", false, "org/name"),
    HF("https://huggingface.co/org/name/tree/refs%2Fpr%2F1", "org/name", "refs/pr/1", true,
       "org/name@refs/pr/1"),
    HF("https://huggingface.co/org/name/tree/refs/pr/1", "org/name", "refs/pr/1", true,
       "org/name@refs/pr/1"),
    HF("https://huggingface.co/org/name/commit/" COMMIT, "org/name", COMMIT, true,
       "org/name@" COMMIT),
    HF("huggingface.co/org/name", "org/name", "main", false, "org/name"),
    HF("a_b/C.d-e", "a_b/C.d-e", "main", false, "a_b/C.d-e"),
    OLLAMA("ollama:llava:7b", HOME, "library/llava", "7b", true, "llava:7b"),
    OLLAMA("llava:7b", HOME, "library/llava", "7b", true, "llava:7b"),
    OLLAMA("llama3.2", HOME, "library/llama3.2", "latest", false, "llama3.2"),
    OLLAMA("llama3.2:latest", HOME, "library/llama3.2", "latest", false, "llama3.2"),
    OLLAMA("nomic-embed-text", HOME, "library/nomic-embed-text", "latest", false,
           "nomic-embed-text"),
    OLLAMA("ollama:mattw/m:t", HOME, "mattw/m", "t", true, "mattw/m:t"),
    OLLAMA("ollama:library/llava", HOME, "library/llava", "latest", false, "llava"),
    OLLAMA("ollama:Registry.Ollama.AI/library/llava", HOME, "library/llava", "latest", false,
           "llava"),
    OLLAMA("ollama:hf.co/org/repo:Q4_K_M", "hf.co", "org/repo", "Q4_K_M", true,
           "hf.co/org/repo:Q4_K_M"),
    OLLAMA("hf.co/org/repo:Q4_K_M", "hf.co", "org/repo", "Q4_K_M", true, "hf.co/org/repo:Q4_K_M"),
    OLLAMA("ollama:localhost:5000/library/x", "localhost:5000", "library/x", "latest", false,
           "localhost:5000/library/x"),
    OLLAMA("localhost:5000/library/x:1", "localhost:5000", "library/x", "1", true,
           "localhost:5000/library/x:1"),
    OLLAMA("ollama:https://reg.example/ns/m", "reg.example", "ns/m", "latest", false,
           "reg.example/ns/m"),
    OLLAMA("https://ollama.com/library/llava:7b", HOME, "library/llava", "7b", true, "llava:7b"),
    OLLAMA("https://ollama.com/mattw/m", HOME, "mattw/m", "latest", false, "mattw/m"),
};

static void every_good_name_gives_its_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ARENA_SCOPED a = {0};
        struct model_ref ref;
        struct err err = {0};

        if (ref_parse(&ref, &a, str_from(good[i].written), &err) < 0)
            fail_msg("%s: %s", good[i].written, err.msg);
        assert_string_equal(ref.text, good[i].text);
        assert_string_equal(ref.source, good[i].source);
        assert_string_equal(ref.repo, good[i].repo);
        assert_string_equal(ref.revision, good[i].revision);
        assert_int_equal(ref.revision_named, good[i].named);
        if (good[i].host == NULL)
            assert_null(ref.host);
        else
            assert_string_equal(ref.host, good[i].host);
    }
}

static void the_canonical_text_is_itself_a_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ARENA_SCOPED a = {0};
        struct model_ref ref;
        struct err err = {0};

        assert_int_equal(ref_parse(&ref, &a, str_from(good[i].text), &err), 0);
        assert_string_equal(ref.text, good[i].text);
        assert_string_equal(ref.revision, good[i].revision);
    }
}

struct bad {
    const char *written;
    const char *msg;
    const char *hint; /* NULL: the code's own */
};

#define TAKEN ": only letters, digits, \"_\", \"-\" and \".\" are taken"

static const struct bad bad[] = {
    {"", "the name of the model is empty", NULL},
    {"hf:", "the repository's name is empty", NULL},
    {"hf:org/", "the repository's name is empty", NULL},
    {"hf:/name", "the organisation is empty", NULL},
    {"hf:org/na me", "the repository's name \"na me\" holds \" \"" TAKEN, NULL},
    {"hf:org/na\nme", "the repository's name \"na\\x0ame\" holds \"\\x0a\"" TAKEN, NULL},
    {"hf:../name", "the organisation \"..\" must begin and end with a letter, a digit or \"_\"",
     NULL},
    {"hf:org/-x", "the repository's name \"-x\" must begin and end with a letter, a digit or \"_\"",
     NULL},
    {"hf:org/a--b", "the repository's name \"a--b\" holds \"--\" or \"..\"", NULL},
    {"hf:org/a..b", "the repository's name \"a..b\" holds \"--\" or \"..\"", NULL},
    {"hf:org/name.git", "the repository's name \"name.git\" ends in \".git\": leave that away",
     NULL},
    {"hf:org/name/file.bin",
     "\"org/name/file.bin\" has more than two parts, a repository is "
     "org/name",
     "a file or folder within a repository is asked for by --include"},
    {"a/b/c", "\"a/b/c\" has more than two parts, a repository is org/name",
     "a file or folder within a repository is asked for by --include"},
    {"hf:org/name@", "\"\" is no revision",
     "a revision is a branch, a tag, a commit or refs/pr/NUMBER"},
    {"hf:org/name@../../x", "\"../../x\" is no revision",
     "a revision is a branch, a tag, a commit or refs/pr/NUMBER"},
    {"hf:org/name@a b", "\"a b\" is no revision",
     "a revision is a branch, a tag, a commit or refs/pr/NUMBER"},
    {"hf:org/name@x.lock", "\"x.lock\" is no revision",
     "a revision is a branch, a tag, a commit or refs/pr/NUMBER"},
    {"hf:org/name@/x", "\"/x\" is no revision",
     "a revision is a branch, a tag, a commit or refs/pr/NUMBER"},
    {"hf:org/name@a\\b", "\"a\\x5cb\" is no revision",
     "a revision is a branch, a tag, a commit or refs/pr/NUMBER"},
    {"org/name:7b", "\"org/name:7b\": names of Hugging Face hold no \":\"",
     "a revision is written hf:org/name@REVISION; a model of Ollama ollama:NAME:TAG"},
    {"hf:datasets/org/name", "only models are pulled, datasets are not supported", NULL},
    {"hf://datasets/org/name", "only models are pulled, datasets are not supported", NULL},
    {"https://huggingface.co/datasets/org/name",
     "only models are pulled, datasets are not supported", NULL},
    {"https://huggingface.co/spaces/org/name", "only models are pulled, spaces are not supported",
     NULL},
    {"https://huggingface.co/org/name/discussions/3",
     "\"org/name/discussions/3\" is no page of a model's files", "write hf:org/name"},
    {"https://huggingface.co/org/name/tree/main/onnx",
     "\"org/name/tree/main/onnx\" is a part of a repository",
     "write hf:org/name@main --include 'onnx/*'"},
    {"https://huggingface.co/org/name/blob/v1/a.gguf",
     "\"org/name/blob/v1/a.gguf\" is a part of a repository",
     "write hf:org/name@v1 --include 'a.gguf'"},
    {"https://huggingface.co/org/name/tree/%2e%2e%2fx", "\"../x\" is no revision",
     "a revision is a branch, a tag, a commit or refs/pr/NUMBER"},
    {"https://example.org/org/name",
     "\"example.org/org/name\" is no model of huggingface.co or "
     "ollama.com",
     "for a mirror of Hugging Face write hf:ORG/NAME and set HF_ENDPOINT; for another registry of "
     "Ollama write ollama:HOST/NS/NAME"},
    {"s3://bucket/x", "\"s3://bucket/x\" is of no source that is known",
     "the sources are hf: and ollama:"},
    {"gpt2@main", "\"gpt2@main\" is no name of Ollama, which hold no \"@\"",
     "a repository of Hugging Face is written hf:gpt2@main"},
    {"ollama:x@sha256:00", "\"x@sha256:00\": a model of Ollama cannot be pinned by \"@\"",
     "write its tag: ollama:NAME:TAG"},
    {"ollama:localhost:5000/x",
     "the namespace \"localhost:5000\" holds \":\" at 10: letters, digits and \"_\" are taken, "
     "and \"-\" after the first",
     NULL},
    {"ollama:hf.co/my.org/repo",
     "the namespace \"my.org\" holds \".\" at 3: letters, digits and \"_\" are taken, and \"-\" "
     "after the first",
     NULL},
    {"ollama:a/b/c/d",
     "the host \"a/b\" holds \"/\" at 2: letters, digits and \"_\" are taken, "
     "and \"-.:\" after the first",
     NULL},
    {"x:", "the tag is empty", NULL},
    {":t", "the model's name is empty", NULL},
    {"ollama:/x", "the namespace is empty", NULL},
    {"ollama:../x",
     "the namespace \"..\" holds \".\" at 1: letters, digits and \"_\" are taken, "
     "and \"-\" after the first",
     NULL},
    {"x:..",
     "the tag \"..\" holds \".\" at 1: letters, digits and \"_\" are taken, and \"-.\" "
     "after the first",
     NULL},
    {"x:.hid",
     "the tag \".hid\" holds \".\" at 1: letters, digits and \"_\" are taken, and "
     "\"-.\" after the first",
     NULL},
    {"a b",
     "the model's name \"a b\" holds \" \" at 2: letters, digits and \"_\" are taken, and "
     "\"-.\" after the first",
     NULL},
    {"ollama:h:x/ns/m", "the host \"h:x\" has a port that is none", NULL},
    {"ollama:h:1:2/ns/m", "the host \"h:1:2\" has a port that is none", NULL},
    {"ollama:h:70000/ns/m", "the host \"h:70000\" has a port that is none", NULL},
    {"ollama:http://h/ns/m", "\"http://h/ns/m\" holds \"http://\"",
     "write ollama:HOST:PORT/NS/NAME and --insecure-http HOST:PORT"},
    {"gpt-oss:120b-cloud", "gpt-oss:120b-cloud runs in Ollama's cloud and has no weights to pull",
     NULL},
    {"kimi:cloud", "kimi:cloud runs in Ollama's cloud and has no weights to pull", NULL},
    {"https://ollama.com/library/llava/tags",
     "\"library/llava/tags\" is no page of one model of Ollama",
     "write ollama:NAME or ollama:NAME:TAG"},
};

static void every_bad_name_says_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ARENA_SCOPED a = {0};
        struct model_ref ref = {.text = "untouched"};
        struct err err = {0};

        if (ref_parse(&ref, &a, str_from(bad[i].written), &err) == 0)
            fail_msg("%s was taken as %s", bad[i].written, ref.text);
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.msg, bad[i].msg);
        assert_string_equal(err.hint, bad[i].hint == NULL ? "" : bad[i].hint);
        assert_string_equal(ref.text, "untouched");
    }
}

static void long_names_are_refused(void **state)
{
    ARENA_SCOPED a = {0};
    char *name = arena_array(&a, char, REF_MAX + 2);
    struct model_ref ref;
    struct err err = {0};

    (void)state;
    memset(name, 'x', REF_MAX + 1);
    assert_int_equal(ref_parse(&ref, &a, str_from(name), &err), -1);
    assert_string_equal(err.msg, "the name of the model has 1025 characters, at most 1024 are "
                                 "taken");
    memcpy(name, "hf:org/", 7);
    assert_int_equal(ref_parse(&ref, &a, (struct str){name, 7 + 96}, &err), 0);
    assert_int_equal(ref_parse(&ref, &a, (struct str){name, 7 + 97}, &err), -1);
    assert_string_equal(err.msg, "the repository's name has 97 characters, at most 96 are taken");
    memcpy(name, "llava:", 6);
    assert_int_equal(ref_parse(&ref, &a, (struct str){name, 6 + 80}, &err), -1);
    memset(name, 'x', 7);
    assert_int_equal(ref_parse(&ref, &a, (struct str){name, 80}, &err), 0);
    assert_int_equal(ref_parse(&ref, &a, (struct str){name, 81}, &err), -1);
    assert_string_equal(err.msg, "the model's name has 81 characters, at most 80 are taken");
}

static void a_nul_in_a_name_is_refused(void **state)
{
    ARENA_SCOPED a = {0};
    struct model_ref ref;
    struct err err = {0};

    (void)state;
    assert_int_equal(ref_parse(&ref, &a, STR("hf:org/na\0me"), &err), -1);
    assert_int_equal(ref_parse(&ref, &a, STR("hf:org/name@v\0"), &err), -1);
    assert_int_equal(ref_parse(&ref, &a, STR("lla\0va"), &err), -1);
    assert_int_equal(ref_parse(&ref, &a, STR("https://huggingface.co/o/n/tree/a%00b"), &err), -1);
}

static void the_same_model_at_another_revision(void **state)
{
    ARENA_SCOPED a = {0};
    struct model_ref ref;
    struct model_ref other;
    struct err err = {0};

    (void)state;
    assert_int_equal(ref_parse(&ref, &a, STR("hf:org/name@v1"), &err), 0);
    assert_int_equal(ref_at(&other, &a, &ref, STR("refs/pr/2"), &err), 0);
    assert_string_equal(other.text, "hf:org/name@refs/pr/2");
    assert_int_equal(ref_at(&other, &a, &ref, STR("a b"), &err), -1);
    assert_int_equal(ref_parse(&ref, &a, STR("ollama:h:1/ns/m:1"), &err), 0);
    assert_int_equal(ref_at(&other, &a, &ref, STR("2"), &err), 0);
    assert_string_equal(other.text, "ollama:h:1/ns/m:2");
    assert_string_equal(other.host, "h:1");
}

static void a_commit_is_40_lower_case_digits(void **state)
{
    (void)state;
    assert_true(ref_is_commit(COMMIT));
    assert_false(ref_is_commit("63A8b081895390a26e140280378bc85ec8bce07a"));
    assert_false(ref_is_commit("63a8b081895390a26e140280378bc85ec8bce07"));
    assert_false(ref_is_commit(COMMIT "0"));
    assert_false(ref_is_commit("main"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_good_name_gives_its_parts),
        cmocka_unit_test(the_canonical_text_is_itself_a_name),
        cmocka_unit_test(every_bad_name_says_what_is_wrong),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(a_nul_in_a_name_is_refused),
        cmocka_unit_test(the_same_model_at_another_revision),
        cmocka_unit_test(a_commit_is_40_lower_case_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
