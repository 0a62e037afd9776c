#include "layout/hf_list.h"

#include "listed.h"

#define HUB    "huggingface/hub/"
#define FOLDER "hf/models--org--name"
#define NAME   "hf:org/name"

static const struct content contents[] = {
    {"a/config.json", "{}", false},
    {"empty", "", false},
    {"model.safetensors", "weights", true},
    {0},
};

static struct manifest pulled(struct hub *h, struct scratch *s)
{
    struct manifest m;

    hub_init(h, s);
    m = listing(h, "org/name", "main", COMMIT_A, contents);
    m.ref.text = NAME;
    assert_pulled(h, &m, contents, true);
    layout_close(&h->place);
    return m;
}

static void a_model_is_verified_by_receipt_and_records_complete_by_its_listing(void **state)
{
    struct hub h;
    struct manifest m = pulled(&h, *state);
    struct layout_listing l = listed(&h);
    const struct listed_revision *r = only(&l, NAME);

    assert_int_equal(r->state, LISTED_COMPLETE);
    assert_string_equal(r->revision, COMMIT_A);
    assert_int_equal(r->name_count, 1);
    assert_string_equal(r->names[0], "main");
    assert_int_equal(r->files, 3);
    assert_int_equal(r->bytes, 9);
    assert_int_equal(l.bytes, 9);
    assert_int_equal(receipt_write(&m, &h.volume, FOLDER, COMMIT_A, &h.err), 0);
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_VERIFIED);
    assert_int_equal(l.problem_count, 0);
    hub_done(&h);
}

static void a_copy_is_verified_by_its_own_record(void **state)
{
    static const char path[] = COMMIT_A "/model.safetensors";
    const char *name = str_format(&((struct scratch *)*state)->arena, REPO "snapshots/%s", path);
    struct blob_records *copies;
    struct digest key;
    struct hub h;
    struct manifest m = pulled(&h, *state);
    struct layout_listing l;
    struct stat st;

    assert_int_equal(receipt_write(&m, &h.volume, FOLDER, COMMIT_A, &h.err), 0);
    assert_int_equal(unlinkat(h.scratch->fd, name, 0), 0);
    put(&h, name, "weights");
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_COMPLETE);
    assert_int_equal(fstatat(h.scratch->fd, name, &st, 0), 0);
    assert_int_equal(blob_records_read(&copies, h.arena, &h.volume, FOLDER "/copies", &h.err), 0);
    key = blob_records_copy_key(&manifest_find(&m, "model.safetensors")->digest, path);
    blob_records_set(copies, &key, &st);
    assert_int_equal(blob_records_write(copies, &h.volume, FOLDER "/copies", &h.err), 0);
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_VERIFIED);
    hub_done(&h);
}

static void what_a_selection_left_out_is_not_missing_but_what_it_wanted_is(void **state)
{
    struct hub h;
    struct manifest m = pulled(&h, *state);
    struct layout_listing l;

    assert_int_equal(unlinkat(h.scratch->fd, REPO "snapshots/" COMMIT_A "/a/config.json", 0), 0);
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_PARTIAL);
    assert_string_equal(only(&l, NAME)->why, "2 of 3 files");
    m.files[0].wanted = false;
    assert_int_equal(receipt_write(&m, &h.volume, FOLDER, COMMIT_A, &h.err), 0);
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_VERIFIED);
    hub_done(&h);
}

static void a_link_of_another_depth_or_kind_leads_astray(void **state)
{
    const char *hex;
    struct hub h;
    struct layout_listing l;

    (void)pulled(&h, *state);
    hex = hex_of(&h, "weights", true);
    for (int i = 0; i < 4; i++) {
        const char *text[] = {
            str_format(h.arena, "../blobs/%s", hex), str_format(h.arena, "../../../blobs/%s", hex),
            str_format(h.arena, "/elsewhere/models--org--other/blobs/%s", hex), "../../blobs/x"};

        (void)unlinkat(h.scratch->fd, REPO "snapshots/" COMMIT_A "/planted", 0);
        put_link(&h, text[i], REPO "snapshots/" COMMIT_A "/planted");
        l = listed(&h);
        assert_int_equal(only(&l, NAME)->state, LISTED_DAMAGED);
        assert_string_equal(only(&l, NAME)->why, "planted is a link that leads astray");
    }
    hub_done(&h);
}

static void a_download_goes_to_the_revision_that_its_lease_names(void **state)
{
    struct hub h;
    struct layout_listing l;
    const struct listed_model *model;

    (void)pulled(&h, *state);
    put_lease(&h, REPO ".hostler", NAME "@v2", 0, false);
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_COMPLETE); /* it only looks so far */
    put_lease(&h, REPO ".hostler", NAME "@v2", 1000, false);
    l = listed(&h);
    model = model_in(&l, NAME);
    assert_int_equal(model->revision_count, 2);
    assert_int_equal(model->revisions[0].state, LISTED_COMPLETE);
    assert_int_equal(model->revisions[1].state, LISTED_DOWNLOADING);
    assert_string_equal(model->revisions[1].names[0], "v2");
    assert_string_equal(model->revisions[1].arriving.host, "gpu-3");
    assert_int_equal(model->revisions[1].arriving.bytes, 500);
    assert_int_equal(model->revisions[1].arriving.total, 1000);
    put_lease(&h, REPO ".hostler", NAME, 1000, false);
    assert_int_equal(unlinkat(h.scratch->fd, REPO "snapshots/" COMMIT_A "/empty", 0), 0);
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_DOWNLOADING);
    assert_string_equal(only(&l, NAME)->revision, COMMIT_A);
    hub_done(&h);
}

static void of_a_dead_holder_what_its_journals_claim_is_told(void **state)
{
    struct hub h;
    struct layout_listing l;

    hub_init(&h, *state);
    put_staged(&h, REPO ".hostler", "weights");
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_PARTIAL);
    assert_null(only(&l, NAME)->revision);
    assert_int_equal(only(&l, NAME)->name_count, 0);
    put_lease(&h, REPO ".hostler", NAME, 5000, true);
    l = listed(&h);
    assert_int_equal(only(&l, NAME)->state, LISTED_PARTIAL);
    assert_string_equal(only(&l, NAME)->names[0], "main");
    assert_null(only(&l, NAME)->arriving.host);
    assert_int_equal(only(&l, NAME)->arriving.bytes, STAGED_CLAIMED);
    assert_int_equal(only(&l, NAME)->arriving.total, STAGED_TOTAL);
    assert_true(model_in(&l, NAME)->sums.partial >= STAGED_TOTAL);
    hub_done(&h);
}

static void what_repositories_share_counts_once(void **state)
{
    struct hub h;
    struct layout_listing l;
    const char *hex;

    (void)pulled(&h, *state);
    hex = hex_of(&h, "weights", true);
    make_dirs(&h, HUB "models--org--other/blobs");
    make_dirs(&h, HUB "models--org--other/snapshots/" COMMIT_B);
    assert_int_equal(linkat(h.scratch->fd, str_format(h.arena, REPO "blobs/%s", hex), h.scratch->fd,
                            str_format(h.arena, HUB "models--org--other/blobs/%s", hex), 0),
                     0);
    put_link(&h, str_format(h.arena, "../../blobs/%s", hex),
             HUB "models--org--other/snapshots/" COMMIT_B "/model.safetensors");
    l = listed(&h);
    assert_int_equal(l.bytes, 9);
    assert_int_equal(only(&l, "hf:org/other")->bytes, 7);
    assert_int_equal(model_in(&l, "hf:org/other")->sums.shared, l.stores.at[0].sums.shared);
    assert_int_equal(model_in(&l, NAME)->sums.shared, l.stores.at[0].sums.shared);
    assert_true(l.stores.at[0].sums.shared > 0);
    assert_int_equal(l.stores.at[0].sums.bytes + l.stores.at[0].sums.shared,
                     model_in(&l, NAME)->sums.bytes + model_in(&l, "hf:org/other")->sums.bytes +
                         l.stores.at[0].other.bytes);
    hub_done(&h);
}

static void too_many_entries_are_a_problem_that_says_where(void **state)
{
    struct hub h;
    struct layout_listing l;

    (void)pulled(&h, *state);
    h.config.ollama_models = hub_path(&h, "ollama");
    l = list_new(h.arena, &h.config, true);
    l.entries_max = 4;
    layout_list_all(&l);
    assert_int_equal(l.problem_count, 1);
    assert_int_equal(l.problems.at[0].code, ERR_LIMIT);
    assert_true(str_starts(str_from(l.problems.at[0].msg), str_from(h.scratch->path)));
    assert_true(str_ends(str_from(l.problems.at[0].msg),
                         STR(": there are too many files, the rest is not listed")));
    for (size_t i = 0; i < l.models.len; i++) {
        for (size_t k = 0; k < l.models.at[i].revision_count; k++)
            assert_int_equal(l.models.at[i].revisions[k].state, LISTED_UNREADABLE);
    }
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_model_is_verified_by_receipt_and_records_complete_by_its_listing),
        SCRATCH_TEST(a_copy_is_verified_by_its_own_record),
        SCRATCH_TEST(what_a_selection_left_out_is_not_missing_but_what_it_wanted_is),
        SCRATCH_TEST(a_link_of_another_depth_or_kind_leads_astray),
        SCRATCH_TEST(a_download_goes_to_the_revision_that_its_lease_names),
        SCRATCH_TEST(of_a_dead_holder_what_its_journals_claim_is_told),
        SCRATCH_TEST(what_repositories_share_counts_once),
        SCRATCH_TEST(too_many_entries_are_a_problem_that_says_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
