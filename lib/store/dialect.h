/* What differs between the databases, as data where data will do. One
 * constant instance per database: dialect_sqlite3.c, dialect_pgsql.c,
 * dialect_mysql.c. Longer SQL (migrations, triggers, the catalog) stands
 * in sql/DRIVER/. */
#ifndef CM_STORE_DIALECT_H
#define CM_STORE_DIALECT_H

#include "store/bulk.h"

typedef enum cm_database_e {
    CM_SQLITE3,
    CM_PGSQL,
    CM_MYSQL
} cm_database_e;

/* What an error may come of that is not the fault of the data. */
typedef enum cm_outside_e {
    CM_OUTSIDE_NOT,
    CM_OUTSIDE_LOCK,     /* somebody else's lock, unless it came at once */
    CM_OUTSIDE_HOST,     /* the disk is full, or the like */
    CM_OUTSIDE_READ_ONLY /* this session takes no writes: a standby, or set so;
                            another one may */
} cm_outside_e;

struct cm_dialect_t {
    cm_database_e database;
    const char *driver;     /* apr_dbd's name */
    const char *package;    /* Debian's package with that driver */
    const char *begin[3];   /* statements that begin a transaction */
    const char *now;        /* SQL: this moment, for created_at columns */
    const char *for_update; /* " FOR UPDATE", or "" */
    const char *filtered;   /* condition: rows of the table whose quoted name
                               is the parameter may be hidden from us; NULL:
                               never */
    const char *unstamped;  /* the outbox, to look for seq IS NULL, and */
    const char *in_order;   /* how to find those rows in order of id */
    const char *unstamped_from;  /* SQL: the id behind which they are, but for
                                    what outbox/unstamped.h says; NULL: any */
    const char *unstamped_stale; /* SQL: how much that is remembered of
                                    communicator_node has come to its end */
    const char *snapshot;        /* SQL: which transactions a statement sees */
    int parameter_limit;         /* "%s" in one statement */
    int row_limit;               /* rows in one statement */
    apr_size_t statement_limit;  /* bytes of SQL and parameters together */
    /* Class of a driver's error: CM_REJECTED, CM_BUSY, CM_UNAVAILABLE,
     * CM_SCHEMA or CM_DATABASE. RC is the driver's number, TEXT its words. */
    cm_code_e (*classify)(int rc, const char *text);
    /* What that error comes of, if not of the data. */
    cm_outside_e (*outside)(int rc, const char *text);
    const struct cm_dialect_ops_t *ops; /* for store.c and bulk.c */
};

/* What a parameter holds, when it is bound and not written as a literal. */
typedef enum cm_form_e {
    CM_FORM_TEXT,
    CM_FORM_BYTES,
    CM_FORM_NUL
} cm_form_e;

/* How store.c and bulk.c talk to the database. In the templates "$t"
 * stands for the table, "$c" for the columns, "$r" for the rows to insert,
 * "$v" for the rows to join, "$k" for the comparison of the keys, "$q" for the
 * key columns, "$p" for the parameters of one row (a statement of its own
 * then), "$f" for the first column, "$d" for
 * rows without any value, "$s" for the assignments, "$e" for the
 * expressions to give back, "$w" for a condition, "$n" for the keys and "$l"
 * for the assignments of bulk_lists.h. */
typedef struct cm_dialect_ops_t {
    const char *const *session;   /* run on every new connection */
    const char *const *libraries; /* the database's own client library */
    char quote;                   /* mark around identifiers */
    int holds_nul;                /* text can hold U+0000 */
    int checks_utf8;              /* refuses text that is no UTF-8 */
    int selects_kept;             /* prepared selects give whole values */
    apr_size_t sql_limit;         /* bytes of SQL text; 0: no limit */
    const char *cell[3];          /* a parameter, by cm_form_e */

    const char *insert, *insert_default, *keep, *update, *remove;
    const char *default_row;   /* "$d" is made of: a row without any value;
                                  NULL: one such row in a statement */
    const char *update_listed; /* bulk_lists.h: where one integer is the key;
                                  NULL: as all others */
    const char *select, *lock;
    const char *assign; /* before a column in "$s": "t.", "" */
    const char *count_before, *count_kept; /* NULL: an INSERT's own count is
                                              the number of new rows */

    /* Write VALUE as a literal to OUT (NULL: nowhere); return its length. */
    apr_size_t (*literal)(char *out, const cm_datum_t *value);

    /* Return what a person reads of the driver's TEXT. */
    const char *(*words)(const char *text, apr_pool_t *pool);

    /* Return ROWS rows of parameters: for INSERT, or as a source "v" to be
     * joined. */
    const char *(*insert_rows)(const cm_bulk_t *bulk, int rows,
                               apr_pool_t *pool);
    const char *(*source)(const cm_bulk_t *bulk, int rows, apr_pool_t *pool);

    /* Return the value of COLUMN of that source. */
    const char *(*value)(const cm_bulk_t *bulk, int column, apr_pool_t *pool);

    /* Turn the rows FIRST, FIRST + 1 ... into one argument per column; NULL:
     * every cell is an argument. */
    const cm_datum_t *(*arrays)(const cm_bulk_t *bulk, int first, int rows,
                                apr_pool_t *pool);
} cm_dialect_ops_t;

extern const cm_dialect_t cm_dialect_sqlite3, cm_dialect_pgsql,
    cm_dialect_mysql;

/* Return the dialect of that apr_dbd driver, or NULL. */
const cm_dialect_t *cm_dialect_of_driver(const char *driver);

/* Write DATA to OUT (NULL: nowhere) with every MARK, and every ESCAPE unless
 * it is 0, doubled; return the length. */
apr_size_t cm_dialect_double(char *out, const char *data, apr_size_t size,
                             char mark, char escape);

/* Write DATA to OUT (NULL: nowhere) between BEFORE and AFTER, as hexadecimal
 * digits; return the length. */
apr_size_t cm_dialect_hex(char *out, const cm_datum_t *value,
                          const char *before, const char *after);

/* Return the first line of TEXT, cut where it is long. */
const char *cm_dialect_first_line(const char *text, apr_pool_t *pool);

/* Return FORMAT COUNT times with a comma between. */
const char *cm_dialect_repeat(const char *format, const char *between,
                              int count, apr_pool_t *pool);

#endif
