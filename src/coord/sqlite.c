/*
 * The registry's driver on one file of SQLite.
 *
 * One table, STRICT, a row for each worker. The journal is a write-ahead log, the lock exclusive,
 * so that a second coordinator on the same folder is told of the first. Synchronous is NORMAL: what
 * was answered survives a kill of this process at any moment; a power cut may take the last moments
 * and damages nothing, and the workers register again within one beat. FULL would wait for the disk
 * at each change, and the one thread that serves all with it.
 *
 * A file that is damaged is set aside under another name and the registry begins empty: it holds
 * nothing that the workers do not say again, and a fleet without a coordinator helps nobody. A file
 * of a newer format, or one that cannot be read or written, is an error.
 */
#include "coord/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "coord/kept.h"
#include "coord/registry.h"

#define FILE_NAME  "coordinator.db"
#define FORMAT     1
#define FORMAT_SQL "1"
#define BUSY_MS    500

/* f_type of statfs(2). */
#define TYPE_NFS  0x6969U
#define TYPE_SMB2 0xfe534d42U
#define TYPE_CIFS 0xff534d42U

struct sqlite_driver {
    const struct sqlite_api *api;
    const char *path;
    sqlite3 *db;
    sqlite3_stmt *put;
    sqlite3_stmt *remove;
};

/* Whether SQLite's word says that the bytes of the file are wrong. */
static bool is_damage(int result)
{
    return (result & 0xff) == SQLITE_CORRUPT || (result & 0xff) == SQLITE_NOTADB;
}

static int fail(const struct sqlite_driver *d, int result, struct err *err)
{
    const char *words = d->db != NULL ? d->api->sqlite3_errmsg(d->db) : "no memory";

    if ((result & 0xff) == SQLITE_BUSY || (result & 0xff) == SQLITE_LOCKED) {
        (void)err_set(err, ERR_USAGE, "%s: another coordinator has it open", d->path);
        return err_hint(err, "give each coordinator a --data-dir of its own");
    }
    if ((result & 0xff) == SQLITE_FULL)
        return err_set(err, ERR_NO_SPACE, "%s: %s", d->path, words);
    return err_set(err, ERR_VOLUME, "%s: %s", d->path, words);
}

static int run_sql(const struct sqlite_driver *d, const char *sql, struct err *err)
{
    int result = d->api->sqlite3_exec(d->db, sql, NULL, NULL, NULL);

    if (result == SQLITE_OK)
        return SQLITE_OK;
    (void)fail(d, result, err);
    return result;
}

static void close_db(struct sqlite_driver *d)
{
    if (d->put != NULL)
        (void)d->api->sqlite3_finalize(d->put);
    if (d->remove != NULL)
        (void)d->api->sqlite3_finalize(d->remove);
    if (d->db != NULL)
        (void)d->api->sqlite3_close(d->db);
    d->put = d->remove = NULL;
    d->db = NULL;
}

/* The first column of the first row, as a number or as whether it says "ok". */
static int ask(int *out, const struct sqlite_driver *d, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int result = d->api->sqlite3_prepare_v2(d->db, sql, -1, &statement, NULL);

    if (result == SQLITE_OK)
        result = d->api->sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        const char *text = (const char *)d->api->sqlite3_column_text(statement, 0);

        *out =
            text != NULL && strcmp(text, "ok") == 0 ? 1 : d->api->sqlite3_column_int(statement, 0);
        result = SQLITE_OK;
    } else {
        (void)fail(d, result, err);
    }
    (void)d->api->sqlite3_finalize(statement);
    return result;
}

/* Opens the file, which is made if it is missing, and looks whether it is whole. */
static int open_db(struct sqlite_driver *d, struct err *err)
{
    int result = d->api->sqlite3_open_v2(
        d->path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    int whole = 0;

    if (result != SQLITE_OK) {
        (void)fail(d, result, err);
        return result;
    }
    (void)d->api->sqlite3_busy_timeout(d->db, BUSY_MS);
    result = run_sql(d,
                     "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
                     "PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE; COMMIT",
                     err);
    if (result == SQLITE_OK)
        result = ask(&whole, d, "PRAGMA quick_check(1)", err);
    if (result == SQLITE_OK && whole != 1) {
        (void)err_set(err, ERR_VOLUME, "%s: it is damaged", d->path);
        result = SQLITE_CORRUPT;
    }
    return result;
}

static int make_tables(struct sqlite_driver *d, struct err *err)
{
    int format = 0;
    int result = ask(&format, d, "PRAGMA user_version", err);

    if (result == SQLITE_OK && format != 0 && format != FORMAT) {
        (void)err_set(err, ERR_USAGE, "%s: its format is %d, and %d is the one that we know",
                      d->path, format, FORMAT);
        (void)err_hint(err, "a newer hostler wrote it: use that one, or another --data-dir");
        return SQLITE_ERROR;
    }
    if (result == SQLITE_OK)
        result = run_sql(d,
                         "BEGIN;"
                         "CREATE TABLE IF NOT EXISTS worker(id TEXT NOT NULL PRIMARY KEY,"
                         " record TEXT NOT NULL) STRICT, WITHOUT ROWID;"
                         "PRAGMA user_version=" FORMAT_SQL ";"
                         "COMMIT",
                         err);
    if (result == SQLITE_OK)
        result = d->api->sqlite3_prepare_v2(
            d->db, "INSERT OR REPLACE INTO worker(id, record) VALUES(?1, ?2)", -1, &d->put, NULL);
    if (result == SQLITE_OK)
        result = d->api->sqlite3_prepare_v2(d->db, "DELETE FROM worker WHERE id = ?1", -1,
                                            &d->remove, NULL);
    if (result != SQLITE_OK)
        (void)fail(d, result, err);
    return result;
}

static int take_row(struct view *view, struct str text, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct worker draft = {0};

    if (kept_read(&draft, &a, text, err) < 0)
        return -1;
    if (view_find(view, str_from(draft.record.id)) != NULL ||
        !view_has_room(view, NULL, &draft.record))
        return err_set(err, ERR_LIMIT, "a worker that was kept does not fit");
    (void)kept_take(view, NULL, &draft);
    return 0;
}

/* A row that cannot be understood is passed over: its worker says it again. */
static int take_rows(struct sqlite_driver *d, struct view *view,
                     const struct registry_options *options, struct err *err)
{
    sqlite3_stmt *rows = NULL;
    int result = d->api->sqlite3_prepare_v2(d->db, "SELECT record FROM worker", -1, &rows, NULL);

    while (result == SQLITE_OK || result == SQLITE_ROW) {
        struct err why = {0};
        struct str text;

        result = d->api->sqlite3_step(rows);
        if (result != SQLITE_ROW)
            break;
        text.ptr = (const char *)d->api->sqlite3_column_text(rows, 0);
        text.len = (size_t)d->api->sqlite3_column_bytes(rows, 0);
        if (take_row(view, text, &why) < 0)
            options->note(options->ctx, true, why.msg);
    }
    (void)d->api->sqlite3_finalize(rows);
    if (result == SQLITE_DONE)
        return SQLITE_OK;
    (void)fail(d, result, err);
    return result;
}

static int begin(struct sqlite_driver *d, struct view *view, const struct registry_options *options,
                 struct err *err)
{
    int result = open_db(d, err);

    if (result == SQLITE_OK)
        result = make_tables(d, err);
    if (result == SQLITE_OK)
        result = take_rows(d, view, options, err);
    return result;
}

/* Under one other name, so that however often it happens no disk is filled. */
static int set_aside(const struct sqlite_driver *d, struct arena *a,
                     const struct registry_options *options, struct err *err)
{
    const char *aside = str_format(a, "%s.damaged", d->path);

    if (rename(d->path, aside) < 0)
        return err_sys(err, ERR_VOLUME, "%s: it is damaged, and cannot be renamed", d->path);
    (void)unlink(str_format(a, "%s-wal", d->path));
    (void)unlink(str_format(a, "%s-shm", d->path));
    options->note(options->ctx, true,
                  str_format(a,
                             "%s was damaged and is now %s; the registry begins empty, the "
                             "workers register again",
                             d->path, aside));
    return 0;
}

/* SQLite's locks are not to be had on a network's filesystem, and its file is damaged there. */
static int check_disk(const char *dir, struct err *err)
{
    struct statfs fs;
    uint32_t type;

    if (statfs(dir, &fs) < 0)
        return err_sys(err, ERR_VOLUME, "--data-dir %s", dir);
    type = (uint32_t)fs.f_type;
    if (type != TYPE_NFS && type != TYPE_SMB2 && type != TYPE_CIFS)
        return 0;
    (void)err_set(err, ERR_USAGE, "--data-dir %s: it lies on a network filesystem", dir);
    return err_hint(err, "keep the registry on a local disk");
}

/* The folder is ours alone: the registry tells where the fleet is. */
static int make_dir(const char *dir, struct err *err)
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
        (void)err_sys(err, ERR_VOLUME, "--data-dir %s", dir);
        return err_hint(err, "make its parent folder first, or name another");
    }
    return check_disk(dir, err);
}

static void *sqlite_open(struct arena *a, struct view *view, const char *rest,
                         const struct registry_options *options, struct err *err)
{
    struct sqlite_driver *d = arena_new(a, struct sqlite_driver);
    int result;

    if (rest[0] != '\0') {
        (void)err_set(err, ERR_USAGE, "--registry: sqlite takes no address");
        return NULL;
    }
    d->api = sqlite_api(err);
    if (d->api == NULL || make_dir(options->data_dir, err) < 0)
        return NULL;
    d->path = str_format(a, "%s/" FILE_NAME, options->data_dir);
    result = begin(d, view, options, err);
    if (is_damage(result)) {
        close_db(d);
        if (set_aside(d, a, options, err) < 0)
            return NULL;
        result = begin(d, view, options, err);
    }
    if (result == SQLITE_OK)
        return d;
    close_db(d);
    return NULL;
}

/* Runs a prepared statement; its texts live until it returns. */
static int run(struct sqlite_driver *d, sqlite3_stmt *statement, struct str id, struct str record,
               struct err *err)
{
    int result = d->api->sqlite3_bind_text(statement, 1, id.ptr, (int)id.len, SQLITE_STATIC);

    if (result == SQLITE_OK && record.ptr != NULL)
        result =
            d->api->sqlite3_bind_text(statement, 2, record.ptr, (int)record.len, SQLITE_STATIC);
    if (result == SQLITE_OK)
        result = d->api->sqlite3_step(statement);
    (void)d->api->sqlite3_reset(statement);
    return result == SQLITE_DONE ? 0 : fail(d, result, err);
}

static int sqlite_put(void *driver, struct worker *draft, struct err *err)
{
    struct sqlite_driver *d = driver;
    ARENA_SCOPED a = {0};
    struct buf text = buf_new(&a, FLEET_MESSAGE_MAX);

    buf_addc(&text, '{');
    kept_put(&text, draft);
    buf_addc(&text, '}');
    return run(d, d->put, str_from(draft->record.id), buf_str(&text), err);
}

static int sqlite_remove(void *driver, const struct worker *w, struct err *err)
{
    struct sqlite_driver *d = driver;

    return run(d, d->remove, str_from(w->record.id), (struct str){0}, err);
}

/* Takes the write lock and gives it back, which a full or broken disk refuses. */
static int sqlite_ready(void *driver, struct err *err)
{
    const struct sqlite_driver *d = driver;

    return run_sql(d, "BEGIN IMMEDIATE; COMMIT", err) == SQLITE_OK ? 0 : -1;
}

static void sqlite_close(void *driver)
{
    close_db(driver);
}

const struct registry_driver registry_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .put = sqlite_put,
    .remove = sqlite_remove,
    .ready = sqlite_ready,
    .close = sqlite_close,
};
