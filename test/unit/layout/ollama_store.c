#include <signal.h>

#include "layout/ollama_place.h"
#include "ollama.h"

static void a_pull_makes_what_ollama_reads(void **state)
{
    struct hub h;
    struct manifest m;
    mode_t before = umask(0022);

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    for (size_t i = 0; llava[i].path != NULL; i++) {
        const char *blob = blob_of(&h, llava[i].bytes);

        assert_string_equal(text_of(&h, blob), llava[i].bytes);
        assert_int_equal(mode_of(&h, blob), 0644);
    }
    assert_string_equal(text_of(&h, LIBRARY "llava/7b"), m.raw.ptr);
    assert_int_equal(mode_of(&h, LIBRARY "llava/7b"), 0644);
    assert_int_equal(mode_of(&h, LIBRARY "llava"), 0755);
    assert_int_equal(mode_of(&h, "ollama/blobs"), 0755);
    assert_string_equal(
        link_of(&h, "ollama/models/llava/7b"),
        str_format(h.arena, "../../blobs/sha256-%s", hex_of(&h, llava[1].bytes, true)));
    assert_string_equal(text_of(&h, "ollama/models/llava/7b"), llava[1].bytes);
    assert_true(hub_complete(&h, &m, true));
    (void)umask(before);
    hub_done(&h);
}

/* ---- the real ones (their digests are what `ollama list` shows as ID) ---- */

struct layer {
    const char *word;
    const char *hex;
    uint64_t size;
};

struct real {
    const char *name;
    const char *path;
    const char *id;
    size_t bytes;
    struct layer layers[8];
};

static const struct real reals[] = {
    {"ollama:llava:7b",
     LIBRARY "llava/7b",
     "8dd30f6b0cb19f555f2c7a7ebda861449ea2cc76bf1f44e262931f45fc81d081",
     1011,
     {{"config", "7c658f9561e5dbbafb042a00f6a4de57877adddd957809111f3123e272632b4d", 564},
      {"model", "170370233dd5c5415250a2ecd5c71586352850729062ccef1496385647293868", 4108916992},
      {"projector", "72d6f08a42f656d36b356dbe0920675899a99ce21192fd66266fb7d82ed07539", 624434368},
      {"license", "43070e2d4e532684de521b885f385d0841030efa2b1a20bafb76133a5e1379c1", 11356},
      {"template", "c43332387573e98fdfad4a606171279955b53d891ba2500552c2984a6560ffb4", 67},
      {"params", "ed11eda7790d05b49395598a42b155812b17e263214292f7b87d15e14003d337", 30}}},
    {"ollama:llama3.2",
     LIBRARY "llama3.2/latest",
     "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72",
     1005,
     {{"config", "34bb5ab01051a11372a91f95f3fbbc51173eed8e7f13ec395b9ae9b8bd0e242b", 561},
      {"model", "dde5aa3fc5ffc17176b5e8bdc82f587b24b2678c6c66101bf7da77af9f7ccdff", 2019377376},
      {"template", "966de95ca8a62200913e3f8bfbf84c8494536f1b94b49166851e76644e966396", 1429},
      {"license", "fcc5a6bec9daf9b561a68827b67ab6088e1dba9d1fa2a50d7bbcc8384e0a265d", 7711},
      {"license", "a70ff7e570d97baaf4e62ac6e6ad9975e04caa6d900d3742d37698494479e0cd", 6016},
      {"params", "56bb8bd477a519ffa694fc449c2413c6f0e1d3b1c88fa7e3c9d88d3ae49d4dcb", 96}}},
    {"ollama:nomic-embed-text",
     LIBRARY "nomic-embed-text/latest",
     "0a109f422b47e3a30ba2b10eca18548e944e8a23073ee3f3e947efcf3c45e59f",
     708,
     {{"config", "31df23ea7daa448f9ccdbbcecce6c14689c8552222b80defd3830707c0139d4f", 420},
      {"model", "970aa74c0a90ef7482477cf803618e776e173c007bf957f635f1015bfcfef0e6", 274290656},
      {"license", "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4", 11357},
      {"params", "ce4a164fc04605703b485251fe9f1a181688ba0eb6badb80cc6335c0de17ca0d", 17}}},
};

static struct manifest real_manifest(struct hub *h, const struct real *r)
{
    struct buf b = begin_text(h->arena);

    for (size_t i = 0; r->layers[i].word != NULL; i++) {
        if (i > 0)
            buf_addz(&b, i == 1 ? ",\"layers\":[" : ",");
        put_part(&b, r->layers[i].word, r->layers[i].hex, r->layers[i].size);
    }
    buf_addz(&b, "]}");
    return parsed(h, r->name, buf_str(&b));
}

/* Of its size, without its bytes, and recorded as if they had been hashed. */
static void pretend_blob(struct hub *h, const struct model_file *file)
{
    char hex[DIGEST_HEX + 1];
    const char *name =
        str_format(h->arena, "ollama/blobs/sha256-%s", digest_format(&file->digest, hex));
    struct stat st;

    put(h, name, "");
    assert_int_equal(truncate(hub_path(h, name), (off_t)file->size), 0);
    st = stat_of(h, name);
    ollama_record(&h->place, &file->digest, &st);
}

static void real_models_get_the_manifests_that_they_have_in_the_library(void **state)
{
    for (size_t r = 0; r < sizeof(reals) / sizeof(reals[0]); r++) {
        struct hub h;
        struct manifest m;
        size_t len;

        hub_init(&h, *state);
        m = real_manifest(&h, &reals[r]);
        assert_string_equal(m.commit, reals[r].id);
        assert_int_equal(hub_open(&h, &m), 0);
        for (size_t i = 0; i < m.file_count; i++)
            pretend_blob(&h, &m.files[i]);
        assert_int_equal(h.place.layout->publish_model(&h.place, &m, true, &h.err), 0);
        (void)scratch_read(h.scratch, reals[r].path, &len);
        assert_int_equal(len, reals[r].bytes);
        assert_string_equal(h.place.layout->local_commit(&h.place, m.ref.revision), reals[r].id);
        assert_true(hub_complete(&h, &m, true));
        hub_done(&h);
    }
}

/* ---- again, and after losses ---- */

static void the_second_pull_fetches_and_hashes_nothing(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, llava, true);
    assert_int_equal(h.fetched, 6);
    assert_pulled(&h, &m, llava, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 0);
    assert_string_equal(h.notices, "");
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void whatever_name_is_lost_the_model_is_incomplete_and_is_mended(void **state)
{
    static const char *const names[] = {
        LIBRARY "llava/7b", LIBRARY "llava", "ollama/manifests", "ollama/models/llava/7b",
        "ollama/models",    "ollama/blobs",  "ollama",
    };
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        layout_close(&h.place);
        remove_all(&h, names[i]);
        assert_false(hub_complete(&h, &m, true));
        assert_pulled(&h, &m, llava, true);
        assert_int_equal(h.fetched, i < 5 ? 0 : 6);
        assert_int_equal(h.hashed, 0);
        assert_true(hub_complete(&h, &m, true));
        assert_string_equal(text_of(&h, LIBRARY "llava/7b"), m.raw.ptr);
        assert_string_equal(text_of(&h, "ollama/models/llava/7b"), llava[1].bytes);
    }
    hub_done(&h);
}

static void a_changed_manifest_is_incomplete_and_is_replaced(void **state)
{
    struct hub h;
    struct manifest m;
    char *other;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    other = str_dup(h.arena, m.raw);
    *strstr(other, "\"size\":2") = ' ';
    put(&h, LIBRARY "llava/7b", other);
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, llava, true);
    assert_string_equal(text_of(&h, LIBRARY "llava/7b"), m.raw.ptr);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_manifest_that_ollama_wrote_is_kept_and_recorded(void **state)
{
    struct hub h;
    struct manifest m;
    ino_t inode;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    for (size_t i = 0; llava[i].path != NULL; i++)
        put(&h, blob_of(&h, llava[i].bytes), llava[i].bytes);
    put(&h, LIBRARY "llava/7b", m.raw.ptr);
    inode = stat_of(&h, LIBRARY "llava/7b").st_ino;
    assert_false(hub_complete(&h, &m, true));
    assert_pulled(&h, &m, llava, true);
    assert_int_equal(h.fetched, 0);
    assert_int_equal(h.hashed, 6);
    assert_int_equal(stat_of(&h, LIBRARY "llava/7b").st_ino, inode);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void a_blob_of_wrong_bytes_or_wrong_size_is_fetched_and_replaced(void **state)
{
    static const char *const wrong[] = {"GGUF weights of llavA", "GGUF", ""};
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        put(&h, blob_of(&h, llava[1].bytes), wrong[i]);
        assert_pulled(&h, &m, llava, true);
        assert_int_equal(h.hashed, i == 0);
        assert_string_equal(text_of(&h, blob_of(&h, llava[1].bytes)), llava[1].bytes);
        assert_true(hub_complete(&h, &m, true));
    }
    hub_done(&h);
}

/* ---- several models ---- */

static const struct content sibling[] = {
    {"config", "{\"model_format\":\"gguf\",\"x\":1}\n", true},
    {"model", "GGUF weights of llava", true},
    {"license", "Apache", true},
    {0},
};

static void a_blob_of_two_models_is_fetched_and_kept_once(void **state)
{
    struct hub h;
    struct manifest a;
    struct manifest b;

    hub_init(&h, *state);
    a = model_of(&h, "ollama:llava:7b", llava);
    b = model_of(&h, "ollama:mattw/sibling", sibling);
    assert_pulled(&h, &a, llava, true);
    assert_pulled(&h, &b, sibling, true);
    assert_int_equal(h.fetched, 1);
    assert_int_equal(h.hashed, 0);
    assert_true(hub_complete(&h, &a, true));
    assert_true(hub_complete(&h, &b, true));
    hub_done(&h);
}

/* Its records were read before the other model was there. */
static void what_another_run_verified_meanwhile_is_not_hashed_again(void **state)
{
    struct hub h;
    struct hub other;
    struct manifest a;
    struct manifest b;
    struct blob_found found;

    hub_init(&h, *state);
    hub_init(&other, *state);
    a = model_of(&h, "ollama:llava:7b", llava);
    b = model_of(&h, "ollama:mattw/sibling", sibling);
    assert_int_equal(hub_open(&h, &b), 0);
    assert_pulled(&other, &a, llava, true);
    assert_int_equal(h.place.layout->find(&found, &h.place, manifest_find(&b, "model"), &h.err), 0);
    assert_int_equal(found.state, BLOB_VERIFIED);
    hub_done(&other);
    hub_done(&h);
}

static void tags_with_one_manifest_are_both_complete(void **state)
{
    struct hub h;
    struct manifest a;
    struct manifest b;

    hub_init(&h, *state);
    a = model_of(&h, "ollama:llava:7b", llava);
    b = model_of(&h, "ollama:llava", llava);
    assert_string_equal(a.commit, b.commit);
    assert_pulled(&h, &a, llava, true);
    assert_pulled(&h, &b, llava, true);
    assert_int_equal(h.fetched, 0);
    assert_true(hub_complete(&h, &a, true));
    assert_true(hub_complete(&h, &b, true));
    assert_true(scratch_has(*state, LIBRARY "llava/latest"));
    hub_done(&h);
}

static void a_moved_tag_gets_its_new_manifest_and_the_old_blobs_stay(void **state)
{
    static const struct content newer[] = {
        {"config", "{}", true}, {"model", "GGUF newer", true}, {0}};
    struct hub h;
    struct manifest a;
    struct manifest b;

    hub_init(&h, *state);
    a = model_of(&h, "ollama:llava:7b", llava);
    b = model_of(&h, "ollama:llava:7b", newer);
    assert_pulled(&h, &a, llava, true);
    assert_pulled(&h, &b, newer, true);
    assert_string_equal(text_of(&h, LIBRARY "llava/7b"), b.raw.ptr);
    assert_string_equal(text_of(&h, "ollama/models/llava/7b"), "GGUF newer");
    assert_string_equal(text_of(&h, blob_of(&h, llava[1].bytes)), llava[1].bytes);
    assert_true(hub_complete(&h, &b, true));
    assert_false(hub_complete(&h, &a, true));
    hub_done(&h);
}

/* ---- names ---- */

static void names_that_differ_in_case_only_are_the_ones_on_disk(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    make_dirs(&h, LIBRARY "LLaVA");
    put(&h, LIBRARY "LLaVA/7B", "{}");
    assert_pulled(&h, &m, llava, true);
    assert_string_equal(text_of(&h, LIBRARY "LLaVA/7B"), m.raw.ptr);
    assert_false(scratch_has(*state, LIBRARY "llava"));
    assert_false(scratch_has(*state, LIBRARY "LLaVA/7b"));
    assert_string_equal(text_of(&h, "ollama/models/LLaVA/7B"), llava[1].bytes);
    assert_true(hub_complete(&h, &m, true));
    m = model_of(&h, "ollama:LLAVA:7b", llava);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

static void one_model_has_one_lease_in_whatever_case_it_is_asked_for(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:HF.co/Org/Repo:Q4_K_M", llava);
    assert_int_equal(hub_open(&h, &m), 0);
    assert_true(scratch_has(*state, "ollama/.hostler/models/hf.co/org/repo/q4_k_m"));
    assert_string_equal(h.place.folder, "ollama/hf.co/org/repo");
    hub_done(&h);
}

static void every_host_and_namespace_has_its_own_manifest_and_link(void **state)
{
    static const char *const names[][3] = {
        {"ollama:m:t", LIBRARY "m/t", "ollama/models/m/t"},
        {"ollama:n/m:t", "ollama/manifests/registry.ollama.ai/n/m/t", "ollama/models/n+m/t"},
        {"ollama:hf.co/n/m:t", "ollama/manifests/hf.co/n/m/t", "ollama/models/hf.co+n+m/t"},
        {"ollama:localhost:5000/library/m:t", "ollama/manifests/localhost:5000/library/m/t",
         "ollama/models/localhost:5000+library+m/t"},
    };
    struct hub h;

    hub_init(&h, *state);
    for (size_t i = 0; i < 4; i++) {
        const char *weights = str_format(h.arena, "weights %zu", i);
        const struct content contents[] = {{"config", "{}", true}, {"model", weights, true}, {0}};
        struct manifest m = model_of(&h, names[i][0], contents);

        assert_pulled(&h, &m, contents, true);
        assert_true(hub_complete(&h, &m, true));
        assert_string_equal(text_of(&h, names[i][1]), m.raw.ptr);
    }
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(text_of(&h, names[i][2]), str_format(h.arena, "weights %zu", i));
    hub_done(&h);
}

static void a_host_that_no_folder_can_be_named_after_is_refused(void **state)
{
    struct hub h;
    struct model_ref ref = {.source = "ollama", .repo = "n/m", .revision = "t"};
    char host[257];

    hub_init(&h, *state);
    memset(host, 'h', 256);
    host[256] = '\0';
    ref.host = host;
    ref.text = str_format(h.arena, "ollama:%s/n/m:t", host);
    assert_int_equal(layout_open(&h.place, h.arena, &h.config, &ref, &h.err), -1);
    assert_int_equal(h.err.code, ERR_USAGE);
    assert_non_null(
        strstr(h.err.msg, "...: the host has 256 characters, and a folder's name at most 255"));
    assert_false(scratch_has(*state, "ollama"));
    hub_done(&h);
}

/* ---- what is refused ---- */

static void a_part_of_a_model_is_refused(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_int_equal(hub_pull(&h, &m, llava, false), -1);
    assert_int_equal(h.err.code, ERR_USAGE);
    assert_string_equal(h.err.msg, "ollama:llava:7b: Ollama has no use for a part of a model");
    assert_string_equal(h.err.hint, "pull it without --include and --exclude");
    assert_false(scratch_has(*state, "ollama/manifests"));
    hub_done(&h);
}

static void a_text_that_is_not_what_its_digest_says_is_refused(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    m.raw.len--;
    assert_int_equal(hub_pull(&h, &m, llava, true), -1);
    assert_int_equal(h.err.code, ERR_LIMIT);
    assert_non_null(strstr(h.err.msg, "/ollama/manifests/registry.ollama.ai/library/llava/7b: the "
                                      "manifest has the digest "));
    m.raw = (struct str){0};
    assert_int_equal(hub_pull(&h, &m, llava, true), -1);
    assert_non_null(strstr(h.err.msg, ": the text of the manifest is not known"));
    assert_false(scratch_has(*state, "ollama/manifests"));
    hub_done(&h);
}

static void without_all_blobs_no_manifest_appears(void **state)
{
    struct hub h;
    struct manifest m;
    const char *name;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    remove_all(&h, "ollama/manifests");
    name = blob_of(&h, llava[3].bytes);
    remove_all(&h, name);
    assert_int_equal(h.place.layout->publish_model(&h.place, &m, true, &h.err), -1);
    assert_int_equal(h.err.code, ERR_VOLUME);
    assert_string_equal(
        h.err.msg,
        str_format(h.arena, "%s (license) is not there, or holds other bytes", hub_path(&h, name)));
    /* right in size, and nobody's word but its name's */
    put(&h, name, "Apachf");
    assert_int_equal(h.place.layout->publish_model(&h.place, &m, true, &h.err), -1);
    assert_false(scratch_has(*state, "ollama/manifests"));
    hub_done(&h);
}

/* Two models share small files, and each brings its own: one replaces what the other recorded. */
static void right_bytes_that_another_pull_has_just_put_there_are_taken(void **state)
{
    struct hub h;
    struct manifest m;
    const char *name;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    remove_all(&h, "ollama/manifests");
    name = blob_of(&h, llava[3].bytes);
    put(&h, "ollama/blobs/other", llava[3].bytes);
    assert_int_equal(renameat(h.scratch->fd, "ollama/blobs/other", h.scratch->fd, name), 0);
    assert_int_equal(h.place.layout->publish_model(&h.place, &m, true, &h.err), 0);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

/* ---- servers that start meanwhile ---- */

/* Runs f(h) again and again in a process of its own until it is killed. */
static pid_t again_and_again(struct hub *h, void (*f)(struct hub *h))
{
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0) {
        for (;;)
            f(h);
    }
    return child;
}

static void end_child(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static void remove_empty_folders(struct hub *h)
{
    static const char *const folders[] = {
        LIBRARY "llava", LIBRARY, "ollama/manifests/registry.ollama.ai", "ollama/manifests"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        (void)unlinkat(h->scratch->fd, folders[i], AT_REMOVEDIR);
    (void)usleep(10000);
}

static void a_manifest_finds_its_folder_though_a_server_removes_empty_ones(void **state)
{
    struct hub h;
    struct manifest m;
    pid_t server;
    int failed = 0;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    server = again_and_again(&h, remove_empty_folders);
    for (int i = 0; i < 150 && failed == 0; i++) {
        (void)unlinkat(h.scratch->fd, LIBRARY "llava/7b", 0);
        failed = h.place.layout->publish_model(&h.place, &m, true, &h.err);
    }
    end_child(server);
    if (failed != 0)
        fail_msg("%s", h.err.msg);
    assert_true(hub_complete(&h, &m, true));
    hub_done(&h);
}

/* As soon as the manifest is there, one of its blobs goes. */
static void remove_a_blob(struct hub *h)
{
    struct stat st;

    if (fstatat(h->scratch->fd, LIBRARY "llava/7b", &st, 0) == 0)
        (void)unlinkat(h->scratch->fd, blob_of(h, llava[2].bytes), 0);
}

static void a_model_whose_blob_goes_while_it_is_published_does_not_stay(void **state)
{
    struct hub h;
    struct manifest m;
    pid_t server;
    int failed = 0;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    server = again_and_again(&h, remove_a_blob);
    for (int i = 0; i < 200 && failed == 0; i++) {
        (void)unlinkat(h.scratch->fd, LIBRARY "llava/7b", 0);
        failed = hub_pull(&h, &m, llava, true);
    }
    end_child(server);
    assert_int_equal(failed, -1);
    assert_int_equal(h.err.code, ERR_VOLUME);
    assert_string_equal(
        h.err.msg, str_format(h.arena, "%s (projector) was removed while the model was published",
                              hub_path(&h, blob_of(&h, llava[2].bytes))));
    assert_string_equal(h.err.hint,
                        "pull again; an Ollama server that starts removes what it does not know "
                        "yet: give servers on this volume OLLAMA_NOPRUNE=1");
    assert_false(scratch_has(*state, LIBRARY "llava/7b"));
    hub_done(&h);
}

/* ---- our own folders ---- */

static void nothing_of_ours_is_left_behind_by_a_pull(void **state)
{
    struct hub h;
    struct manifest m;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_pulled(&h, &m, llava, true);
    layout_close(&h.place);
    assert_false(scratch_has(*state, "ollama/.hostler"));
    /* manifests holds folders alone, down to the depth where files are models */
    assert_int_equal(unlinkat(h.scratch->fd, LIBRARY "llava/7b", 0), 0);
    assert_int_equal(unlinkat(h.scratch->fd, LIBRARY "llava", AT_REMOVEDIR), 0);
    hub_done(&h);
}

static void looking_makes_nothing(void **state)
{
    struct hub h;
    struct manifest m;
    struct blob_found found;
    int dirfd;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    h.config.read_only = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hub_open(&h, &m), 0);
        assert_int_equal(h.place.staging_fd, -1);
        assert_int_equal(h.place.layout->find(&found, &h.place, &m.files[0], &h.err), 0);
        assert_int_equal(found.state, BLOB_ABSENT);
        assert_false(h.place.layout->complete(&h.place, &m, true));
        assert_null(h.place.layout->local_commit(&h.place, "7b"));
        assert_int_equal(h.place.layout->open_staging(&dirfd, &h.place, &m.files[1], false, &h.err),
                         0);
        assert_int_equal(dirfd, -1);
        layout_close(&h.place);
        assert_int_equal(scratch_has(*state, "ollama"), i);
        assert_false(scratch_has(*state, "ollama/.hostler"));
        make_dirs(&h, "ollama");
    }
    hub_done(&h);
}

static void the_stores_own_manifest_lists_a_model_without_a_network(void **state)
{
    struct hub h;
    struct manifest m;
    struct manifest local;
    const char *commit;

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    put(&h, LIBRARY "llava/7b", m.raw.ptr);
    h.config.read_only = true;
    assert_int_equal(hub_open(&h, &m), 0);
    commit = h.place.layout->local_commit(&h.place, "7b");
    assert_string_equal(commit, m.commit);
    assert_int_equal(h.place.layout->local_manifest(&local, &h.place, &m.ref, commit, &h.err), 0);
    assert_string_equal(local.raw.ptr, m.raw.ptr);
    assert_int_equal(local.file_count, 6);
    assert_int_equal(h.place.layout->local_manifest(&local, &h.place, &m.ref, COMMIT_A, &h.err),
                     -1);
    assert_int_equal(h.err.code, ERR_NOT_FOUND);
    put(&h, LIBRARY "llava/7b", "{}");
    assert_int_equal(h.place.layout->local_manifest(&local, &h.place, &m.ref, commit, &h.err), -1);
    assert_int_equal(h.err.code, ERR_NOT_FOUND);
    hub_done(&h);
}

static void modes_come_from_the_umask_and_folders_from_the_root(void **state)
{
    static const mode_t masks[] = {0022, 0027, 0002, 0077};
    struct hub h;
    struct manifest m;
    mode_t before = umask(0);

    hub_init(&h, *state);
    m = model_of(&h, "ollama:llava:7b", llava);
    assert_int_equal(chmod(h.scratch->path, 02775), 0);
    assert_int_equal(fstat(h.scratch->fd, &h.volume.root), 0);
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        mode_t folder;

        (void)umask(masks[i]);
        assert_pulled(&h, &m, llava, true);
        folder = mode_of(&h, "ollama");
        assert_int_equal(mode_of(&h, blob_of(&h, llava[1].bytes)), 0666 & ~masks[i]);
        assert_int_equal(mode_of(&h, LIBRARY "llava/7b"), 0666 & ~masks[i]);
        assert_int_equal(mode_of(&h, LIBRARY "llava"), folder);
        assert_int_equal(mode_of(&h, "ollama/blobs"), folder);
        assert_int_equal(mode_of(&h, "ollama/models/llava"), folder);
        assert_true((folder & S_ISGID) != 0);
        assert_int_equal((folder & S_IWGRP) != 0, (masks[i] & S_IRGRP) == 0);
        layout_close(&h.place);
        remove_all(&h, "ollama");
    }
    (void)umask(before);
    hub_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_pull_makes_what_ollama_reads),
        SCRATCH_TEST(real_models_get_the_manifests_that_they_have_in_the_library),
        SCRATCH_TEST(the_second_pull_fetches_and_hashes_nothing),
        SCRATCH_TEST(whatever_name_is_lost_the_model_is_incomplete_and_is_mended),
        SCRATCH_TEST(a_changed_manifest_is_incomplete_and_is_replaced),
        SCRATCH_TEST(a_manifest_that_ollama_wrote_is_kept_and_recorded),
        SCRATCH_TEST(a_blob_of_wrong_bytes_or_wrong_size_is_fetched_and_replaced),
        SCRATCH_TEST(a_blob_of_two_models_is_fetched_and_kept_once),
        SCRATCH_TEST(what_another_run_verified_meanwhile_is_not_hashed_again),
        SCRATCH_TEST(tags_with_one_manifest_are_both_complete),
        SCRATCH_TEST(a_moved_tag_gets_its_new_manifest_and_the_old_blobs_stay),
        SCRATCH_TEST(names_that_differ_in_case_only_are_the_ones_on_disk),
        SCRATCH_TEST(one_model_has_one_lease_in_whatever_case_it_is_asked_for),
        SCRATCH_TEST(every_host_and_namespace_has_its_own_manifest_and_link),
        SCRATCH_TEST(a_host_that_no_folder_can_be_named_after_is_refused),
        SCRATCH_TEST(a_part_of_a_model_is_refused),
        SCRATCH_TEST(a_text_that_is_not_what_its_digest_says_is_refused),
        SCRATCH_TEST(without_all_blobs_no_manifest_appears),
        SCRATCH_TEST(right_bytes_that_another_pull_has_just_put_there_are_taken),
        SCRATCH_TEST(a_manifest_finds_its_folder_though_a_server_removes_empty_ones),
        SCRATCH_TEST(a_model_whose_blob_goes_while_it_is_published_does_not_stay),
        SCRATCH_TEST(nothing_of_ours_is_left_behind_by_a_pull),
        SCRATCH_TEST(looking_makes_nothing),
        SCRATCH_TEST(the_stores_own_manifest_lists_a_model_without_a_network),
        SCRATCH_TEST(modes_come_from_the_umask_and_folders_from_the_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
