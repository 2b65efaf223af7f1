/* SQLite: see dialect.h. */
#include "base/clock.h"
#include "store/internal.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

/* How often the lock is tried before the driver has its turn to wait: for
 * about a second. */
#define BUSY_LOOKS          2500
#define SQLITE_DEFERRED_FKS 10
#define SQLITE_HAS_MOVED    20

/* Errors that are the data's fault, recognised by their words where the library
 * only says "error". */
static int is_rejection(const char *text)
{
    static const char *const words[] = {
        "constraint failed", "datatype mismatch", "cannot store",
        "too big",           "is not unique",     "may not be NULL",
        "integer overflow",  "malformed JSON",    "cannot INSERT into gen"};
    apr_size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strstr(text, words[i]))
            return 1;
    return 0;
}

static cm_code_e classify(int rc, const char *text)
{
    enum {
        BUSY = 5,
        LOCKED = 6,
        IOERR = 10,
        FULL = 13,
        CANTOPEN = 14
    };
    enum {
        TOOBIG = 18,
        CONSTRAINT = 19,
        MISMATCH = 20
    };

    switch (rc & 255) {
    case BUSY:
    case LOCKED:
        return CM_BUSY;
    case TOOBIG:
    case CONSTRAINT:
    case MISMATCH:
        return CM_REJECTED;
    case IOERR:
    case FULL:
    case CANTOPEN:
        return CM_UNAVAILABLE;
    }
    if (strstr(text, "is locked"))
        return CM_BUSY;
    if (strstr(text, "no such ") || strstr(text, "has no column") ||
        strstr(text, "schema has changed"))
        return CM_SCHEMA;
    return is_rejection(text) ? CM_REJECTED : CM_DATABASE;
}

/* Triggers cannot raise these. */
static cm_outside_e outside(int rc, const char *text)
{
    enum {
        READONLY = 8
    };
    cm_code_e code = classify(rc, text);

    if ((rc & 255) == READONLY)
        return CM_OUTSIDE_READ_ONLY;

    return code == CM_BUSY || code == CM_UNAVAILABLE ? CM_OUTSIDE_HOST
                                                     : CM_OUTSIDE_NOT;
}

/* The driver may see a change of the schema where the library, asked for its
 * error, sees none. */
static int is_outdated(int rc, const char *text)
{
    enum {
        ERROR = 1,
        SCHEMA = 17
    };

    return rc == SCHEMA ||
           (rc == ERROR && (!strcmp(text, "not an error") ||
                            !strcmp(text, "database schema has changed")));
}

/* SQLite asks this whether to try again for the lock that another process
 * holds. */
static int look_again(void *baton, int looks)
{
    (void)baton;
    cm_clock_sleep(CM_BEGIN_PAUSE + cm_clock_now() % CM_BEGIN_PAUSE);
    return looks < BUSY_LOOKS;
}

/* The driver tries every 100 ms, and never finds the moment between two
 * transactions of an application that does not pause. Not in httpd: there
 * other threads would wait for this one. */
static void setup(const cm_store_t *store)
{
    int (*busy)(void *, int (*)(void *, int), void *) = NULL;

    if (!store->attached)
        *(void **)&busy = cm_native_symbol(store, "sqlite3_busy_handler");
    if (busy)
        busy(cm_native_connection(store), look_again, NULL);
}

static int read_only(const cm_store_t *store)
{
    int (*asked)(void *, const char *);

    *(void **)&asked = cm_native_symbol(store, "sqlite3_db_readonly");
    return asked && asked(cm_native_connection(store), "main") == 1;
}

/* A backup that is put in place of the file leaves the old one to those who
 * have it open. */
static const char *replaced(const cm_store_t *store)
{
    int (*control)(void *, const char *, int, void *);
    const char *(*name)(void *, const char *);
    int moved = 0;

    *(void **)&control = cm_native_symbol(store, "sqlite3_file_control");
    *(void **)&name = cm_native_symbol(store, "sqlite3_db_filename");
    if (!control || !name ||
        control(cm_native_connection(store), "main", SQLITE_HAS_MOVED,
                &moved) ||
        !moved)
        return NULL;
    return name(cm_native_connection(store), "main");
}

static int deferred(const cm_store_t *store)
{
    int (*status)(void *, int, int *, int *, int);
    int now = 0, most = 0;

    *(void **)&status = cm_native_symbol(store, "sqlite3_db_status");
    if (status && status(cm_native_connection(store), SQLITE_DEFERRED_FKS, &now,
                         &most, 0))
        return 0;
    return now;
}

static int try_begin(int *rc, const cm_store_t *store, const char *sql)
{
    int (*run)(void *, const char *, void *, void *, void *);

    *(void **)&run = cm_native_symbol(store, "sqlite3_exec");
    if (run)
        *rc = run(cm_native_connection(store), sql, NULL, NULL, NULL);
    return run != NULL;
}

static char *literal(char *out, const cm_datum_t *value)
{
    if (value->kind == CM_DATUM_BYTES)
        return cm_dialect_hex(out, value, "X'", "'");
    if (value->kind == CM_DATUM_NUMBER) {
        out = cm_dialect_quoted(stpcpy(out, "CAST("), value);
        return stpcpy(out, " AS NUMERIC)");
    }
    /* A quoted literal would end at the NUL. */
    if (memchr(value->data, 0, value->size))
        return cm_dialect_hex(out, value, "CAST(X'", "' AS TEXT)");
    return cm_dialect_quoted(out, value);
}

static const char *source(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "(", cm_dialect_rows(chunk, pool), ") AS v", NULL);
}

static const char *value(const cm_bulk_t *bulk, int column, apr_pool_t *pool)
{
    (void)bulk;
    return apr_psprintf(pool, "v.column%d", column + 1);
}

static const char *const session[] = {
    /* A child without its parent is refused, and so parked until the parent
     * arrives, instead of breaking the application later. */
    "PRAGMA foreign_keys = ON",
    /* The journal of one statement needs no file. */
    "PRAGMA temp_store = MEMORY", NULL};
static const char *const libraries[] = {"libsqlite3.so.0", "libsqlite3.so",
                                        NULL};

static const cm_dialect_ops_t ops = {
    .session = session,
    .libraries = libraries,
    .cannot_reopen = 1,
    .begin = "BEGIN IMMEDIATE",
    .ends_by_itself = 1,
    .keeps_statements = 1,
    .selects_kept = 1,
    .answered = 100,
    .classify = classify,
    .outside = outside,
    .is_outdated = is_outdated,
    .words = cm_dialect_first_line,
    .error_number = "sqlite3_extended_errcode",
    .setup = setup,
    .read_only = read_only,
    .replaced = replaced,
    .deferred = deferred,
    .try_begin = try_begin,
    .quote = '"',
    .cell = {"%s", "%pDb", "CAST(%pDb AS TEXT)", "CAST(%pDb AS NUMERIC)"},
    .literal = literal,
    .parameter_limit = 32766,
    .row_limit = 100,
    .sql_limit = 900000,
    .insert_default = "INSERT INTO {table} DEFAULT VALUES",
    .keep = " ON CONFLICT DO NOTHING",
    .update =
        "UPDATE {table} AS t SET {assignments} FROM {source} WHERE {match}",
    .match = "t.%s = %s",
    .assign = "",
    /* Row by row: it compares lists of composite keys each with each. */
    .remove = "DELETE FROM {table} AS t WHERE ({key_columns}) = ({parameters})",
    .remove_listed = "DELETE FROM {table} WHERE {first_column} IN ({cells})",
    .select =
        "SELECT {expressions} FROM {source} CROSS JOIN {table} AS t ON {match}",
    .lock = "",
    .insert_rows = cm_dialect_rows,
    .source = source,
    .value = value,
};

const cm_dialect_t cm_dialect_sqlite3 = {
    .database = CM_SQLITE3,
    .driver = "sqlite3",
    .now = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
    .for_update = "",
    .exact = "",
    .body_bytes = "length(CAST(body AS blob))",
    .bytes = {"length(CAST(", " AS blob))"},
    .wire_digits = "hex(wire)",
    .without_life =
        "substr(original_id, 1, instr(original_id || char(31), char(31)) - 1)",
    .schema_version = "PRAGMA schema_version",
    .unstamped = "outbound_messages",
    .no_number = "seq IS NULL",
    .in_order = " ORDER BY id",
    .compares_rows = 1,
    .one_writer = 1,
    .replace_hidden = 1,
    .holds_nul = 1,
    .booleans = {"0", "1"},
    .before_time = " ",
    .after_time = "",
    .ops = &ops,
};
