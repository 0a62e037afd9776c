#include "store/publish.h"

#include "fakes.h"
#include "scratch.h"

static int staged(struct scratch *s, const char *name, const char *text)
{
    int fd;

    scratch_write(s, name, text, strlen(text));
    fd = openat(s->fd, name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static struct publish_item item(struct scratch *s, const char *text, const char *to)
{
    return (struct publish_item){.fd = staged(s, "from", text),
                                 .from_dirfd = s->fd,
                                 .from = "from",
                                 .to_dirfd = s->fd,
                                 .to = to,
                                 .mode = 0644};
}

static void a_synced_file_moves_to_its_name_with_its_mode(void **state)
{
    struct scratch *s = *state;
    struct publish_item items[20];
    struct stat st = {0};

    for (size_t i = 0; i < 20; i++) {
        items[i] = item(s, "text", "to");
        items[i].mode = 0604;
    }
    assert_int_equal(publish_sync(items, 1, &s->err), 0);
    assert_int_equal(publish_sync(items, 20, &s->err), 0);
    assert_int_equal(publish_rename(&items[0], &s->err), 0);
    assert_false(scratch_has(s, "from"));
    assert_string_equal(scratch_read(s, "to", NULL), "text");
    assert_int_equal(fstatat(s->fd, "to", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    for (size_t i = 0; i < 20; i++)
        close(items[i].fd);
}

static void what_stands_there_stays_unless_it_is_to_be_replaced(void **state)
{
    struct scratch *s = *state;
    struct publish_item first = item(s, "new", "to");

    scratch_write(s, "to", "old", 3);
    assert_int_equal(publish_rename(&first, &s->err), 0);
    assert_string_equal(scratch_read(s, "to", NULL), "old");
    assert_false(scratch_has(s, "from"));
    close(first.fd);
    first = item(s, "new", "to");
    first.replace = true;
    assert_int_equal(publish_rename(&first, &s->err), 0);
    assert_string_equal(scratch_read(s, "to", NULL), "new");
    close(first.fd);
}

static void where_rename_always_replaces_links_do_it(void **state)
{
    struct scratch *s = *state;
    struct publish_item first = item(s, "new", "to");
    struct publish_item second;

    fakes.renameat2 = EINVAL;
    assert_int_equal(publish_rename(&first, &s->err), 0);
    assert_false(scratch_has(s, "from"));
    assert_string_equal(scratch_read(s, "to", NULL), "new");
    second = item(s, "newer", "to");
    assert_int_equal(publish_rename(&second, &s->err), 0);
    assert_false(scratch_has(s, "from"));
    assert_string_equal(scratch_read(s, "to", NULL), "new");
    close(first.fd);
    close(second.fd);
}

static void where_there_are_no_links_either_a_look_and_a_rename_do_it(void **state)
{
    struct scratch *s = *state;
    struct publish_item first = item(s, "new", "to");
    struct publish_item second;

    fakes.renameat2 = ENOSYS;
    fakes.linkat = EPERM;
    assert_int_equal(publish_rename(&first, &s->err), 0);
    assert_string_equal(scratch_read(s, "to", NULL), "new");
    second = item(s, "newer", "to");
    assert_int_equal(publish_rename(&second, &s->err), 0);
    assert_false(scratch_has(s, "from"));
    assert_string_equal(scratch_read(s, "to", NULL), "new");
    close(first.fd);
    close(second.fd);
}

static void after_a_failed_sync_the_staged_name_is_gone(void **state)
{
    struct scratch *s = *state;
    struct publish_item broken = item(s, "new", "to");

    fakes.fdatasync = EIO;
    assert_int_equal(publish_sync(&broken, 1, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, "to"));
    assert_false(scratch_has(s, "from"));
    close(broken.fd);
    broken = item(s, "new", "to");
    fakes.fdatasync = ENOSPC;
    assert_int_equal(publish_sync(&broken, 1, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    assert_true(scratch_has(s, "from"));
    close(broken.fd);
}

#define NFS 0x6969

/* Only a local disk tells by syncfs of all that it lost. */
static void many_are_synced_together_or_else_singly(void **state)
{
    struct scratch *s = *state;
    struct publish_item items[9];

    for (size_t i = 0; i < 9; i++)
        items[i] = item(s, "text", "to");
    assert_int_equal(publish_sync(items, 8, &s->err), 0);
    assert_int_equal(fakes.syncs, 8);
    assert_int_equal(publish_sync(items, 9, &s->err), 0);
    assert_int_equal(fakes.syncs, 8);
    fakes.syncfs = EIO;
    assert_int_equal(publish_sync(items, 9, &s->err), 0);
    assert_int_equal(fakes.syncs, 17);
    fakes.syncfs = 0;
    fakes.filesystem = NFS;
    assert_int_equal(publish_sync(items, 9, &s->err), 0);
    assert_int_equal(fakes.syncs, 26);
    for (size_t i = 0; i < 9; i++)
        close(items[i].fd);
}

static void the_probe_tells_a_missing_ability_from_a_broken_disk(void **state)
{
    struct scratch *s = *state;
    struct publish_abilities able = {0};

    fakes.linkat = EPERM;
    assert_int_equal(publish_probe(&able, s->fd, &s->err), 0);
    assert_true(able.symlinks);
    assert_false(able.hard_links);
    fakes.linkat = EIO;
    assert_int_equal(publish_probe(&able, s->fd, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
}

static void a_dangling_link_gives_way(void **state)
{
    struct scratch *s = *state;
    struct publish_item link = item(s, "new", "to");

    assert_int_equal(symlinkat("nowhere", s->fd, "to"), 0);
    assert_int_equal(publish_rename(&link, &s->err), 0);
    assert_string_equal(scratch_read(s, "to", NULL), "new");
    assert_false(scratch_has(s, "nowhere"));
    close(link.fd);
}

static void a_rename_that_was_done_already_is_no_error(void **state)
{
    struct scratch *s = *state;
    struct publish_item again = item(s, "new", "to");

    assert_int_equal(publish_rename(&again, &s->err), 0);
    assert_int_equal(publish_rename(&again, &s->err), 0);
    again.to = "elsewhere";
    assert_int_equal(publish_rename(&again, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_non_null(strstr(s->err.msg, "elsewhere"));
    close(again.fd);
}

static void the_probe_finds_links_and_leaves_nothing(void **state)
{
    struct scratch *s = *state;
    struct publish_abilities able = {0};

    assert_int_equal(publish_probe(&able, s->fd, &s->err), 0);
    assert_true(able.symlinks);
    assert_true(able.hard_links);
    assert_int_equal(close(s->fd), 0);
    assert_int_equal(rmdir(s->path), 0);
    s->fd = -1;
}

static void a_duplicate_holds_the_same_bytes_and_keeps_what_stands_there(void **state)
{
    struct scratch *s = *state;
    int fd = staged(s, "from", "bytes");
    const char *how = NULL;

    assert_int_equal(publish_duplicate(&how, fd, s->fd, "second", 0644, &s->err), 0);
    assert_non_null(how);
    assert_string_equal(scratch_read(s, "second", NULL), "bytes");
    scratch_write(s, "third", "other", 5);
    assert_int_equal(publish_duplicate(&how, fd, s->fd, "third", 0644, &s->err), 0);
    assert_string_equal(scratch_read(s, "third", NULL), "other");
    assert_int_equal(publish_duplicate(&how, fd, s->fd, "no/where", 0644, &s->err), -1);
    assert_non_null(strstr(s->err.msg, "no/where"));
    close(fd);
}

static void a_probe_on_a_disk_that_breaks_is_an_error_at_each_step(void **state)
{
    struct scratch *s = *state;
    struct publish_abilities able = {0};
    char name[300];
    const char *how = NULL;
    int fd = staged(s, "from", "bytes");

    fakes.symlinkat = EIO;
    assert_int_equal(publish_probe(&able, s->fd, &s->err), -1);
    fakes.symlinkat = EPERM;
    assert_int_equal(publish_probe(&able, s->fd, &s->err), 0);
    assert_false(able.symlinks);
    fakes.symlinkat = 0;
    assert_int_equal(publish_probe(&able, fd, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    memset(name, 'a', sizeof(name));
    name[299] = '\0';
    assert_int_equal(publish_duplicate(&how, fd, s->fd, name, 0644, &s->err), -1);
    close(fd);
}

static void a_copy_that_fails_leaves_nothing(void **state)
{
    struct scratch *s = *state;
    int memory = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    const char *how = NULL;

    assert_int_equal(write(memory, "bytes", 5), 5);
    fakes.copy_file_range = ENOSPC;
    assert_int_equal(publish_duplicate(&how, memory, s->fd, "copy", 0640, &s->err), -1);
    assert_int_equal(s->err.code, ERR_NO_SPACE);
    fakes.copy_file_range = 0;
    fakes.fdatasync = EIO;
    assert_int_equal(publish_duplicate(&how, memory, s->fd, "copy", 0640, &s->err), -1);
    assert_int_equal(s->err.code, ERR_VOLUME);
    assert_null(how);
    assert_int_equal(rmdir(s->path), 0);
    assert_int_equal(mkdir(s->path, 0700), 0);
    close(memory);
}

static void what_cannot_be_linked_is_copied(void **state)
{
    struct scratch *s = *state;
    int memory = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    const char *how = NULL;

    assert_true(memory >= 0);
    assert_int_equal(write(memory, "bytes", 5), 5);
    assert_int_equal(publish_duplicate(&how, memory, s->fd, "copy", 0640, &s->err), 0);
    assert_string_equal(how, "copy");
    assert_string_equal(scratch_read(s, "copy", NULL), "bytes");
    close(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_synced_file_moves_to_its_name_with_its_mode),
        SCRATCH_TEST(what_stands_there_stays_unless_it_is_to_be_replaced),
        SCRATCH_TEST(where_rename_always_replaces_links_do_it),
        SCRATCH_TEST(where_there_are_no_links_either_a_look_and_a_rename_do_it),
        SCRATCH_TEST(after_a_failed_sync_the_staged_name_is_gone),
        SCRATCH_TEST(many_are_synced_together_or_else_singly),
        SCRATCH_TEST(the_probe_tells_a_missing_ability_from_a_broken_disk),
        SCRATCH_TEST(a_dangling_link_gives_way),
        SCRATCH_TEST(a_rename_that_was_done_already_is_no_error),
        SCRATCH_TEST(the_probe_finds_links_and_leaves_nothing),
        SCRATCH_TEST(a_duplicate_holds_the_same_bytes_and_keeps_what_stands_there),
        SCRATCH_TEST(a_probe_on_a_disk_that_breaks_is_an_error_at_each_step),
        SCRATCH_TEST(a_copy_that_fails_leaves_nothing),
        SCRATCH_TEST(what_cannot_be_linked_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
