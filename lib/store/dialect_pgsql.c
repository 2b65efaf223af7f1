/* PostgreSQL: see dialect.h. */
#include "store/internal.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define PG_ERRORS_VERBOSE 2

/* Return the SQLSTATE in TEXT ("ERROR:  23505: duplicate key ..."), or NULL:
 * the words are libpq's own. */
static const char *sqlstate(const char *text)
{
    const char *at = strstr(text, ":  ");
    int i;

    if (!at)
        return NULL;
    at += 3;
    for (i = 0; i < 5; i++)
        if (!apr_isdigit(at[i]) && !(at[i] >= 'A' && at[i] <= 'Z'))
            return NULL;
    return at[5] == ':' ? at : NULL;
}

/* How SQLSTATE begins, and the words of an English server for when the driver
 * does not give the SQLSTATE. */
static const struct {
    const char *state, *words;
    cm_code_e code;
} reasons[] = {
    {"40001", "could not serialize", CM_BUSY},
    {"40P01", "deadlock detected", CM_BUSY},
    {"55P03", "lock timeout", CM_BUSY},
    {"57014", "canceling statement", CM_BUSY},
    {"08", "server closed the connection", CM_UNAVAILABLE},
    {"57P", "terminating connection", CM_UNAVAILABLE},
    {"53", "no connection to the server", CM_UNAVAILABLE},
    {"58030", "the database system is", CM_UNAVAILABLE},
    {"25006", "read-only transaction", CM_UNAVAILABLE},
    {"22", "invalid input ", CM_REJECTED},
    {"22", "out of range", CM_REJECTED},
    {"22", "value too long", CM_REJECTED},
    {"22", "invalid byte sequence", CM_REJECTED},
    {"23", "violates ", CM_REJECTED},
    {"44", "check option", CM_REJECTED},
    {"54000", "exceeds maximum", CM_REJECTED},
    {"P0", "raised exception", CM_REJECTED},
    {"42P01", "relation \"", CM_SCHEMA},
    {"42703", "column \"", CM_SCHEMA},
    {"42704", "type \"", CM_SCHEMA},
    {"42804", "but expression is of type", CM_SCHEMA},
    {"42883", "function ", CM_SCHEMA},
    {"42P10", "no unique or exclusion", CM_SCHEMA},
    {"428C9", "cannot insert a non-DEFAULT", CM_SCHEMA},
    {"3F000", "schema \"", CM_SCHEMA},
};

static cm_code_e classify(int rc, const char *text)
{
    const char *state = sqlstate(text);
    apr_size_t i;

    (void)rc;
    for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (state ? !strncmp(state, reasons[i].state, strlen(reasons[i].state))
                  : strstr(text, reasons[i].words) != NULL)
            return reasons[i].code;

    /* libpq's own errors are about the connection. */
    return state || strstr(text, "ERROR:") ? CM_DATABASE : CM_UNAVAILABLE;
}

static cm_outside_e outside(int rc, const char *text)
{
    const char *state = sqlstate(text);

    (void)rc;
    if (state ? !strncmp(state, "25006", 5)
              : strstr(text, "read-only transaction") != NULL)
        return CM_OUTSIDE_READ_ONLY;
    if (state && !strncmp(state, "55P03", 5))
        return CM_OUTSIDE_LOCK;
    if (state && (!strncmp(state, "53100", 5) || !strncmp(state, "58", 2)))
        return CM_OUTSIDE_HOST;
    return CM_OUTSIDE_NOT;
}

/* The first line without "ERROR:  23505: ", and the key that it is about; not
 * the row, which is data. */
static const char *words(const char *text, apr_pool_t *pool)
{
    const char *state = sqlstate(text), *begin = text;
    const char *key = strstr(text, "DETAIL:  Key (");

    if (state)
        begin = state + 6;
    else if (!strncmp(text, "ERROR:", 6))
        begin = text + 6;
    begin += strspn(begin, " ");
    begin = cm_dialect_first_line(begin, pool);
    if (!key)
        return begin;
    return apr_pstrcat(pool, begin, " (",
                       cm_dialect_first_line(key + strlen("DETAIL:  "), pool),
                       ")", NULL);
}

static unsigned long session_number(const cm_store_t *store)
{
    return (unsigned long)cm_native_number(store, "PQbackendPID");
}

/* The SQLSTATE is in an error's text only when it is asked for. */
static void setup(const cm_store_t *store)
{
    int (*verbosity)(void *, int);

    *(void **)&verbosity = cm_native_symbol(store, "PQsetErrorVerbosity");
    if (verbosity)
        verbosity(cm_native_connection(store), PG_ERRORS_VERBOSE);
}

/* libpq itself connects again. */
static void cut(const cm_store_t *store)
{
    void (*reset)(void *);

    *(void **)&reset = cm_native_symbol(store, "PQreset");
    if (reset)
        reset(cm_native_connection(store));
}

/* TIME goes from 00:00:00 to 24:00:00. */
static int holds_time(const cm_moment_t *moment)
{
    return !moment->negative &&
           (moment->hour < 24 || (moment->hour == 24 && !moment->minute &&
                                  !moment->second && !moment->nanosecond));
}

static char *literal(char *out, const cm_datum_t *value)
{
    return value->kind == CM_DATUM_BYTES
               ? cm_dialect_hex(out, value, "'\\x", "'")
               : cm_dialect_quoted(out, value);
}

static char *put_number(char *out, apr_uint32_t number)
{
    *out++ = (char)(number >> 24);
    *out++ = (char)(number >> 16);
    *out++ = (char)(number >> 8);
    *out++ = (char)number;
    return out;
}

/* An element of an array: its length, 2^32 - 1 for NULL, and its bytes. */
static char *put_element(char *out, const cm_datum_t *value)
{
    apr_size_t size = value->size;

    if (!value->data)
        return put_number(out, APR_UINT32_MAX);
    if (value->kind == CM_DATUM_BYTES)
        size = cm_dialect_hex(out + 4, value, "\\x", "") - (out + 4);
    else
        memcpy(out + 4, value->data, size);
    return put_number(out, (apr_uint32_t)size) + size;
}

/* The values of COLUMN as a text[] in PostgreSQL's binary form: nothing has to
 * be quoted here, nor parsed there. It cannot hold U+0000: for a value with one
 * the array is that byte, which is refused. */
static cm_datum_t array_of(const cm_bulk_chunk_t *chunk, int column,
                           apr_pool_t *pool)
{
    const apr_uint32_t dimensions = 1, nulls = 1, text_type = 25, lowest = 1;
    const cm_datum_t *cells = cm_bulk_chunk_row(chunk, 0) + column;
    const int columns = chunk->bulk->column_count;
    apr_size_t length = 20;
    char *out, *begin;
    int i;

    for (i = 0; i < chunk->rows; i++) {
        const cm_datum_t *cell = &cells[i * columns];

        length += 4 + (cell->kind == CM_DATUM_BYTES ? 2 + 2 * cell->size
                                                    : cell->size);
        if (cell->data && cell->kind != CM_DATUM_BYTES &&
            memchr(cell->data, 0, cell->size))
            return (cm_datum_t){"", 1, 0};
    }
    begin = out = apr_palloc(pool, length + 1);
    out = put_number(out, dimensions);
    out = put_number(out, nulls);
    out = put_number(out, text_type);
    out = put_number(out, (apr_uint32_t)chunk->rows);
    out = put_number(out, lowest);
    for (i = 0; i < chunk->rows; i++)
        out = put_element(out, &cells[i * columns]);
    return (cm_datum_t){begin, out - begin, CM_DATUM_BYTES};
}

/* The arguments of source(), in its order. */
static const cm_datum_t *arrays(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_datum_t *cells = cm_bulk_chunk_row(chunk, 0);
    const int columns = chunk->bulk->column_count;
    cm_datum_t *arguments = apr_palloc(pool, columns * sizeof(*arguments));
    int i, next = 0;

    for (i = 0; i < columns; i++)
        if (chunk->same[i])
            arguments[next++] = cells[i];
    for (i = 0; i < columns; i++)
        if (!chunk->same[i])
            arguments[next++] = array_of(chunk, i, pool);
    return arguments;
}

/* All values are text, and cast by the column's type in value(): an array of
 * arrays could not be taken apart again. A value that all rows share is given
 * once, and bytes of a single row as they are. The arrays are unnested in the
 * select list: as functions in FROM each would be stored as a whole before the
 * first row (2 us a row for 8). */
static const char *source(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_datum_t *cells = cm_bulk_chunk_row(chunk, 0);
    const int columns = chunk->bulk->column_count;
    apr_array_header_t *same = apr_array_make(pool, columns, sizeof(char *));
    apr_array_header_t *each = apr_array_make(pool, columns, sizeof(char *));
    int i;

    for (i = 0; i < columns; i++) {
        if (chunk->same[i])
            APR_ARRAY_PUSH(same, const char *) = apr_psprintf(
                pool, "%%s::%s AS c%d",
                cells[i].data && cells[i].kind == CM_DATUM_BYTES ? "bytea"
                                                                 : "text",
                i);
        else
            APR_ARRAY_PUSH(each, const char *) =
                apr_psprintf(pool, "unnest(%%s::text[]) AS c%d", i);
    }
    apr_array_cat(same, each);
    return apr_pstrcat(pool, "(SELECT ", apr_array_pstrcat(pool, same, ','),
                       ") AS v", NULL);
}

/* Return TYPE without "(10)": a cast to varchar(10) cuts what the column
 * would refuse. */
static const char *unlimited(const char *type, apr_pool_t *pool)
{
    const char *open = strchr(type, '('), *close = open;
    const char *base;

    if (open)
        close = strchr(open, ')');
    if (!close)
        return type;
    base = apr_pstrmemdup(pool, type, open - type);
    if (!strcmp(base, "character") || !strcmp(base, "char"))
        base = "bpchar";
    else if (!strcmp(base, "bit"))
        base = "varbit";
    return apr_pstrcat(pool, base, close + 1, NULL);
}

/* What text of money means depends on lc_monetary: "1.50" may be 150. */
static const char *by_way_of(const char *type)
{
    if (!strcmp(type, "money"))
        return "::numeric";
    return strcmp(type, "money[]") ? "" : "::numeric[]";
}

static const char *value(const cm_bulk_t *bulk, int column, apr_pool_t *pool)
{
    const char *type = bulk->columns[column].type;

    if (!type)
        return apr_psprintf(pool, "v.c%d", column);
    return apr_psprintf(pool, "v.c%d%s::%s", column, by_way_of(type),
                        unlimited(type, pool));
}

static const char *insert_rows(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const char *values = value(chunk->bulk, 0, pool);
    int i;

    for (i = 1; i < chunk->bulk->column_count; i++)
        values =
            apr_pstrcat(pool, values, ", ", value(chunk->bulk, i, pool), NULL);
    return apr_pstrcat(pool, "SELECT ", values, " FROM ", source(chunk, pool),
                       NULL);
}

/* Everything that changes how values are read and written: an administrator may
 * have set it for the role or the database. lc_monetary stays, for it says what
 * an amount of money is. No statement is ended for reading a large table.
 * Hundreds of keys are looked up in a table that is growing: by its index,
 * however small it was when it was last analysed. A database whose encoding is
 * SQL_ASCII may hold any bytes, and refuses to read a row with others as UTF-8,
 * along with all that are read with it: so they come as they are. SET is "SET",
 * LOCAL "false"; or "SET LOCAL", "true".
 */
#define SETTINGS(SET, LOCAL)                                                   \
    "SELECT set_config('client_encoding', CASE"                                \
    " current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII'"    \
    " ELSE 'UTF8' END, " LOCAL "); " SET " client_min_messages = error; " SET  \
    " standard_conforming_strings = on; " SET " timezone = 'UTC'; " SET        \
    " datestyle = 'ISO, YMD'; " SET " intervalstyle = 'iso_8601'; " SET        \
    " extra_float_digits = 3; " SET " bytea_output = 'hex'; " SET              \
    " array_nulls = on; " SET " xmloption = 'content'; " SET                   \
    " transform_null_equals = off; " SET " lock_timeout = '10s'; " SET         \
    " statement_timeout = 0; " SET " jit = off; " SET                          \
    " plan_cache_mode = force_generic_plan; " SET " seq_page_cost = 10; " SET  \
    " random_page_cost = 1"
static const char *const session[] = {
    SETTINGS("SET", "false"),
    /* since PostgreSQL 17 */
    "SELECT set_config(name, '0', false) FROM pg_settings"
    " WHERE name = 'transaction_timeout'",
    NULL};
/* pgpool-II sends what calls a volatile function, as random(), to the primary,
 * with all that follows in the transaction; other reads perhaps to a standby.
 */
static const char *const server_session[] = {
    "SELECT pg_backend_pid()", "SELECT pg_backend_pid(), random()", NULL};
static const char *const libraries[] = {"libpq.so.5", NULL};

static const cm_dialect_ops_t ops = {
    .session = session,
    .local_session = SETTINGS("SET LOCAL", "true"),
    .server_session = server_session,
    .stay = "SELECT random()",
    .libraries = libraries,
    .begin = "BEGIN ISOLATION LEVEL READ COMMITTED",
    .buffered = 1,
    .names_statements = 1,
    .plans_statements = 1,
    .selects_kept = 1,
    .classify = classify,
    .outside = outside,
    .words = words,
    .session_number = session_number,
    .setup = setup,
    .cut = cut,
    .quote = '"',
    .cell = {"%s", "%pDb", "%s", "%s"},
    .literal = literal,
    .parameter_limit = 65535,
    .row_limit = 1200,
    .insert_default = "INSERT INTO {table} ({first_column}) VALUES {defaults}",
    .default_row = "(DEFAULT)",
    .keep = " ON CONFLICT DO NOTHING",
    .update =
        "UPDATE {table} AS t SET {assignments} FROM {source} WHERE {match}",
    .assign = "",
    .remove = "DELETE FROM {table} AS t USING {source} WHERE {match}",
    .remove_any = "DELETE FROM {table} AS t WHERE {any}",
    .select = "SELECT {expressions} FROM {source} JOIN {table} AS t ON {match}",
    /* One search instead of one for each key. */
    .select_any = "SELECT {expressions} FROM {table} AS t WHERE {any}",
    /* By t's own columns, it would read all of t in their order. */
    .lock = " ORDER BY {key_values} FOR UPDATE OF t",
    /* Not "=": a table that was empty when it was last analysed is as cheap to
     * read as to search, so it would be joined by reading all of it. An array
     * can only be searched for. */
    .match = "t.%s = ANY (ARRAY[%s])",
    .insert_rows = insert_rows,
    .source = source,
    .value = value,
    .arrays = arrays,
};

const cm_dialect_t cm_dialect_pgsql = {
    .database = CM_PGSQL,
    .driver = "pgsql",
    .now = "now()",
    .for_update = " FOR UPDATE",
    .filtered = "row_security_active(CAST(%s AS text))",
    .exact = " COLLATE \"C\"",
    .body_bytes = "octet_length(body)",
    .bytes = {"octet_length(CAST(", " AS text))"},
    .wire_digits = "encode(wire, 'hex')",
    .without_life = "split_part(original_id, chr(31), 1)",
    .set_applying = "SELECT set_config('communicator.applying',"
                    " coalesce(%s, ''), true)",
    .unstamped = "outbound_messages",
    .no_number = "seq IS NULL",
    .in_order = " ORDER BY id",
    .unstamped_from =
        "(SELECT least(n.stamped_id, (SELECT min(split_part(p, ':', 2)::bigint)"
        " FROM unnest(string_to_array(n.passed, ' ')) AS p"
        " WHERE txid_visible_in_snapshot(split_part(p, ':', 1)::bigint,"
        " txid_current_snapshot())))"
        " FROM communicator_node AS n WHERE n.id = 1)",
    .unstamped_stale =
        "(SELECT count(*) FROM unnest(string_to_array(passed, ' ')) AS p"
        " WHERE left(p, 1) <> '+'"
        " AND split_part(p, ':', 2)::bigint < stamped_id"
        " AND txid_visible_in_snapshot(split_part(p, ':', 1)::bigint,"
        " txid_current_snapshot()))",
    .snapshot = "txid_current() || ':' || txid_current_snapshot()",
    .truncate_fires = 1,
    .compares_rows = 1,
    .has_sequences = 1,
    .checks_utf8 = 1,
    .bits_as_text = 1,
    .names_numbers = 1,
    .strict_booleans = 1,
    .booleans = {"false", "true"},
    .wide_dates = 1,
    .before_time = "T",
    .after_time = "Z",
    .holds_time = holds_time,
    .ops = &ops,
};
