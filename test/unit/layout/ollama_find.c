#include "layout/ollama_find.h"

#include <time.h>

#include "layout/ollama_place.h"
#include "ollama.h"
#include "sys/fd.h"

static const struct content weights[] = {
    {"config", "{}", true}, {"model", "0123456789 weights", true}, {0}};

/* An open place of the model, its blobs/ there and empty. */
static struct manifest opened(struct hub *h, struct scratch *s)
{
    struct manifest m;

    hub_init(h, s);
    make_dirs(h, "ollama/blobs");
    m = model_of(h, "ollama:m:t", weights);
    assert_int_equal(hub_open(h, &m), 0);
    return m;
}

static enum blob_state find(struct hub *h, const struct manifest *m)
{
    struct blob_found found;

    if (h->place.layout->find(&found, &h->place, manifest_find(m, "model"), &h->err) < 0)
        fail_msg("%s", h->err.msg);
    assert_int_equal(found.fd >= 0, found.state == BLOB_UNVERIFIED);
    if (found.fd >= 0)
        (void)close(found.fd);
    return found.state;
}

/* Refused as hostile, in these words. */
static void assert_refused(struct hub *h, const struct manifest *m, const char *what)
{
    struct blob_found found;

    h->err = (struct err){0};
    assert_int_equal(h->place.layout->find(&found, &h->place, manifest_find(m, "model"), &h->err),
                     -1);
    assert_int_equal(h->err.code, ERR_LIMIT);
    assert_string_equal(
        h->err.msg, str_format(h->arena, "%s %s", hub_path(h, blob_of(h, weights[1].bytes)), what));
    assert_string_equal(h->err.hint, "look who made it; remove it, and pull again");
}

static void set_age(const struct hub *h, const char *name, int64_t seconds)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};

    assert_int_equal(utimensat(h->scratch->fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static int64_t age_of(const struct hub *h, const char *name)
{
    return time(NULL) - stat_of(h, name).st_mtim.tv_sec;
}

static void a_blob_is_judged_by_its_size_and_then_by_its_record(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);

    assert_int_equal(find(&h, &m), BLOB_ABSENT);
    put(&h, name, "0123456789");
    assert_int_equal(find(&h, &m), BLOB_ABSENT);
    put(&h, name, "9876543210 weights");
    assert_int_equal(find(&h, &m), BLOB_UNVERIFIED);
    assert_pulled(&h, &m, weights, true);
    assert_int_equal(h.hashed, 1);
    assert_int_equal(find(&h, &m), BLOB_VERIFIED);
    assert_string_equal(text_of(&h, name), weights[1].bytes);
    hub_done(&h);
}

static const struct model_file *file_of(const struct manifest *m, const char *path)
{
    size_t i = 0;

    while (strcmp(m->files[i].path, path) != 0)
        i++;
    return &m->files[i];
}

static void a_blob_that_is_written_to_after_it_was_hashed_has_no_record(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const struct model_file *file = file_of(&m, "model");
    const char *name = blob_of(&h, weights[1].bytes);
    struct blob_found found;
    FD_SCOPED fd = -1;

    put(&h, name, weights[1].bytes);
    assert_int_equal(h.place.layout->find(&found, &h.place, file, &h.err), 0);
    assert_int_equal(found.state, BLOB_UNVERIFIED);
    fd = openat(h.scratch->fd, name, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    assert_int_equal(futimens(fd, (const struct timespec[]){{1, 0}, {1, 0}}), 0);
    assert_int_equal(h.place.layout->take(&h.place, file, &found, &h.err), 0);
    fd_close(&found.fd);
    assert_int_equal(find(&h, &m), BLOB_UNVERIFIED);
    hub_done(&h);
}

/* Another model's manifest lies about it. */
static void a_verified_blob_of_another_size_than_the_manifest_says_is_not_the_one(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    struct manifest liar;

    assert_pulled(&h, &m, weights, true);
    liar = model_of(&h, "ollama:liar", weights);
    for (size_t i = 0; i < liar.file_count; i++)
        liar.files[i].size += strcmp(liar.files[i].path, "model") == 0;
    assert_int_equal(hub_open(&h, &liar), 0);
    assert_int_equal(find(&h, &liar), BLOB_ABSENT);
    assert_int_equal(h.place.layout->publish_model(&h.place, &liar, true, &h.err), -1);
    assert_int_equal(h.err.code, ERR_VOLUME);
    hub_done(&h);
}

static void names_of_older_servers_and_unfinished_files_are_nothing_and_stay(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *hex = hex_of(&h, weights[1].bytes, true);
    const char *names[] = {
        str_format(h.arena, "ollama/blobs/sha256:%s", hex),
        str_format(h.arena, "ollama/blobs/sha256-%s-partial", hex),
        str_format(h.arena, "ollama/blobs/sha256-%s-partial-0", hex),
        str_format(h.arena, "ollama/blobs/sha256-%s.tmp", hex),
    };

    for (size_t i = 0; i < 4; i++)
        put(&h, names[i], weights[1].bytes);
    assert_int_equal(find(&h, &m), BLOB_ABSENT);
    assert_pulled(&h, &m, weights, true);
    assert_int_equal(h.fetched, 2);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(text_of(&h, names[i]), weights[1].bytes);
    hub_done(&h);
}

/* ---- links ---- */

static void a_link_within_the_store_is_used_and_stays(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);

    put(&h, "ollama/elsewhere/file", weights[1].bytes);
    put_link(&h, "../elsewhere/file", name);
    assert_int_equal(find(&h, &m), BLOB_UNVERIFIED);
    assert_pulled(&h, &m, weights, true);
    assert_int_equal(h.fetched, 1);
    assert_int_equal(h.hashed, 1);
    assert_string_equal(link_of(&h, name), "../elsewhere/file");
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_link_out_of_the_store_is_refused(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);
    const char *texts[] = {"../../kept/precious", hub_path(&h, "kept/precious"), "/etc/passwd",
                           "../../nothing/there"};

    put(&h, "kept/precious", weights[1].bytes);
    for (size_t i = 0; i < 4; i++) {
        put_link(&h, texts[i], name);
        assert_refused(&h, &m, "is a link that leads out of the store");
        remove_all(&h, name);
    }
    hub_done(&h);
}

static void a_link_that_leads_nowhere_is_replaced(void **state)
{
    static const char *const texts[] = {"nothing", "sha256-x/y", "../blobs/nothing/there"};
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);
    const char *self = strrchr(name, '/') + 1;

    for (size_t i = 0; i < 4; i++) {
        put(&h, "ollama/blobs/sha256-x", "a file");
        put_link(&h, i < 3 ? texts[i] : self, name);
        assert_int_equal(find(&h, &m), BLOB_ABSENT);
        assert_pulled(&h, &m, weights, true);
        assert_string_equal(link_of(&h, name), "(no link)");
        assert_string_equal(text_of(&h, name), weights[1].bytes);
        remove_all(&h, name);
    }
    hub_done(&h);
}

static void what_is_no_file_under_a_blobs_name_is_refused(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);

    make_dirs(&h, name);
    assert_refused(&h, &m, "is no regular file");
    remove_all(&h, name);
    assert_int_equal(mkfifoat(h.scratch->fd, name, 0644), 0);
    assert_refused(&h, &m, "is no regular file");
    hub_done(&h);
}

static void folders_that_are_links_out_of_the_store_are_refused(void **state)
{
    static const char *const folders[] = {"ollama/blobs", "ollama/manifests", "ollama/.hostler",
                                          "ollama/manifests/registry.ollama.ai"};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:m:t", weights);
    make_dirs(&h, "precious/registry.ollama.ai/library");
    make_dirs(&h, "ollama");
    for (size_t i = 0; i < 4; i++) {
        put_link(&h, i == 3 ? "../../precious" : "../precious", folders[i]);
        assert_int_equal(hub_pull(&h, &m, weights, true), -1);
        assert_int_equal(h.err.code, ERR_LIMIT);
        assert_non_null(strstr(h.err.msg, "should be a directory of its own, and is not"));
        layout_close(&h.place);
        assert_int_equal(unlinkat(h.scratch->fd, folders[i], 0), 0);
    }
    assert_int_equal(rmdir(hub_path(&h, "precious/registry.ollama.ai/library")), 0);
    assert_int_equal(rmdir(hub_path(&h, "precious/registry.ollama.ai")), 0);
    assert_int_equal(rmdir(hub_path(&h, "precious")), 0);
    hub_done(&h);
}

static void a_link_at_the_root_of_the_volume_is_the_operators(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:m:t", weights);
    make_dirs(&h, "other-disk");
    assert_int_equal(symlinkat("other-disk", h.scratch->fd, "ollama"), 0);
    assert_pulled(&h, &m, weights, true);
    assert_true(hub_complete(&h, &m, true));
    assert_true(scratch_has(*state, "other-disk/manifests/registry.ollama.ai/library/m/t"));
    hub_done(&h);
}

static void a_manifest_that_is_a_link_is_replaced_by_a_file(void **state)
{
    static const char *const texts[] = {"nothing", "../../../../../kept/precious", "same"};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:m:t", weights);
    put(&h, "kept/precious", "stays");
    for (size_t i = 0; i < 3; i++) {
        put(&h, LIBRARY "m/same", m.raw.ptr);
        put_link(&h, texts[i], LIBRARY "m/t");
        assert_false(hub_complete(&h, &m, true));
        assert_pulled(&h, &m, weights, true);
        assert_string_equal(link_of(&h, LIBRARY "m/t"), "(no link)");
        assert_string_equal(text_of(&h, LIBRARY "m/t"), m.raw.ptr);
        assert_true(hub_complete(&h, &m, true));
        remove_all(&h, LIBRARY "m");
    }
    assert_string_equal(text_of(&h, "kept/precious"), "stays");
    hub_done(&h);
}

/* ---- the hour of grace ---- */

/* As a model that was pulled long ago, whose blobs another shares. */
static void a_blob_that_is_used_again_gets_its_hour_and_a_record_of_it(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);
    struct stat st;

    assert_pulled(&h, &m, weights, true);
    assert_true(age_of(&h, name) < 60);
    for (int i = 0; i < 2; i++) {
        /* the second time from the future, as a host with another clock leaves it */
        set_age(&h, name, i == 0 ? 7200 : -86400);
        st = stat_of(&h, name);
        ollama_record(&h.place, &manifest_find(&m, "model")->digest, &st);
        assert_int_equal(find(&h, &m), BLOB_VERIFIED);
        assert_true(age_of(&h, name) >= 0 && age_of(&h, name) < 60);
        assert_true(hub_complete(&h, &m, true));
        assert_int_equal(hub_open(&h, &m), 0);
    }
    hub_done(&h);
}

static void publishing_touches_what_has_become_old_meanwhile(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);
    struct stat st;

    assert_pulled(&h, &m, weights, true);
    set_age(&h, name, 7200);
    st = stat_of(&h, name);
    ollama_record(&h.place, &manifest_find(&m, "model")->digest, &st);
    assert_int_equal(h.place.layout->publish_model(&h.place, &m, true, &h.err), 0);
    assert_true(age_of(&h, name) < 60);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void what_was_hashed_is_touched_and_a_link_by_its_own_time(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);

    put(&h, "ollama/elsewhere/file", weights[1].bytes);
    set_age(&h, "ollama/elsewhere/file", 7200);
    put_link(&h, "../elsewhere/file", name);
    set_age(&h, name, 7200);
    assert_pulled(&h, &m, weights, true);
    assert_true(age_of(&h, name) < 60);
    assert_true(age_of(&h, "ollama/elsewhere/file") >= 7200);
    assert_true(hub_complete(&h, &m, true));
    remove_all(&h, name);
    put(&h, name, weights[1].bytes);
    set_age(&h, name, 7200);
    assert_pulled(&h, &m, weights, true);
    assert_int_equal(h.hashed, 1);
    assert_true(age_of(&h, name) < 60);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void what_was_hashed_is_touched_before_the_rest_is_fetched(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);

    put(&h, name, weights[1].bytes);
    set_age(&h, name, 7200);
    assert_int_equal(hub_bring(&h, manifest_find(&m, "model"), weights[1].bytes), 0);
    assert_int_equal(h.hashed, 1);
    assert_true(age_of(&h, name) < 60);
    assert_int_equal(find(&h, &m), BLOB_VERIFIED);
    hub_done(&h);
}

/* A new time would hide that it is no longer what was verified. */
static void a_blob_whose_record_does_not_hold_is_not_touched(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);

    assert_pulled(&h, &m, weights, true);
    put(&h, name, "9876543210 weights");
    set_age(&h, name, 7200);
    ollama_touch(&h.place, &manifest_find(&m, "model")->digest);
    assert_true(age_of(&h, name) >= 7200);
    assert_int_equal(find(&h, &m), BLOB_UNVERIFIED);
    hub_done(&h);
}

static void who_only_looks_touches_nothing(void **state)
{
    struct hub h;
    struct manifest m = opened(&h, *state);
    const char *name = blob_of(&h, weights[1].bytes);
    struct stat st;

    assert_pulled(&h, &m, weights, true);
    set_age(&h, name, 7200);
    st = stat_of(&h, name);
    ollama_record(&h.place, &manifest_find(&m, "model")->digest, &st);
    layout_close(&h.place);
    h.config.read_only = true;
    assert_int_equal(hub_open(&h, &m), 0);
    assert_int_equal(find(&h, &m), BLOB_VERIFIED);
    assert_true(age_of(&h, name) >= 7200);
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_blob_is_judged_by_its_size_and_then_by_its_record),
        SCRATCH_TEST(a_blob_that_is_written_to_after_it_was_hashed_has_no_record),
        SCRATCH_TEST(a_verified_blob_of_another_size_than_the_manifest_says_is_not_the_one),
        SCRATCH_TEST(names_of_older_servers_and_unfinished_files_are_nothing_and_stay),
        SCRATCH_TEST(a_link_within_the_store_is_used_and_stays),
        SCRATCH_TEST(a_link_out_of_the_store_is_refused),
        SCRATCH_TEST(a_link_that_leads_nowhere_is_replaced),
        SCRATCH_TEST(what_is_no_file_under_a_blobs_name_is_refused),
        SCRATCH_TEST(folders_that_are_links_out_of_the_store_are_refused),
        SCRATCH_TEST(a_link_at_the_root_of_the_volume_is_the_operators),
        SCRATCH_TEST(a_manifest_that_is_a_link_is_replaced_by_a_file),
        SCRATCH_TEST(a_blob_that_is_used_again_gets_its_hour_and_a_record_of_it),
        SCRATCH_TEST(publishing_touches_what_has_become_old_meanwhile),
        SCRATCH_TEST(what_was_hashed_is_touched_and_a_link_by_its_own_time),
        SCRATCH_TEST(what_was_hashed_is_touched_before_the_rest_is_fetched),
        SCRATCH_TEST(a_blob_whose_record_does_not_hold_is_not_touched),
        SCRATCH_TEST(who_only_looks_touches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
