/*
 * Power cuts of a pull from Ollama's registry: blobs, manifests and links of two tags that share
 * the weights, with their staging, journals, records and receipts, come back as an arbitrary mix of
 * older states. A manifest that is there leads to right blobs all the time, and the next pull, of
 * either tag, makes its model whole.
 */
#include "power_pull.h"

#define CUTS      POWER_CUTS(500)
#define FILES_MAX 12
#define TAGS      ((size_t)2)

#define STORE     "ollama"
#define BLOBS     STORE "/blobs"
#define BLOB      BLOBS "/sha256-%s"
#define MANIFESTS STORE "/manifests/registry.ollama.ai/" HUB_REPO
#define LINKS     STORE "/models/org+tiny"
#define OWN       STORE "/.hostler"

static struct hub_file files[FILES_MAX];
static struct hub_tag tags[TAGS] = {{"latest", NULL}, {"twin", NULL}};

/* ---- the models ---- */

/* All of the model's files; a twin has the weights and the config alone. */
static size_t files_of(size_t tag)
{
    return tag == 0 ? server.count : 2;
}

static void add_part(struct buf *b, const char *type, const struct hub_file *file)
{
    buf_addf(b, "{\"mediaType\":\"application/vnd.%s\",\"digest\":\"sha256:%s\",\"size\":%zu}",
             type, file->hex, file->size);
}

static const char *manifest_of(size_t tag)
{
    struct buf b = buf_new(&server.arena, 65536);

    buf_addz(&b, "{\"schemaVersion\":2,\"mediaType\":"
                 "\"application/vnd.docker.distribution.manifest.v2+json\",\"config\":");
    add_part(&b, "docker.container.image.v1+json", &files[1]);
    buf_addz(&b, ",\"layers\":[");
    add_part(&b, "ollama.image.model", &files[0]);
    for (size_t i = 2; i < files_of(tag); i++) {
        buf_addz(&b, ",");
        add_part(&b, "ollama.image.license", &files[i]);
    }
    buf_addz(&b, "]}");
    return buf_str(&b).ptr;
}

static void offer(size_t count)
{
    server.count = count;
    for (size_t i = 0; i < TAGS; i++)
        tags[i].manifest = manifest_of(i);
    server.tags = tags;
    server.tag_count = TAGS;
}

/* One large file, some small ones: more than are synced singly. */
static int start_all(void **state)
{
    (void)state;
    files[0] = (struct hub_file){"model", random_bytes(LARGE_BYTES), LARGE_BYTES, true, NULL};
    files[1] = (struct hub_file){"config", "{}", 2, true, NULL};
    for (size_t i = 2; i < FILES_MAX; i++)
        files[i] = (struct hub_file){"license", random_bytes(5000 * i), 5000 * i, true, NULL};
    return scratch_make();
}

/* ---- what readers see ---- */

static bool has_manifest(const char *volume, size_t tag)
{
    ARENA_SCOPED a = {0};

    return exists(volume, str_format(&a, MANIFESTS "/%s", tags[tag].name));
}

/* The registry's text, all of its blobs; the link for people came later. */
static void check_tag(const char *volume, size_t tag)
{
    ARENA_SCOPED a = {0};
    const char *manifest = str_format(&a, MANIFESTS "/%s", tags[tag].name);
    const char *link = str_format(&a, LINKS "/%s", tags[tag].name);
    const char *text = tags[tag].manifest;

    if (exists(volume, manifest) && !holds(volume, manifest, text, strlen(text)))
        fail_msg("cut %u: the manifest of %s is wrong", seed, tags[tag].name);
    for (size_t i = 0; exists(volume, manifest) && i < files_of(tag); i++)
        if (!holds(volume, str_format(&a, BLOB, files[i].hex), files[i].bytes, files[i].size))
            fail_msg("cut %u: a manifest, and %s %zu is wrong or missing", seed, files[i].path, i);
    if (exists(volume, link) && !exists(volume, manifest))
        fail_msg("cut %u: a link to %s without its manifest", seed, tags[tag].name);
    if (exists(volume, link) && !holds(volume, link, files[0].bytes, files[0].size))
        fail_msg("cut %u: the link to %s leads to something wrong", seed, tags[tag].name);
}

static void check_visible(const char *volume, size_t foreign)
{
    size_t manifests = 0;

    for (size_t tag = 0; tag < TAGS; tag++) {
        check_tag(volume, tag);
        manifests += has_manifest(volume, tag);
    }
    if (count_names(volume, MANIFESTS) != manifests)
        fail_msg("cut %u: Ollama takes something for a manifest that is none", seed);
    /* What another program wrote is its own word until a manifest of ours has shown it. */
    for (size_t i = foreign; i < server.count; i++) {
        ARENA_SCOPED a = {0};
        const char *blob = str_format(&a, BLOB, files[i].hex);

        if (exists(volume, blob) && !holds(volume, blob, files[i].bytes, files[i].size))
            fail_msg("cut %u: the blob of %s %zu is wrong", seed, files[i].path, i);
    }
}

static void check_complete(const char *volume, size_t ref, bool worked)
{
    ARENA_SCOPED a = {0};

    if (!has_manifest(volume, ref) || !exists(volume, str_format(&a, LINKS "/%s", tags[ref].name)))
        fail_msg("cut %u: the model is not whole", seed);
    if (count_names(volume, BLOBS) > server.count)
        fail_msg("cut %u: %zu blobs", seed, count_names(volume, BLOBS));
    if (worked && exists(volume, str_format(&a, OWN "/models/registry.ollama.ai/" HUB_REPO "/%s",
                                            tags[ref].name)))
        fail_msg("cut %u: something is left in .hostler", seed);
    if (worked && exists(volume, str_format(&a, OWN "/sha256-%s", files[0].hex)))
        fail_msg("cut %u: the staging of the weights is left", seed);
}

static const char *const refs[] = {"ollama:" HUB_REPO, "ollama:" HUB_REPO ":twin"};
static const char *const dirs[] = {STORE, BLOBS, NULL};

static const struct power_face face = {
    .variable = "OLLAMA_REGISTRY",
    .refs = refs,
    .ref_count = TAGS,
    .dirs = dirs,
    .prefix = "sha256-",
    .arriving = "-partial",
    .check_visible = check_visible,
    .check_complete = check_complete,
};

/* ---- cuts ---- */

static void after_a_power_cut_at_any_moment_a_pull_ends_with_the_right_bytes(void **state)
{
    (void)state;
    hub_start(&server, files, FILES_MAX);
    offer(3);
    run_cuts(&face, 0, CUTS);
}

static void so_it_is_for_more_files_than_are_synced_singly(void **state)
{
    (void)state;
    offer(FILES_MAX);
    run_cuts(&face, CUTS, CUTS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_power_cut_at_any_moment_a_pull_ends_with_the_right_bytes),
        cmocka_unit_test(so_it_is_for_more_files_than_are_synced_singly),
    };

    return cmocka_run_group_tests(tests, start_all, scratch_remove);
}
