#include "model/ollama_manifest.h"

#include "../check.h"
#include "text/buf.h"

#define HEX_A  "1111111111111111111111111111111111111111111111111111111111111111"
#define HEX_B  "2222222222222222222222222222222222222222222222222222222222222222"
#define HEX_C  "3333333333333333333333333333333333333333333333333333333333333333"
#define DOCKER "application/vnd.docker.distribution.manifest.v2+json"
#define CONFIG                                                                                     \
    "{\"mediaType\":\"application/vnd.docker.container.image.v1+json\",\"digest\":\"sha256:" HEX_A \
    "\",\"size\":17}"
#define LAYER(word, hex, size)                                                          \
    "{\"mediaType\":\"application/vnd.ollama.image." word "\",\"digest\":\"sha256:" hex \
    "\",\"size\":" size "}"
#define TEXT(layers)                                                                              \
    "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER "\",\"config\":" CONFIG ",\"layers\":[" layers \
    "]}"

/*
 * The manifest of nomic-embed-text as its registry serves it: what Ollama shows as the model's ID
 * is the sha256 of these very bytes.
 */
#define NOMIC                                                                                      \
    "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER "\",\"config\":{\"mediaType\":"                 \
    "\"application/vnd.docker.container.image.v1+json\",\"digest\":\"sha256:"                      \
    "31df23ea7daa448f9ccdbbcecce6c14689c8552222b80defd3830707c0139d4f\",\"size\":420},"            \
    "\"layers\":[" LAYER(                                                                          \
        "model", "970aa74c0a90ef7482477cf803618e776e173c007bf957f635f1015bfcfef0e6",               \
        "274290656") "," LAYER("license",                                                          \
                               "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4", \
                               "11357") "," LAYER("params",                                        \
                                                  "ce4a164fc04605703b485251fe9f1a181688ba0eb6badb" \
                                                  "80cc"                                           \
                                                  "6335c0de17ca0d",                                \
                                                  "17") "]}"
#define NOMIC_ID "0a109f422b47e3a30ba2b10eca18548e944e8a23073ee3f3e947efcf3c45e59f"

static const struct model_ref ref = {
    .source = "ollama",
    .host = "registry.ollama.ai",
    .repo = "library/m",
    .revision = "latest",
    .text = "ollama:m",
};

static struct manifest parse(struct arena *a, struct str text)
{
    struct manifest m = {0};
    struct err err = {0};

    if (ollama_manifest_parse(&m, a, &ref, text, &err) < 0)
        fail_msg("%s", err.msg);
    return m;
}

static void the_id_is_the_hash_of_the_text_as_it_came(void **state)
{
    ARENA_SCOPED a = {0};
    struct str text = STR(NOMIC);
    struct manifest m = parse(&a, text);

    (void)state;
    assert_string_equal(m.commit, NOMIC_ID);
    assert_true(str_eq(m.raw, text));
    assert_ptr_not_equal(m.raw.ptr, text.ptr);
    assert_int_equal(m.file_count, 4);
    assert_int_equal(manifest_wanted_count(&m), 4);
    assert_true(manifest_wanted_bytes(&m) == 274302450);
    assert_string_equal(m.ref.text, "ollama:m");
}

static void check_file(const struct manifest *m, const char *path, const char *hex, uint64_t size)
{
    const struct model_file *f = manifest_find(m, path);
    char found[DIGEST_HEX + 1];

    if (f == NULL) {
        fail_msg("no %s", path);
        return;
    }
    assert_string_equal(digest_format(&f->digest, found), hex);
    assert_true(f->size == size);
    assert_true(f->wanted);
    assert_string_equal(f->oid, "");
    assert_string_equal(f->xet, "");
}

static void paths_say_what_a_layer_is_for(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m =
        parse(&a, STR(TEXT(LAYER("license", HEX_B, "5") "," LAYER("model", HEX_C, "9") "," LAYER(
                      "license", HEX_A, "17") "," LAYER("template", HEX_A, "17"))));

    (void)state;
    assert_int_equal(m.file_count, 5);
    check_file(&m, "config", HEX_A, 17);
    check_file(&m, "license", HEX_B, 5);
    check_file(&m, "license-2", HEX_A, 17);
    check_file(&m, "model", HEX_C, 9);
    check_file(&m, "template", HEX_A, 17);
}

static void media_types_that_nobody_knows_are_kept(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = parse(
        &a, STR(TEXT(LAYER("rune_8", HEX_B, "5") "," LAYER("../../etc", HEX_B, "5") "," LAYER(
                "", HEX_B,
                "5") "," LAYER("license-2", HEX_B,
                               "5") "," LAYER("a/b", HEX_B,
                                              "5") "," LAYER("config", HEX_B,
                                                             "5") ",{\"mediaType\":\"text/"
                                                                  "x\",\"digest\":\"sha256:" HEX_C
                                                                  "\",\"size\":1,\"from\":\"/"
                                                                  "root\",\"name\":\"n\"}," LAYER(
                                                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                                      "aaaaaaaaaaaaa",
                                                                      HEX_B, "5"))));

    (void)state;
    assert_int_equal(m.file_count, 9);
    check_file(&m, "rune_8", HEX_B, 5);
    check_file(&m, "config", HEX_A, 17);
    check_file(&m, "config-2", HEX_B, 5);
    check_file(&m, "layer", HEX_B, 5);
    check_file(&m, "layer-5", HEX_C, 1);
    check_file(&m, "layer-6", HEX_B, 5);
}

static void a_manifest_of_oci_or_without_a_media_type_is_taken(void **state)
{
    ARENA_SCOPED a = {0};

    (void)state;
    (void)parse(&a, STR("{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}"));
    (void)parse(&a, STR("{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                        "\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}"));
}

static void what_is_no_manifest_is_named(void **state)
{
    static const char *const bad[][2] = {
        {"", "its text: broken JSON at line 1, column 0: '[' or '{' expected near end of file"},
        {"[]", "it is no object"},
        {"{}", "\"schemaVersion\" is missing"},
        {"{\"schemaVersion\":\"2\"}", "\"schemaVersion\" should be a whole number from 0"},
        {"{\"schemaVersion\":3}", "its schemaVersion is 3, not 2"},
        {"{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[]}",
         "it is of schema 1, which registries make for clients of before 2016, no manifest of a "
         "model"},
        {"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest."
         "list.v2+json\",\"manifests\":[]}",
         "it is a manifest list (one image for several platforms), no manifest of a model"},
        {"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}",
         "it is an image index (one image for several platforms), no manifest of a model"},
        {"{\"schemaVersion\":2,\"manifests\":[]}",
         "it is an image index (one image for several platforms), no manifest of a model"},
        {"{\"schemaVersion\":2,\"mediaType\":\"text/\\nx\"}", "its media type is \"text/\\x0ax\""},
        {"{\"schemaVersion\":2,\"config\":" CONFIG "}", "\"layers\" is no array"},
        {"{\"schemaVersion\":2,\"layers\":[]}", "config: it is no object"},
        {TEXT(LAYER("model", HEX_B, "1") ",7"), "layer 2 of 2: it is no object"},
        {TEXT("{}"), "layer 1 of 1: \"mediaType\" is missing"},
        {TEXT("{\"mediaType\":\"x\"}"), "layer 1 of 1: \"digest\" is missing"},
        {TEXT("{\"mediaType\":\"x\",\"digest\":\"sha256:../../x\"}"),
         "layer 1 of 1: the digest \"sha256:../../x\" is not \"sha256:\" and 64 hex digits"},
        {TEXT("{\"mediaType\":\"x\",\"digest\":\"" HEX_B "\",\"size\":1}"),
         "layer 1 of 1: the digest \"" HEX_B "\" is not \"sha256:\" and 64 hex digits"},
        {TEXT("{\"mediaType\":\"x\",\"digest\":\"sha256:63a8b081895390a26e140280378bc85ec8bce07a\","
              "\"size\":1}"),
         "layer 1 of 1: the digest \"sha256:63a8b081895390a26e140280378bc85ec8bce07a\" is not "
         "\"sha256:\" and 64 hex digits"},
        {TEXT("{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX_B "\"}"),
         "layer 1 of 1: \"size\" is missing"},
        {TEXT(LAYER("model", HEX_B, "-1")),
         "layer 1 of 1: \"size\" should be a whole number from 0"},
        {TEXT(LAYER("model", HEX_B, "1125899906842625")),
         "layer 1 of 1: 1125899906842625 bytes are more than any file has"},
        {TEXT(LAYER("model", HEX_B, "1") "," LAYER("license", HEX_B, "2")),
         "sha256:" HEX_B " has 1 bytes in one place and 2 in another"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ARENA_SCOPED a = {0};
        struct manifest m = {0};
        struct err err = {0};
        const char *wanted = str_format(&a, "ollama:m: its manifest: %s", bad[i][1]);

        assert_int_equal(ollama_manifest_parse(&m, &a, &ref, str_from(bad[i][0]), &err), -1);
        assert_string_equal(err.msg, wanted);
        assert_int_equal(err.code, ERR_LIMIT);
        assert_null(m.files);
    }
}

static void all_together_have_a_limit(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(ollama_manifest_parse(
                         &m, &a, &ref, STR(TEXT(LAYER("model", HEX_B, "1125899906842624"))), &err),
                     -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "ollama:m: with model the files are larger than 2^50 bytes");
}

static struct str with_layers(struct arena *a, size_t count)
{
    struct buf b = buf_new(a, OLLAMA_MANIFEST_BYTES_MAX);

    buf_addz(&b, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[");
    for (size_t i = 0; i < count; i++)
        buf_addf(&b, "%s" LAYER("tensor", HEX_B, "1"), i == 0 ? "" : ",");
    buf_addz(&b, "]}");
    assert_false(b.cut);
    return buf_str(&b);
}

static void layers_have_a_limit(void **state)
{
    ARENA_SCOPED a = {0};
    struct manifest m = parse(&a, with_layers(&a, OLLAMA_MANIFEST_LAYERS_MAX));
    struct err err = {0};

    (void)state;
    assert_int_equal(m.file_count, OLLAMA_MANIFEST_LAYERS_MAX + 1);
    assert_non_null(manifest_find(&m, "tensor-10000"));
    assert_int_equal(
        ollama_manifest_parse(&m, &a, &ref, with_layers(&a, OLLAMA_MANIFEST_LAYERS_MAX + 1), &err),
        -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "ollama:m: its manifest: 10001 layers, at most 10000 are taken");
}

static void a_text_too_long_is_not_read(void **state)
{
    ARENA_SCOPED a = {0};
    char *text = arena_array(&a, char, OLLAMA_MANIFEST_BYTES_MAX + 1);
    struct manifest m = {0};
    struct err err = {0};

    (void)state;
    memset(text, ' ', OLLAMA_MANIFEST_BYTES_MAX + 1);
    assert_int_equal(ollama_manifest_parse(&m, &a, &ref,
                                           (struct str){text, OLLAMA_MANIFEST_BYTES_MAX + 1}, &err),
                     -1);
    assert_int_equal(err.code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_is_the_hash_of_the_text_as_it_came),
        cmocka_unit_test(paths_say_what_a_layer_is_for),
        cmocka_unit_test(media_types_that_nobody_knows_are_kept),
        cmocka_unit_test(a_manifest_of_oci_or_without_a_media_type_is_taken),
        cmocka_unit_test(what_is_no_manifest_is_named),
        cmocka_unit_test(all_together_have_a_limit),
        cmocka_unit_test(layers_have_a_limit),
        cmocka_unit_test(a_text_too_long_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
