/* MariaDB and MySQL: see dialect.h. */
#include "store/internal.h"

#include <string.h>

#include <apr_strings.h>
#include <sys/socket.h>

#define MYSQL_OPT_RECONNECT 20

static const struct {
    int number;
    cm_code_e code;
} reasons[] = {
    {1205, CM_BUSY},        /* lock time-out */
    {1213, CM_BUSY},        /* deadlock */
    {1020, CM_BUSY},        /* the row changed since it was read */
    {1317, CM_BUSY},        /* interrupted */
    {1412, CM_BUSY},        /* the table changed in the transaction */
    {1615, CM_BUSY},        /* prepared again too often */
    {1969, CM_BUSY},        /* max_statement_time */
    {3024, CM_BUSY},        /* max_execution_time */
    {3101, CM_BUSY},        /* another server's change came first (MySQL) */
    {3572, CM_BUSY},        /* a lock is held (MySQL) */
    {1040, CM_UNAVAILABLE}, /* too many connections */
    {1053, CM_UNAVAILABLE}, /* shutting down */
    {1203, CM_UNAVAILABLE}, /* too many connections of this user */
    {1226, CM_UNAVAILABLE}, /* the user's limit is used up */
    {1927, CM_UNAVAILABLE}, /* killed */
    {2002, CM_UNAVAILABLE}, /* cannot connect: socket */
    {2003, CM_UNAVAILABLE}, /* cannot connect: host */
    {2006, CM_UNAVAILABLE}, /* gone away */
    {2013, CM_UNAVAILABLE}, /* lost during the query */
    {2014, CM_UNAVAILABLE}, /* out of sync: unusable */
    {2030, CM_UNAVAILABLE}, /* statement of an earlier connection */
    {2055, CM_UNAVAILABLE}, /* lost, with a system error */
    {3100, CM_UNAVAILABLE}, /* the group refuses to commit (MySQL) */
    {3169, CM_UNAVAILABLE}, /* killed (MySQL) */
    {4031, CM_UNAVAILABLE}, /* closed after a while of silence (MySQL) */
    {1049, CM_SCHEMA},      /* no such database */
    {1054, CM_SCHEMA},      /* no such column */
    {1109, CM_SCHEMA},      /* no such table in the statement */
    {1136, CM_SCHEMA},      /* number of columns */
    {1146, CM_SCHEMA},      /* no such table */
    {1305, CM_SCHEMA},      /* no such function or savepoint */
    {1906, CM_SCHEMA},      /* generated column */
    {3105, CM_SCHEMA},      /* generated column (MySQL) */
    {1022, CM_REJECTED},    /* duplicate key on write */
    {1048, CM_REJECTED},    /* NULL */
    {1062, CM_REJECTED},    /* duplicate key */
    {1118, CM_REJECTED},    /* row too large */
    {1169, CM_REJECTED},    /* unique constraint */
    {1216, CM_REJECTED},    /* parent missing */
    {1217, CM_REJECTED},    /* children left */
    {1263, CM_REJECTED},    /* NULL in a NOT NULL column */
    {1264, CM_REJECTED},    /* out of range */
    {1265, CM_REJECTED},    /* cut */
    {1292, CM_REJECTED},    /* wrong value */
    {1300, CM_REJECTED},    /* not UTF-8 */
    {1364, CM_REJECTED},    /* no default */
    {1366, CM_REJECTED},    /* wrong value for the column */
    {1367, CM_REJECTED},    /* wrong value while parsing */
    {1369, CM_REJECTED},    /* check option of a view */
    {1406, CM_REJECTED},    /* too long */
    {1411, CM_REJECTED},    /* wrong value for a function */
    {1416, CM_REJECTED},    /* geometry */
    {1451, CM_REJECTED},    /* children left */
    {1452, CM_REJECTED},    /* parent missing */
    {1526, CM_REJECTED},    /* no partition for it */
    {1586, CM_REJECTED},    /* duplicate key, named */
    {1644, CM_REJECTED},    /* SIGNAL in the application's trigger */
    {1690, CM_REJECTED},    /* out of range in a calculation */
    {1761, CM_REJECTED},    /* duplicate key by a foreign key */
    {1762, CM_REJECTED},    /* duplicate key by a foreign key */
    {3140, CM_REJECTED},    /* JSON (MySQL) */
    {3141, CM_REJECTED},    /* the same, as a parameter */
    {3144, CM_REJECTED},    /* JSON of another character set */
    {3150, CM_REJECTED},    /* JSON that is too large */
    {3156, CM_REJECTED},    /* JSON that is another type */
    {3157, CM_REJECTED},    /* JSON that is too deep */
    {3158, CM_REJECTED},    /* a member of JSON has no name */
    {3819, CM_REJECTED},    /* check constraint (MySQL) */
    {4025, CM_REJECTED},    /* check constraint (MariaDB) */
};

/* A server or a session that is read-only (other options share that number), or
 * a node of a Galera cluster that is not ready (otherwise 1047 is an unknown
 * command). */
static int is_read_only(int rc, const char *text)
{
    return ((rc == 1290 || !rc) &&
            (strstr(text, "read-only option") || strstr(text, "read_only"))) ||
           (rc == 1047 && strstr(text, "WSREP")) || rc == 1792 || rc == 1836;
}

static cm_code_e classify(int rc, const char *text)
{
    apr_size_t i;

    if (is_read_only(rc, text))
        return CM_UNAVAILABLE;

    for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (reasons[i].number == rc)
            return reasons[i].code;
    if (rc)
        return CM_DATABASE;

    /* An error among the rows, where the driver does not tell the number. */
    if (strstr(text, "Deadlock") || strstr(text, "Lock wait") ||
        strstr(text, "interrupted") || strstr(text, "has changed"))
        return CM_BUSY;
    if (strstr(text, "onnection") || strstr(text, "gone away"))
        return CM_UNAVAILABLE;
    return CM_DATABASE;
}

static cm_outside_e outside(int rc, const char *text)
{
    if (is_read_only(rc, text))
        return CM_OUTSIDE_READ_ONLY;
    if (rc == 1021 || rc == 1026 || rc == 1114 || rc == 3)
        return CM_OUTSIDE_HOST;
    return rc == 1205 ? CM_OUTSIDE_LOCK : CM_OUTSIDE_NOT;
}

/* In our session's sql_mode the backslash is an escape. */
static char *quoted(char *out, const cm_datum_t *value)
{
    apr_size_t i;

    *out++ = '\'';
    for (i = 0; i < value->size; i++) {
        char c = value->data[i];

        if (c == '\'' || c == '\\' || !c)
            *out++ = '\\';
        *out++ = c ? c : '0';
    }
    *out++ = '\'';
    return out;
}

static char *literal(char *out, const cm_datum_t *value)
{
    return value->kind == CM_DATUM_BYTES ? cm_dialect_hex(out, value, "X'", "'")
                                         : quoted(out, value);
}

static unsigned long session_number(const cm_store_t *store)
{
    unsigned long (*thread)(void *);

    *(void **)&thread = cm_native_symbol(store, "mysql_thread_id");
    return thread ? thread(cm_native_connection(store)) : 0;
}

/* A connection that comes back by itself in the middle of a transaction would
 * commit its second half alone. */
static void setup(const cm_store_t *store)
{
    int (*option)(void *, int, const void *);
    char off = 0;

    *(void **)&option = cm_native_symbol(store, "mysql_options");
    if (option)
        option(cm_native_connection(store), MYSQL_OPT_RECONNECT, &off);
}

/* mod_dbd will find that the connection is dead, and close it. */
static void cut(const cm_store_t *store)
{
    int socket = cm_native_number(store, "mysql_get_socket");

    if (socket)
        shutdown(socket, SHUT_RDWR);
}

/* TIME goes from -838:59:59 to 838:59:59. */
static int holds_time(const cm_moment_t *moment)
{
    return moment->hour <= 838;
}

/* An integer or decimal key that is compared with text may become a double,
 * which cannot distinguish neighbours above 2^53. */
static const char *cell(const cm_bulk_t *bulk, int column, apr_pool_t *pool)
{
    const char *type = bulk->columns[column].type;

    if (!type || column >= bulk->key_count)
        return "%s";
    if (strstr(type, "int"))
        return strstr(type, "unsigned") ? "CAST(%s AS UNSIGNED)"
                                        : "CAST(%s AS SIGNED)";
    if (!strncmp(type, "decimal", 7))
        return apr_pstrcat(
            pool, "CAST(%s AS DECIMAL",
            apr_pstrmemdup(pool, type + 7, strcspn(type + 7, " ")), ")", NULL);
    return "%s";
}

static const char *source(const cm_bulk_chunk_t *chunk, apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const char *first = "SELECT ", *next = " UNION ALL SELECT ";
    int i;

    for (i = 0; i < bulk->column_count; i++) {
        const char *comma = i ? ", " : "";
        const char *place = cell(bulk, i, pool);

        first = apr_psprintf(pool, "%s%s%s AS c%d", first, comma, place, i);
        next = apr_pstrcat(pool, next, comma, place, NULL);
    }
    return apr_pstrcat(pool, "(", first,
                       cm_dialect_repeat(next, "", chunk->rows - 1, pool),
                       ") AS v", NULL);
}

static const char *value(const cm_bulk_t *bulk, int column, apr_pool_t *pool)
{
    (void)bulk;
    return apr_psprintf(pool, "v.c%d", column);
}

/* Strict, so that nothing is cut or changed silently; but existing zero dates
 * can be read and written back, and the key 0 is a key. What an administrator
 * may have set for all sessions must not change what our statements do, nor end
 * or refuse those that read a large table. MariaDB 11 would scan a small table
 * rather than look up many keys in it, and a scan waits for rows that other
 * transactions have locked. */
static const char *const session[] = {
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,"
    "NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', "
    "innodb_lock_wait_timeout = 10, lock_wait_timeout = 10, autocommit = 1, "
    "foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, "
    "sql_auto_is_null = 0, sql_select_limit = 18446744073709551615, "
    "sql_big_selects = 1, completion_type = 0"
    "/*M! , max_statement_time = 0 *//*!80017 , max_execution_time = 0 */"
    "/*M!110001 , optimizer_scan_setup_cost = 1000000 */",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", NULL};

/* MySQL before 8.0.17 has no collation that distinguishes trailing spaces. */
static const char abilities[] =
    "SELECT @@max_allowed_packet, is_mariadb,"
    " IF(is_mariadb OR number >= 80017, NULL,"
    " CONCAT('MySQL must be 8.0.17 or newer, and is ', name))"
    " FROM (SELECT version() AS name, version() LIKE '%%MariaDB%%' AS"
    " is_mariadb, substring_index(version(), '.', 1) * 10000"
    " + substring_index(substring_index(version(), '.', 2), '.', -1) * 100"
    " + substring_index(substring_index(version(), '-', 1), '.', -1)"
    " AS number) AS server";

static const char *const libraries[] = {
    "libmariadb.so.3",      "libmysqlclient.so.21", "libmysqlclient.so.24",
    "libmysqlclient.so.20", "libmysqlclient.so.18", NULL};

static const cm_dialect_ops_t ops = {
    /* In front, so that an empty value at the end swallows nothing. */
    .params = "reconnect=0 flags=CLIENT_FOUND_ROWS ",
    .session = session,
    .libraries = libraries,
    .abilities = abilities,
    .counts_changes = 1,
    .reopened_by_pool = 1,
    .begin = "START TRANSACTION",
    .moves_values = 1,
    .late_errors = 1,
    .reads_every_result = 1,
    .names_statements = 1,
    .classify = classify,
    .outside = outside,
    .words = cm_dialect_first_line,
    .error_number = "mysql_errno",
    .session_number = session_number,
    .setup = setup,
    .cut = cut,
    .quote = '`',
    .cell = {"%s", "%pDb", "CONVERT(%pDb USING utf8mb4)", "%s"},
    .literal = literal,
    .parameter_limit = 65535,
    .row_limit = 500,
    .insert_default = "INSERT INTO {table} () VALUES {defaults}",
    .default_row = "()",
    .keep =
        " ON DUPLICATE KEY UPDATE {first_column} = IF((@communicator_kept := "
        "@communicator_kept + 1), {first_column}, {first_column})",
    .update = "UPDATE {source} STRAIGHT_JOIN {table} AS t ON {match} SET "
              "{assignments}",
    .update_listed = "UPDATE {table} AS t SET {listed_assignments} WHERE "
                     "t.{first_column} IN ({listed_keys})",
    .match = "t.%s = %s",
    .assign = "t.",
    .forget_numbers = "DO LAST_INSERT_ID(0)",
    .given_numbers = "SELECT LAST_INSERT_ID(), @@auto_increment_increment",
    .count_before = "SET @communicator_kept = 0",
    .count_kept = "SELECT @communicator_kept",
    .remove = "DELETE t FROM {source} STRAIGHT_JOIN {table} AS t ON {match}",
    .select = "SELECT {expressions} FROM {source} STRAIGHT_JOIN {table} AS t "
              "ON {match}",
    .lock = " FOR UPDATE",
    .insert_rows = cm_dialect_rows,
    .source = source,
    .value = value,
};

const cm_dialect_t cm_dialect_mysql = {
    .database = CM_MYSQL,
    .driver = "mysql",
    .now = "now()",
    .for_update = " FOR UPDATE",
    .exact = "",
    .body_bytes = "octet_length(body)",
    .bytes = {"octet_length(", ")"},
    .wire_digits = "hex(wire)",
    .without_life = "substring_index(original_id, char(31 USING utf8mb4), 1)",
    .set_applying = "SET @communicator_applying = %s",
    .sync_reads = "SET SESSION wsrep_sync_wait = 1",
    .sync_reads_end = "SET SESSION wsrep_sync_wait = DEFAULT",
    /* An index of InnoDB has rows of the same key in order of id. Asked for the
     * order, MariaDB would read all messages that have a number, or sort all
     * that have none, again for each chunk. */
    .unstamped =
        "outbound_messages FORCE INDEX (outbound_messages_order_index)",
    /* MySQL would read all of an index that has all it needs, rather than a
     * part, if the table seems to be empty: so it needs another column. */
    .no_number = "seq IS NULL /*!80017 AND body IS NOT NULL */",
    .in_order = "",
    .unstamped_from = "(SELECT stamped_id FROM communicator_node WHERE id = 1)",
    .unstamped_stale = "0",
    .leaves_gaps = 1,
    .ddl_commits = 1,
    .keeps_variables = 1,
    .truncate_hidden = 1,
    .cascades_hidden = 1,
    .holds_nul = 1,
    .checks_utf8 = 1,
    .reads_apart = 1,
    .captures_text = 1,
    .escapes = 1,
    .booleans = {"0", "1"},
    .before_time = " ",
    .after_time = "",
    .holds_time = holds_time,
    .ops = &ops,
};
