/*
 * Power cuts of a pull from the Hugging Face Hub: staging, journal, names, records and receipts
 * come back as an arbitrary mix of older states. What readers see is right all the time, and the
 * next pull makes the model whole.
 */
#include "power_pull.h"

#define CUTS      POWER_CUTS(1000)
#define FILES_MAX 12

#define REPO_DIR  "huggingface/hub/models--org--tiny"
#define BLOBS     REPO_DIR "/blobs"
#define SNAPSHOT  REPO_DIR "/snapshots/" HUB_COMMIT
#define REF       REPO_DIR "/refs/main"
#define TREE_FILE REPO_DIR "/trees/" HUB_COMMIT ".json"

static struct hub_file files[FILES_MAX];

/* One large file, some small ones: more than are synced singly. */
static int start_all(void **state)
{
    (void)state;
    files[0] =
        (struct hub_file){"model.safetensors", random_bytes(LARGE_BYTES), LARGE_BYTES, true, NULL};
    files[1] = (struct hub_file){"config.json", "{}", 2, false, NULL};
    files[2] = (struct hub_file){"sub/tokenizer.model", random_bytes(9000), 9000, true, NULL};
    for (size_t i = 3; i < FILES_MAX; i++)
        files[i] = (struct hub_file){str_format(&server.arena, "small-%02zu.json", i),
                                     random_bytes(100 * i), 100 * i, false, NULL};
    return scratch_make();
}

/* ---- what readers see ---- */

/* Nothing that is wrong; a snapshot that is there is whole. */
static void check_visible(const char *volume, size_t foreign)
{
    bool snapshot = exists(volume, SNAPSHOT);

    for (size_t i = 0; i < server.count; i++) {
        ARENA_SCOPED a = {0};
        const struct hub_file *f = &files[i];
        const char *blob = str_format(&a, BLOBS "/%s", f->hex);

        /* What another program wrote there is its own word until a pull has shown it. */
        if (exists(volume, blob) && (i >= foreign || snapshot) &&
            !holds(volume, blob, f->bytes, f->size))
            fail_msg("cut %u: the blob of %s is wrong", seed, f->path);
        if (snapshot && !holds(volume, str_format(&a, SNAPSHOT "/%s", f->path), f->bytes, f->size))
            fail_msg("cut %u: %s in the snapshot is wrong or missing", seed, f->path);
    }
    if (exists(volume, REF) && (!snapshot || !holds(volume, REF, HUB_COMMIT, strlen(HUB_COMMIT))))
        fail_msg("cut %u: refs/main leads nowhere", seed);
    if (exists(volume, TREE_FILE) && !snapshot)
        fail_msg("cut %u: a listing without its snapshot", seed);
}

static void check_complete(const char *volume, size_t ref, bool worked)
{
    (void)ref;
    if (!exists(volume, SNAPSHOT) || !exists(volume, REF) || !exists(volume, TREE_FILE))
        fail_msg("cut %u: the model is not whole", seed);
    if (count_names(volume, BLOBS) != server.count)
        fail_msg("cut %u: %zu blobs", seed, count_names(volume, BLOBS));
    if (worked && count_names(volume, REPO_DIR "/.hostler") != 0)
        fail_msg("cut %u: something is left in .hostler", seed);
}

static const char *const refs[] = {"hf:" HUB_REPO};
static const char *const dirs[] = {
    "huggingface", "huggingface/hub", REPO_DIR, REPO_DIR "/snapshots", BLOBS, NULL};

static const struct power_face face = {
    .variable = "HF_ENDPOINT",
    .refs = refs,
    .ref_count = 1,
    .dirs = dirs,
    .prefix = "",
    .arriving = ".incomplete",
    .check_visible = check_visible,
    .check_complete = check_complete,
};

/* ---- cuts ---- */

static void after_a_power_cut_at_any_moment_a_pull_ends_with_the_right_bytes(void **state)
{
    (void)state;
    hub_start(&server, files, 3);
    run_cuts(&face, 0, CUTS);
}

static void so_it_is_for_more_files_than_are_synced_singly(void **state)
{
    (void)state;
    server.count = FILES_MAX;
    server.listing = hub_listing(&server.arena, files, FILES_MAX);
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
