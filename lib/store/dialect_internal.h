/* How lib/store talks to each database: see dialect.h. */
#ifndef CM_STORE_DIALECT_INTERNAL_H
#define CM_STORE_DIALECT_INTERNAL_H

#include "store/bulk.h"
#include "store/dialect.h"

/* What caused an error, if not the data. */
typedef enum cm_outside_e {
    CM_OUTSIDE_NOT,
    CM_OUTSIDE_LOCK,     /* somebody else's lock, unless it came at once */
    CM_OUTSIDE_HOST,     /* the disk is full, or the like */
    CM_OUTSIDE_READ_ONLY /* this session takes no writes: a standby, or set so;
                            another one may */
} cm_outside_e;

/* What a parameter holds, when it is bound and not written as a literal. */
typedef enum cm_form_e {
    CM_FORM_TEXT,
    CM_FORM_BYTES,
    CM_FORM_NUL
} cm_form_e;

/* Rows of a bulk that go in one statement. */
typedef struct cm_bulk_chunk_t {
    const cm_bulk_t *bulk;
    const cm_dialect_t *dialect;
    const char *template;    /* SQL with {name}: part() of bulk_chunk.c */
    const char *expressions; /* to give back */
    const char *condition;
    int listed; /* by bulk_lists.h: not kept, so any number of rows will do */
    int first, rows;
    char *same; /* by column: one value in all these rows */
} cm_bulk_chunk_t;

/* The templates are filled by bulk_chunk.c, which lists what they may name. */
typedef struct cm_dialect_ops_t {
    /* Connections: */
    const char *params;           /* in front of what apr_dbd opens; or NULL */
    const char *const *session;   /* run on every new connection */
    const char *const *libraries; /* the database's own client library */
    const char *packet_limit; /* SQL: bytes that the server takes; or NULL */
    int counts_changes;   /* an UPDATE counts only rows that it changed, unless
                             the   connection was opened with a flag */
    int cannot_reopen;    /* a connection of mod_dbd's stays as it is */
    int reopened_by_pool; /* a connection of mod_dbd's that broke is left
                             to mod_dbd, which makes another one */

    /* Transactions: */
    const char *begin;
    int one_writer;     /* others wait for its end, and try again */
    int ends_by_itself; /* a failed statement may have rolled back already */

    /* The driver: */
    int buffered; /* it holds a whole result, its values as strings that stay
                     where they are; it frees them when asked for a row too
                     many */
    int moves_values;       /* the memory of a value is used again */
    int late_errors;        /* a result's end may be an error */
    int reads_every_result; /* a statement whose rows were not read blocks the
                               next one */
    int keeps_statements;   /* prepared statements are never freed */
    int names_statements;   /* has PREPARE, and plans such a statement once */
    int selects_kept;       /* prepared selects give whole values */
    int answered;           /* what it returns for a command that had rows */
    /* Class of an error: CM_REJECTED, CM_BUSY, CM_UNAVAILABLE, CM_SCHEMA or
     * CM_DATABASE. RC is the driver's number, TEXT its words. */
    cm_code_e (*classify)(int rc, const char *text);
    /* What caused that error, if not the data. */
    cm_outside_e (*outside)(int rc, const char *text);
    /* Whether it only says that another connection has changed the schema;
     * NULL: never. */
    int (*is_outdated)(int rc, const char *text);
    /* Return what a person reads of TEXT. */
    const char *(*words)(const char *text, apr_pool_t *pool);

    /* The client library, for native.c; NULL: nothing to do. */
    const char *error_number; /* its function that gives an error's number */
    unsigned long (*session_number)(const cm_store_t *store);
    void (*setup)(const cm_store_t *store);
    void (*cut)(const cm_store_t *store);
    int (*read_only)(const cm_store_t *store);
    int (*deferred)(const cm_store_t *store);
    int (*try_begin)(int *rc, const cm_store_t *store, const char *sql);

    /* Values: */
    char quote;          /* mark around identifiers */
    const char *cell[3]; /* a parameter, by cm_form_e */
    /* Write VALUE, which is not NULL, as a literal to OUT (NULL: nowhere);
     * return its length. */
    apr_size_t (*literal)(char *out, const cm_datum_t *value);

    /* Rows: */
    int parameter_limit;  /* "%s" in one statement */
    int row_limit;        /* rows in one statement */
    apr_size_t sql_limit; /* bytes of SQL text; 0: no limit */
    const char *insert_default, *keep, *update, *remove, *select, *lock;
    const char *default_row;   /* a row without any value, for {defaults};
                                  NULL: one such row in a statement */
    const char *update_listed; /* bulk_lists.h: where one integer is the key;
                                  NULL: as all others */
    const char *assign;        /* before a column in {assignments}: "t.", "" */
    const char *count_before, *count_kept; /* NULL: an INSERT's own count is
                                              the number of new rows */

    /* Return the rows of CHUNK as parameters: for INSERT, or as a source "v"
     * to be joined. */
    const char *(*insert_rows)(const cm_bulk_chunk_t *chunk, apr_pool_t *pool);
    const char *(*source)(const cm_bulk_chunk_t *chunk, apr_pool_t *pool);

    /* Return the value of COLUMN of that source. */
    const char *(*value)(const cm_bulk_t *bulk, int column, apr_pool_t *pool);

    /* Turn the rows of CHUNK into one argument per column; NULL: every cell is
     * an argument. */
    const cm_datum_t *(*arrays)(const cm_bulk_chunk_t *chunk, apr_pool_t *pool);
} cm_dialect_ops_t;

/* Write DATA to OUT (NULL: nowhere) with every MARK, and every ESCAPE unless
 * it is 0, doubled; return the length. */
apr_size_t cm_dialect_double(char *out, const char *data, apr_size_t size,
                             char mark, char escape);

/* Write VALUE to OUT (NULL: nowhere) as a literal, NULL too; return its
 * length. */
apr_size_t cm_dialect_literal(const cm_dialect_t *dialect, char *out,
                              const cm_datum_t *value);

/* The same for a text between quotation marks, of which those inside are
 * doubled. */
apr_size_t cm_dialect_quoted(char *out, const cm_datum_t *value);

/* Return "VALUES (%s,%s),(%s,%s)" for the rows of CHUNK. */
const char *cm_dialect_rows(const cm_bulk_chunk_t *chunk, apr_pool_t *pool);

/* Return the first line of TEXT, cut where it is long. */
const char *cm_dialect_first_line(const char *text, apr_pool_t *pool);

#endif
