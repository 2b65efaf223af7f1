/* The inside of a store. */
#ifndef CM_STORE_INTERNAL_H
#define CM_STORE_INTERNAL_H

#include <apr_buckets.h>
#include <apr_hash.h>
#include <apr_time.h>

#include "store/dialect_internal.h"
#include "store/store.h"

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
    apr_pool_t *pool;
    apr_pool_t *connection_pool;  /* lives as long as HANDLE */
    apr_pool_t *statement_pool;   /* of the prepared statements */
    apr_hash_t *statements;       /* SQL -> apr_dbd_prepared_t * */
    apr_hash_t *names;            /* SQL -> what PostgreSQL knows it by */
    int named;                    /* how many names there were */
    apr_pool_t *transaction_pool; /* NULL: no transaction is open */
    apr_bucket_brigade *brigade;  /* to ask the driver for a value's size */
    apr_size_t packet_limit;      /* largest statement; 0: no limit */
    unsigned long session;        /* the session set up; 0: not known */
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

/* Run SQL as it stands, whatever the state of the transaction. */
cm_error_t *cm_statement_command(cm_store_t *store, const char *sql,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Open a lost connection again unless a transaction is open. Fails in a
 * transaction that can only be rolled back. */
cm_error_t *cm_statement_ready(cm_store_t *store,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Open the connection again. Fails with CM_UNAVAILABLE. */
cm_error_t *cm_store_renew(cm_store_t *store,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Refuse text that the database would cut, or store although it is not valid
 * text. Fails with CM_REJECTED. */
cm_error_t *cm_statement_check(const cm_store_t *store,
                               const cm_datum_t *arguments, int count,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Refuse a statement of SIZE bytes when MySQL would close the connection. Fails
 * with CM_REJECTED. */
cm_error_t *cm_statement_check_size(const cm_store_t *store, apr_size_t size,
                                    apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read RESULTS (NULL: none) to the end, where an error on the way shows. */
cm_error_t *cm_statement_read(cm_rows_t **rows, cm_store_t *store,
                              apr_dbd_results_t *results,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* As cm_statement_run() and cm_statement_select(), with parameters. With KEEP
 * the statement stays prepared: for SQL of which there are few different texts.
 * MySQL: the select cuts long values. */
cm_error_t *cm_prepared_run(apr_int64_t *affected, cm_store_t *store,
                            const char *sql, const cm_datum_t *arguments,
                            int count, int keep,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *cm_prepared_select(cm_rows_t **rows, cm_store_t *store,
                               const char *sql, const cm_datum_t *arguments,
                               int count, int keep,
                               apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Return a chunk before the first row of BULK, for TEMPLATE. */
cm_bulk_chunk_t cm_bulk_chunk_begin(const cm_bulk_t *bulk,
                                    const cm_dialect_t *dialect,
                                    const char *template, apr_pool_t *pool);

/* Make CHUNK the rows after it; return 0 when there are none. */
int cm_bulk_chunk_next(cm_bulk_chunk_t *chunk);

/* Return the cells of a row of CHUNK. */
const cm_datum_t *cm_bulk_chunk_row(const cm_bulk_chunk_t *chunk, int row);

/* Return the statement for CHUNK. */
const char *cm_bulk_chunk_sql(const cm_bulk_chunk_t *chunk, apr_pool_t *pool);

/* Return its arguments, *COUNT of them. */
const cm_datum_t *cm_bulk_chunk_arguments(int *count,
                                          const cm_bulk_chunk_t *chunk,
                                          apr_pool_t *pool);

/* Return the function NAME of the database's client library, or NULL: it is
 * not there, or the driver has not loaded it. */
void *cm_native_symbol(const cm_store_t *store, const char *name);

/* Return the connection as that library knows it. */
void *cm_native_connection(const cm_store_t *store);

/* Return the exact number of the last error; 0: not known. */
int cm_native_errno(const cm_store_t *store);

#endif
