/* How lib/store talks to each database, and the inside of a store. */
#ifndef CM_STORE_INTERNAL_H
#define CM_STORE_INTERNAL_H

#include <apr_buckets.h>
#include <apr_hash.h>
#include <apr_time.h>

#include "store/bulk.h"
#include "store/dialect.h"

/* What caused an error, if not the data. */
typedef enum cm_outside_e {
    CM_OUTSIDE_NOT,
    CM_OUTSIDE_LOCK,     /* another transaction's lock, unless the error came at
                            once */
    CM_OUTSIDE_HOST,     /* the disk is full, or the like */
    CM_OUTSIDE_READ_ONLY /* this session is read-only (a standby, or by a
                            setting); another one may not be */
} cm_outside_e;

/* What a parameter holds, when it is bound and not written as a literal. */
typedef enum cm_form_e {
    CM_FORM_TEXT,
    CM_FORM_BYTES,
    CM_FORM_NUL,
    CM_FORM_NUMBER
} cm_form_e;

/* Rows of a bulk that go in one statement. */
typedef struct cm_bulk_chunk_t {
    const cm_bulk_t *bulk;
    const cm_dialect_t *dialect;
    const char *template;    /* SQL with {name}: part() of bulk_chunk.c */
    const char *expressions; /* what to return */
    const char *condition;
    int listed; /* its keys are listed */
    int kept;   /* the statement stays prepared, so only some numbers of rows
                   are used */
    int first, rows;
    char *same; /* per column: all these rows have the same value */
} cm_bulk_chunk_t;

/* The templates are filled by bulk_chunk.c, which lists what they may name. */
typedef struct cm_dialect_ops_t {
    /* Connections: */
    const char *params;         /* in front of what apr_dbd opens; or NULL */
    const char *const *session; /* run on every new connection */
    const char *local_session;  /* the same for one transaction */
    const char *const *server_session; /* SQL, each: the number of the server's
                                     session, which session_number() gives, too,
                                     unless a pooler is in between; NULL: not
                                     known */
    const char *const *libraries;      /* the database's own client library */
    const char *stay; /* run first in a transaction behind a pooler: a statement
                         after which all others read where they write */
    const char *abilities; /* SQL: bytes that the server takes in a statement;
                              whether it has INSERT ... RETURNING; why this
                              version cannot be used, or NULL. NULL: no limit,
                              it has, any version can */
    int counts_changes;    /* an UPDATE counts only rows that it changed, unless
                              the connection was opened with a flag */
    int cannot_reopen;     /* we cannot open a connection of mod_dbd's again */
    int reopened_by_pool;  /* a connection of mod_dbd's that broke is left
                              to mod_dbd, which makes another one */

    /* Transactions: */
    const char *begin;
    int ends_by_itself; /* a failed statement may have rolled back already */

    /* The driver: */
    int buffered; /* it holds a whole result in memory, its values as strings
                     that do not move; it frees them when asked for a row behind
                     the last */
    int moves_values;       /* the next value reuses the memory of a value */
    int late_errors;        /* an error may show only at the end of a result */
    int reads_every_result; /* a statement whose rows were not read blocks the
                               next one */
    int keeps_statements;   /* prepared statements are never freed */
    int names_statements;   /* has PREPARE; MySQL, other than MariaDB, takes no
                               values in EXECUTE */
    int plans_statements;   /* and plans such a statement once */
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
    /* Return the part of TEXT that messages show. */
    const char *(*words)(const char *text, apr_pool_t *pool);

    /* The client library, for native.c; NULL: nothing to do. */
    const char *error_number; /* its function that gives an error's number */
    /* NULL: the driver never opens a connection again. */
    unsigned long (*session_number)(const cm_store_t *store);
    void (*setup)(const cm_store_t *store);    /* after connecting */
    void (*cut)(const cm_store_t *store);      /* end the session */
    int (*read_only)(const cm_store_t *store); /* whether the file is */
    /* Return the name of the database's file if another file has that name
     * now; else NULL. */
    const char *(*replaced)(const cm_store_t *store);
    int (*deferred)(const cm_store_t *store); /* violated constraints */
    /* Run SQL once, without waiting. Returns 0 when it cannot. */
    int (*try_begin)(int *rc, const cm_store_t *store, const char *sql);

    /* Values: */
    char quote;          /* mark around identifiers */
    const char *cell[4]; /* a parameter, by cm_form_e */
    /* Write VALUE, which is not NULL, as a literal to OUT, at most
     * CM_LITERAL_ROOM() bytes; return where it ends. */
    char *(*literal)(char *out, const cm_datum_t *value);

    /* Rows: */
    int parameter_limit;  /* "%s" in one statement */
    int row_limit;        /* rows in one statement */
    apr_size_t sql_limit; /* bytes of SQL text; 0: no limit */
    const char *insert_default, *keep, *update, *remove, *select, *lock;
    const char *default_row; /* a row without any value, for {defaults}; NULL: a
                                statement inserts only one */
    const char *select_any, *remove_any; /* the same where all rows that are
                                            searched for differ only in the
                                            first column of the key; NULL: no */
    const char *remove_listed; /* the same where the key is the only column;
                                  NULL: no */
    const char *update_listed; /* with a list of keys, where one integer is the
                                  key; NULL: never */
    const char *match;  /* the condition for a key: its column, its value */
    const char *assign; /* before a column in {assignments}: "t.", "" */
    const char *forget_numbers; /* without RETURNING: forgets the numbers that
                                   an INSERT was given */
    const char *given_numbers;  /* the first of these (0: none), and the
                                   difference between two */
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

/* The most bytes that the literal of a value of SIZE bytes has. */
#define CM_LITERAL_ROOM(size) (2 * (size) + 20)

/* Each writes to OUT and returns where that ends: DATA with every MARK and
 * every ESCAPE (0: none) doubled; VALUE as a literal, NULL too; a text between
 * quotation marks, of which those inside are doubled; bytes as hexadecimal
 * digits between BEFORE and AFTER, with a NUL behind them. */
char *cm_dialect_double(char *out, const char *data, apr_size_t size, char mark,
                        char escape);
char *cm_dialect_literal(const cm_dialect_t *dialect, char *out,
                         const cm_datum_t *value);
char *cm_dialect_quoted(char *out, const cm_datum_t *value);
char *cm_dialect_hex(char *out, const cm_datum_t *value, const char *before,
                     const char *after);

/* Return "VALUES (%s,%s),(%s,%s)" for the rows of CHUNK. */
const char *cm_dialect_rows(const cm_bulk_chunk_t *chunk, apr_pool_t *pool);

/* Return the first line of TEXT, cut where it is long. */
const char *cm_dialect_first_line(const char *text, apr_pool_t *pool);

/* How long a writer waits for another, and how long between two tries. */
#define CM_BUSY_SECONDS 10
#define CM_BUSY_PAUSE   apr_time_from_msec(20)

/* How long it waits between two tries to begin. SQLite has no queue: an
 * application that never pauses releases its lock for some microseconds between
 * two transactions, which only many tries find. Each costs a system call. */
#define CM_BEGIN_PAUSE 200 /* microseconds, and as many again by chance */

struct cm_store_t {
    const cm_dialect_t *dialect;
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;  /* NULL: could not be opened again yet */
    const char *params; /* NULL: attached, not ours to open or close */
    int attached;       /* it was attached: other threads wait for it */
    apr_pool_t *pool;
    apr_pool_t *connection_pool;  /* lives as long as HANDLE */
    apr_pool_t *statement_pool;   /* of the prepared statements */
    apr_hash_t *statements;       /* SQL -> apr_dbd_prepared_t * */
    apr_hash_t *names;            /* SQL -> what the session knows it by: the
                                     server looks at changed tables again */
    int named;                    /* how many names there were */
    apr_hash_t *symbols;          /* name -> function of the client library */
    apr_pool_t *transaction_pool; /* NULL: no transaction is open */
    apr_bucket_brigade *brigade;  /* to ask the driver for a value's size */
    apr_size_t packet_limit;      /* largest statement; 0: no limit */
    int returns_keys;             /* has INSERT ... RETURNING */
    int cuts_parameters;          /* MySQL: a long one, within a subquery */
    unsigned long session;        /* the session set up; 0: not known */
    int pooled;                   /* each transaction may run in another session
                                     of the server: nothing is set for longer */
    int broken;                   /* the connection is lost */
    int read_only;                /* its session takes no writes: it must not
                                     be used again */
    int failed;                   /* a statement of the transaction failed */
    int doomed;                   /* the transaction can only be rolled back */
    cm_outside_e outside;         /* the cause of the last error */
    int locked;                   /* holds the turn of SQLite's writers */
    int found_rows;               /* MySQL: known to count the rows found */
};

/* Return the error of a driver call that returned RC, and note what it means
 * for the transaction and the connection. */
cm_error_t *cm_statement_failure(cm_store_t *store, int rc, apr_pool_t *pool);

/* Return whether RC only says that another connection has changed the schema
 * since this one read it (SQLite): a second try succeeds. */
int cm_statement_outdated(const cm_store_t *store, int rc);

/* Return whether RC says that another process holds SQLite's lock. */
int cm_statement_is_locked(const cm_store_t *store, int rc);

/* How often a statement has been tried, and until when it may be. */
typedef struct cm_tries_t {
    int count;
    apr_time_t deadline;
} cm_tries_t;

/* Return whether to try a statement again that returned RC, after waiting a
 * moment: its schema is outdated, or another process holds SQLite's lock and no
 * transaction is open (inside one, BEGIN has waited). The driver waits when it
 * runs a statement but not when it prepares one, which reads the schema and so
 * needs the lock, too, while another process recovers or removes the journal.
 */
int cm_statement_again(const cm_store_t *store, int rc, cm_tries_t *tries);

/* Run SQL without parameters, whatever the state of the transaction. */
cm_error_t *cm_statement_command(cm_store_t *store, const char *sql,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Whether the connection is lost, or leads to a file that has been replaced. */
int cm_statement_is_lost(const cm_store_t *store);

/* Open a lost connection again unless a transaction is open. Fails in a
 * transaction that can only be rolled back. */
cm_error_t *cm_statement_ready(cm_store_t *store,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Open the connection again. Fails with CM_UNAVAILABLE. */
cm_error_t *cm_store_renew(cm_store_t *store,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* SQL with "%s" for each of its arguments. */
typedef struct cm_call_t {
    const char *sql;
    const cm_datum_t *arguments;
    int count;
} cm_call_t;

/* Refuse text that the database would cut, or store although it is not valid
 * text. Fails with CM_REJECTED. */
cm_error_t *cm_statement_check(const cm_store_t *store, const cm_call_t *call,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Refuse a statement of SIZE bytes when MySQL would close the connection. Fails
 * with CM_REJECTED. */
cm_error_t *cm_statement_check_size(const cm_store_t *store, apr_size_t size,
                                    apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read RESULTS (NULL: none) to the end, where an error on the way shows. */
cm_error_t *cm_statement_read(cm_rows_t **rows, cm_store_t *store,
                              apr_dbd_results_t *results,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return how VALUE is bound as a parameter. */
cm_form_e cm_prepared_form(const cm_datum_t *value);

/* Run CALL with its arguments as literals, or as parameters of a prepared
 * statement. *ROWS gets its rows (NULL: it returns none), *AFFECTED (may be
 * NULL) the number of rows matched. With KEEP the statement stays prepared: for
 * SQL of which there are few different texts. MySQL: a prepared select cuts
 * long values. */
cm_error_t *cm_statement_call(cm_rows_t **rows, apr_int64_t *affected,
                              cm_store_t *store, const cm_call_t *call,
                              apr_pool_t *pool) CM_UNUSED_RESULT;
cm_error_t *cm_prepared_call(cm_rows_t **rows, apr_int64_t *affected,
                             cm_store_t *store, const cm_call_t *call, int keep,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return whether each row of BULK is found by one integer, and all are short
 * enough for the text of a statement, of which the database accepts
 * PACKET_LIMIT bytes (0: no limit). */
int cm_bulk_chunk_can_list(const cm_bulk_t *bulk, apr_size_t packet_limit);

/* Return whether the rows of BULK, all keys, differ only in the first column,
 * and that is text or a number. */
int cm_bulk_chunk_can_search(const cm_bulk_t *bulk);

/* Begin and end a transaction around what is written outside of one, where
 * there is only one writer at a time (SQLite): outside of a transaction the
 * driver waits for the lock in steps of a tenth of a second, and holds what all
 * writers of the process need. *BEGUN: whether one was begun. WORK is as in
 * cm_transaction_end(). */
cm_error_t *
cm_transaction_begin_alone(int *begun, cm_store_t *store,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *cm_transaction_end_alone(int begun, cm_store_t *store,
                                     cm_error_t *work,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Roll back the transaction of a store, the BATON of a pool's cleanup. */
apr_status_t cm_transaction_lost(void *baton);

/* Return a chunk before the first row of BULK, for TEMPLATE. */
cm_bulk_chunk_t cm_bulk_chunk_begin(const cm_bulk_t *bulk,
                                    const cm_dialect_t *dialect,
                                    const char *template, apr_pool_t *pool);

/* Make CHUNK the rows after it; return 0 when there are none. */
int cm_bulk_chunk_next(cm_bulk_chunk_t *chunk);

/* Return the cells of a row of CHUNK. */
const cm_datum_t *cm_bulk_chunk_row(const cm_bulk_chunk_t *chunk, int row);

/* Return the statement for CHUNK. */
cm_call_t cm_bulk_chunk_call(const cm_bulk_chunk_t *chunk, apr_pool_t *pool);

/* Return the function NAME of the database's client library, or NULL: it is
 * not there, or the driver has not loaded it. NAME stays as long as STORE. */
void *cm_native_symbol(const cm_store_t *store, const char *name);

/* Return the connection as that library knows it. */
void *cm_native_connection(const cm_store_t *store);

/* Return the number that the library's function NAME (may be NULL) returns for
 * the connection; 0: there is no such function. */
int cm_native_number(const cm_store_t *store, const char *name);

#endif
