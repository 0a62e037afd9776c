#include "layout/ollama_list.h"

#include "listed.h"

#define OWN "ollama/.hostler/"

static const struct content vicuna[] = {
    {"config", "{\"model_format\":\"gguf\",\"n\":2}\n", true},
    {"model", "GGUF weights of vicuna", true},
    {"license", "Apache", true},
    {0},
};

static uint64_t sum_of(const struct content *contents)
{
    uint64_t sum = 0;

    for (; contents->path != NULL; contents++)
        sum += strlen(contents->bytes);
    return sum;
}

static struct manifest pulled(struct hub *h, const char *name, const struct content *contents)
{
    struct manifest m = model_of(h, name, contents);

    assert_pulled(h, &m, contents, true);
    layout_close(&h->place);
    return m;
}

static void models_are_verified_by_the_records_of_their_blobs(void **state)
{
    struct hub h;
    struct manifest m;
    struct layout_listing l;

    hub_init(&h, *state);
    m = pulled(&h, "ollama:llava:7b", llava);
    (void)pulled(&h, "ollama:registry.example:5000/team/vicuna", vicuna);
    l = listed(&h);
    assert_int_equal(l.models.len, 2);
    assert_string_equal(l.models.at[0].name, "ollama:llava:7b");
    assert_int_equal(only(&l, "ollama:llava:7b")->state, LISTED_VERIFIED);
    assert_string_equal(only(&l, "ollama:llava:7b")->revision, m.commit);
    assert_int_equal(only(&l, "ollama:llava:7b")->files, 6);
    assert_int_equal(only(&l, "ollama:llava:7b")->bytes, sum_of(llava));
    assert_int_equal(l.bytes, sum_of(llava) + sum_of(vicuna) - strlen("Apache"));
    assert_string_equal(only(&l, "ollama:registry.example:5000/team/vicuna")->revision + 64, "");
    assert_int_equal(l.problem_count, 0);
    put(&h, blob_of(&h, "GGUF projector"), "GGUF Projector");
    l = listed(&h);
    assert_int_equal(only(&l, "ollama:llava:7b")->state, LISTED_COMPLETE);
    assert_int_equal(only(&l, "ollama:registry.example:5000/team/vicuna")->state, LISTED_VERIFIED);
    hub_done(&h);
}

static void a_blob_that_is_a_link_is_followed_within_the_store_alone(void **state)
{
    const char *blob;
    struct hub h;
    struct layout_listing l;

    hub_init(&h, *state);
    (void)pulled(&h, "ollama:llava", llava);
    blob = blob_of(&h, "GGUF projector");
    assert_int_equal(renameat(h.scratch->fd, blob, h.scratch->fd, "ollama/moved"), 0);
    put_link(&h, "../moved", blob);
    l = listed(&h);
    assert_int_equal(only(&l, "ollama:llava")->state, LISTED_VERIFIED);
    assert_int_equal(renameat(h.scratch->fd, "ollama/moved", h.scratch->fd, "moved"), 0);
    l = listed(&h);
    assert_int_equal(only(&l, "ollama:llava")->state, LISTED_PARTIAL);
    assert_string_equal(only(&l, "ollama:llava")->why, "5 of 6 files");
    assert_int_equal(unlinkat(h.scratch->fd, blob, 0), 0);
    put_link(&h, "../../moved", blob);
    l = listed(&h);
    assert_int_equal(only(&l, "ollama:llava")->state, LISTED_DAMAGED);
    assert_string_equal(only(&l, "ollama:llava")->why,
                        "projector is a link that leads astray, or no file");
    hub_done(&h);
}

static void names_that_pull_refuses_are_listed_by_their_path(void **state)
{
    struct hub h;
    struct layout_listing l;

    hub_init(&h, *state);
    (void)pulled(&h, "ollama:llava", llava);
    put(&h, LIBRARY "gpt/20b-cloud", text_of(&h, LIBRARY "llava/latest"));
    put(&h, "ollama/manifests/host/ns/-model/tag", "{}");
    put(&h, "ollama/manifests/too/shallow", "{}");
    put(&h, "ollama/manifests/host/ns/much/too/deep", "{}");
    l = listed(&h);
    assert_int_equal(l.models.len, 3);
    assert_int_equal(only(&l, "ollama:gpt:20b-cloud")->state, LISTED_VERIFIED);
    assert_int_equal(only(&l, "ollama:host/ns/-model:tag")->state, LISTED_DAMAGED);
    hub_done(&h);
}

static void a_lease_of_the_model_counts_its_blobs_in(void **state)
{
    struct hub h;
    struct layout_listing l;
    const struct listed_revision *r;

    hub_init(&h, *state);
    put_lease(&h, OWN "models/registry.ollama.ai/library/llava/7b", "ollama:llava:7b", 9000, false);
    put_lease(&h, OWN "sha256-one", "ollama:llava:7b", 0, false);
    put_staged(&h, OWN "sha256-one", "one");
    l = listed(&h);
    r = only(&l, "ollama:llava:7b");
    assert_int_equal(r->state, LISTED_DOWNLOADING);
    assert_string_equal(r->arriving.host, "gpu-3");
    assert_int_equal(r->arriving.bytes, 4500);
    assert_int_equal(r->arriving.total, 9000);
    assert_true(model_in(&l, "ollama:llava:7b")->sums.partial >= STAGED_TOTAL);
    hub_done(&h);
}

static void what_dead_holders_left_is_their_model_s_or_nobody_s(void **state)
{
    struct hub h;
    struct layout_listing l;

    hub_init(&h, *state);
    (void)pulled(&h, "ollama:llava:7b", llava);
    put_lease(&h, OWN "models/registry.ollama.ai/library/llava/7b", "ollama:llava:7b", 9000, true);
    put_lease(&h, OWN "sha256-one", "ollama:llava:7b", 0, true);
    put_staged(&h, OWN "sha256-one", "one");
    put_staged(&h, OWN "sha256-two", "two");
    put_staged(&h, OWN "sha256-three", "three");
    l = listed(&h);
    assert_int_equal(l.models.len, 2);
    assert_int_equal(model_in(&l, "ollama:llava:7b")->revision_count, 2);
    assert_int_equal(model_in(&l, "ollama:llava:7b")->revisions[0].arriving.total +
                         model_in(&l, "ollama:llava:7b")->revisions[1].arriving.total,
                     STAGED_TOTAL);
    assert_int_equal(only(&l, "ollama:(not known)")->state, LISTED_PARTIAL);
    assert_int_equal(only(&l, "ollama:(not known)")->arriving.bytes, 2 * STAGED_CLAIMED);
    assert_int_equal(only(&l, "ollama:(not known)")->arriving.total, 2 * STAGED_TOTAL);
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(models_are_verified_by_the_records_of_their_blobs),
        SCRATCH_TEST(a_blob_that_is_a_link_is_followed_within_the_store_alone),
        SCRATCH_TEST(names_that_pull_refuses_are_listed_by_their_path),
        SCRATCH_TEST(a_lease_of_the_model_counts_its_blobs_in),
        SCRATCH_TEST(what_dead_holders_left_is_their_model_s_or_nobody_s),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
