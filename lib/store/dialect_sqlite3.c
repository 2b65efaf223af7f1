/* SQLite: see dialect.h. */
#include "store/dialect.h"

#include <string.h>

#include <apr_strings.h>

/* Errors that are the data's fault, known by their words where the library
 * does not tell more than "error". */
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

/* No trigger can raise these. */
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

static apr_size_t literal(char *out, const cm_datum_t *value)
{
    apr_size_t length;

    if (!value->data) {
        if (out)
            memcpy(out, "NULL", 4);
        return 4;
    }
    if (value->binary)
        return cm_dialect_hex(out, value, "X'", "'");

    /* A quoted literal would end at the NUL. */
    if (memchr(value->data, 0, value->size))
        return cm_dialect_hex(out, value, "CAST(X'", "' AS TEXT)");
    length = cm_dialect_double(out ? out + 1 : NULL, value->data, value->size,
                               '\'', 0);
    if (out)
        out[0] = out[length + 1] = '\'';
    return length + 2;
}

static const char *rows_of(const cm_bulk_t *bulk, int rows, apr_pool_t *pool)
{
    const char *row = apr_pstrcat(
        pool, "(", cm_dialect_repeat("%s", ",", bulk->column_count, pool), ")",
        NULL);

    return apr_pstrcat(pool, "VALUES ", cm_dialect_repeat(row, ",", rows, pool),
                       NULL);
}

static const char *source(const cm_bulk_t *bulk, int rows, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "(", rows_of(bulk, rows, pool), ") AS v", NULL);
}

static const char *value(const cm_bulk_t *bulk, int column, apr_pool_t *pool)
{
    (void)bulk;
    return apr_psprintf(pool, "v.column%d", column + 1);
}

static const char *const session[] = {
    /* A child without its parent is refused, and so parked until the parent
     * is here, instead of breaking the application later. */
    "PRAGMA foreign_keys = ON",
    /* The journal of one statement needs no file. */
    "PRAGMA temp_store = MEMORY", NULL};
static const char *const libraries[] = {"libsqlite3.so.0", "libsqlite3.so",
                                        NULL};

static const cm_dialect_ops_t ops = {
    .session = session,
    .libraries = libraries,
    .quote = '"',
    .holds_nul = 1,
    .selects_kept = 1,
    .sql_limit = 900000,
    .cell = {"%s", "%pDb", "CAST(%pDb AS TEXT)"},
    .insert = "INSERT INTO $t ($c) $r",
    .insert_default = "INSERT INTO $t DEFAULT VALUES",
    .keep = " ON CONFLICT DO NOTHING",
    .update = "UPDATE $t AS t SET $s FROM $v WHERE $k",
    .assign = "",
    /* Row by row: it compares lists of composite keys each with each. */
    .remove = "DELETE FROM $t AS t WHERE ($q) = ($p)",
    .select = "SELECT $e FROM $v CROSS JOIN $t AS t ON $k",
    .lock = "",
    .literal = literal,
    .words = cm_dialect_first_line,
    .insert_rows = rows_of,
    .source = source,
    .value = value,
};

const cm_dialect_t cm_dialect_sqlite3 = {
    .database = CM_SQLITE3,
    .driver = "sqlite3",
    .package = "libaprutil1-dbd-sqlite3",
    .begin = {"BEGIN IMMEDIATE"},
    .now = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
    .for_update = "",
    .unstamped = "outbound_messages",
    .in_order = " ORDER BY id",
    .parameter_limit = 32766,
    .row_limit = 100,
    .statement_limit = 8 * 1024 * 1024,
    .classify = classify,
    .outside = outside,
    .ops = &ops,
};
