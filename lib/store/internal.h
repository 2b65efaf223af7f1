/* The inside of a store, for store.c, transaction.c, statement.c,
 * native.c and bulk.c only. */
#ifndef CM_STORE_INTERNAL_H
#define CM_STORE_INTERNAL_H

#include <apr_buckets.h>
#include <apr_hash.h>
#include <apr_time.h>

#include "store/dialect.h"
#include "store/store.h"

/* How long a writer waits for another one. */
#define CM_BUSY_SECONDS 10
#define CM_BUSY_PAUSE   apr_time_from_msec(20)

/* How long it waits between two tries to begin. SQLite has no queue: an
 * application that never pauses leaves its lock for some microseconds between
 * two transactions, which only many tries find. They cost a system call. */
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
    int doomed;           /* the transaction is gone: only a rollback is left */
    cm_outside_e outside; /* what the last error came of */
    int locked;           /* holds the turn of SQLite's writers */
    int found_rows;       /* MySQL: known to count the rows found */
};

/* Make the error of a driver call that returned RC; notes what it means for
 * transaction and connection. */
cm_error_t *cm_statement_failure(cm_store_t *store, int rc, apr_pool_t *pool);

/* Return whether RC only says that another connection changed the schema
 * since this one looked (SQLite): once more, and all is well. */
int cm_statement_outdated(const cm_store_t *store, int rc);

/* Return whether RC says that another process holds SQLite's lock. */
int cm_statement_is_locked(const cm_store_t *store, int rc);

/* How often a statement has been tried, and until when it may be. */
typedef struct cm_tries_t {
    int count;
    apr_time_t deadline;
} cm_tries_t;

/* Return whether a statement that returned RC is to be tried again: its
 * schema is outdated, or another process holds SQLite's lock and no
 * transaction is open, as inside one BEGIN has waited. It has then waited a
 * moment. Needed because the driver waits where a statement runs but not where
 * it is prepared, which reads the schema and so needs the lock, too: while
 * another process recovers the journal or removes it. */
int cm_statement_again(const cm_store_t *store, int rc, cm_tries_t *tries);

/* Run SQL as it stands, without looking at the state of the transaction. */
cm_error_t *cm_statement_command(cm_store_t *store, const char *sql,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Renew a lost connection unless a transaction is open; refuse statements in
 * a transaction that is gone. */
cm_error_t *cm_statement_ready(cm_store_t *store,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Open a lost connection again. Fails with CM_UNAVAILABLE. */
cm_error_t *cm_store_renew(cm_store_t *store,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Refuse text that the database would cut, or keep though it is none.
 * Fails with CM_REJECTED. */
cm_error_t *cm_statement_check(const cm_store_t *store,
                               const cm_datum_t *arguments, int count,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Refuse a statement of SIZE bytes where MySQL would just hang up. Fails with
 * CM_REJECTED. */
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

/* Rows that go in one statement. */
typedef struct cm_bulk_chunk_t {
    const cm_bulk_t *bulk;
    const cm_dialect_t *dialect;
    const char *template;    /* see cm_dialect_ops_t */
    const char *expressions; /* to give back */
    const char *condition;
    int listed; /* by bulk_lists.h: not kept, so any number of rows will do */
    int first, rows;
} cm_bulk_chunk_t;

/* Make CHUNK the rows after it; return 0 when there are none. */
int cm_bulk_chunk_next(cm_bulk_chunk_t *chunk);

/* Return the statement for CHUNK. */
const char *cm_bulk_chunk_sql(const cm_bulk_chunk_t *chunk, apr_pool_t *pool);

/* Return its arguments, *COUNT of them. */
const cm_datum_t *cm_bulk_chunk_arguments(int *count,
                                          const cm_bulk_chunk_t *chunk,
                                          apr_pool_t *pool);

/* What apr_dbd does not tell, asked of the database's client library when the
 * driver has it loaded: an error's exact number (0: not known), the session's
 * number (0: not known); and settings that only that library has. */
int cm_native_errno(const cm_store_t *store);
unsigned long cm_native_session(const cm_store_t *store);
void cm_native_setup(const cm_store_t *store);

/* End the session of an attached connection, which is not ours to close, so
 * that whoever takes it next gets another one. */
void cm_native_cut(const cm_store_t *store);

/* Return whether SQLite opened its file to be read only. */
int cm_native_read_only(const cm_store_t *store);

/* Return whether a deferred foreign key is not satisfied (SQLite); 0: it is,
 * or it is not known. */
int cm_native_deferred(const cm_store_t *store);

/* Try once to begin a transaction by SQL, and give *RC (SQLite). Return 0
 * when that cannot be done here, and nothing was tried. */
int cm_native_begin(int *rc, const cm_store_t *store, const char *sql);

#endif
