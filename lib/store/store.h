/* One database connection, and its transactions. Only lib/store calls apr_dbd
 * and knows what its three drivers really do.
 *
 * SQL is written once, in the subset that all databases know, with "%s" for
 * each parameter and "%%" for a percent sign. The dialect holds what differs
 * (dialect.h). Parameters are text, bytes or NULL, and become literals.
 * PostgreSQL infers their types, so never write "%s::bigint"; the statements of
 * bulk.h cast where it is needed. Text that the database cannot hold as it is
 * (U+0000, invalid UTF-8, more than MySQL's max_allowed_packet) fails with
 * CM_REJECTED. Numbers that the program made (ids, clocks, limits) may be
 * printed into the SQL text, strings never.
 *
 * Transactions are raw BEGIN ... COMMIT at READ COMMITTED. On SQLite they are
 * BEGIN IMMEDIATE, and all writers of one process take turns under a mutex.
 * After a failed statement the caller rolls back, to a savepoint or the whole
 * transaction. A store is used by one thread at a time. */
#ifndef CM_STORE_STORE_H
#define CM_STORE_STORE_H

#include <apr_dbd.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"
#include "store/datum.h"

typedef struct cm_store_t cm_store_t;
typedef struct cm_dialect_t cm_dialect_t; /* dialect.h */

/* Open a connection (the client). DRIVER and PARAMS as in mod_dbd: "sqlite3"
 * "/path"; "pgsql" conninfo; "mysql" "host= user= ...". Adds the parameters
 * that the driver needs. Closed with POOL. Fails with CM_CONFIG (unknown
 * driver, or its package is not installed), CM_UNAVAILABLE. */
cm_error_t *cm_store_open(cm_store_t **store, const char *driver,
                          const char *params,
                          apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the store of one of mod_dbd's connections (the module): the same one
 * each time, with its prepared statements. CONNECTION_POOL is ap_dbd_t's pool.
 * Call this each time a connection is taken: mod_dbd may have reconnected.
 * Fails with CM_CONFIG (MySQL without flags=CLIENT_FOUND_ROWS),
 * CM_UNAVAILABLE (take another connection). */
cm_error_t *cm_store_attach(cm_store_t **store, const apr_dbd_driver_t *driver,
                            apr_dbd_t *handle, apr_pool_t *connection_pool,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return what the database of STORE does differently. */
const cm_dialect_t *cm_dialect_of_store(const cm_store_t *store);

/* Return how many bytes a binary value may have to fit into a statement. */
apr_size_t cm_store_most_bytes(const cm_store_t *store);

/* Begin a transaction. A broken connection is opened again first. The
 * transaction is rolled back when SCRATCH_POOL is destroyed before it ends.
 * Fails with CM_UNAVAILABLE, CM_BUSY (SQLite: the lock was held too long). */
cm_error_t *cm_transaction_begin(cm_store_t *store,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same for work that is not worth waiting: SQLite's lock must be free. */
cm_error_t *
cm_transaction_begin_at_once(cm_store_t *store,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Commit. When that fails, nothing was committed and the transaction is over.
 * But when the connection broke, nobody knows whether it was committed: the
 * next exchange with the peer shows it. */
cm_error_t *cm_transaction_commit(cm_store_t *store,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* End a transaction: commit when WORK, the error of what was done in it, is
 * NULL, else roll back. Returns WORK, or why the commit failed. So a
 * transaction is two lines:
 *
 *   CM_TRY(cm_transaction_begin(store, pool));
 *   return cm_transaction_end(store, work(...), pool); */
cm_error_t *cm_transaction_end(cm_store_t *store, cm_error_t *work,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Roll back, if a transaction is open. Never fails: a connection that cannot
 * even do that is given up, and opened again at the next begin. */
void cm_transaction_rollback(cm_store_t *store);

/* Return whether a transaction is open. */
int cm_transaction_is_open(const cm_store_t *store);

/* After a failure, outside a transaction: return whether the connection still
 * works. An error that a trigger of the application raises may look like a lost
 * connection; then this one stays in use. */
int cm_transaction_revive(cm_store_t *store, apr_pool_t *scratch_pool);

/* Return whether the last failure, of something that TOOK so long, would have
 * happened with other data, too: another transaction's lock, a full disk. */
int cm_transaction_is_outside(const cm_store_t *store,
                              apr_interval_time_t took);

/* Check now the constraints that the database would check at the end of the
 * transaction (DEFERRABLE INITIALLY DEFERRED), then defer them again. *BACK
 * must be NULL the first time in a transaction; it is kept for the next call,
 * in POOL. Fails with CM_REJECTED. */
cm_error_t *
cm_transaction_check_deferred(const char **back, cm_store_t *store,
                              apr_pool_t *pool,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Set, release, roll back to the savepoint NAME. */
cm_error_t *cm_transaction_savepoint(cm_store_t *store, const char *name,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *cm_transaction_release(cm_store_t *store, const char *name,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *
cm_transaction_rollback_to(cm_store_t *store, const char *name,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Run a statement that returns no rows; *AFFECTED (may be NULL) gets the number
 * of rows matched. ARGUMENTS holds COUNT values for the "%s" in SQL. Fails with
 * CM_REJECTED (the data is at fault: a constraint, a type, a value), CM_BUSY
 * (deadlock, lock time-out), CM_UNAVAILABLE (connection lost), CM_SCHEMA (no
 * such table or column), CM_DATABASE (all else). The message has the database's
 * own words. After CM_BUSY and CM_UNAVAILABLE roll back the whole transaction.
 */
cm_error_t *cm_statement_run(apr_int64_t *affected, cm_store_t *store,
                             const char *sql, const cm_datum_t *arguments,
                             int count,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Run a statement that returns rows (SELECT, INSERT ... RETURNING where the
 * dialect has it). Fails as cm_statement_run(). */
cm_error_t *cm_statement_select(cm_rows_t **rows, cm_store_t *store,
                                const char *sql, const cm_datum_t *arguments,
                                int count,
                                apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Run a query for one number: *NUMBER is the first cell of its first row; 0
 * when that is NULL, or there is no row. Fails as cm_statement_run(). */
cm_error_t *cm_statement_number(apr_int64_t *number, cm_store_t *store,
                                const char *sql, const cm_datum_t *arguments,
                                int count,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Run the query in section NAME of sql/DRIVER/FILE or sql/all/FILE. Where this
 * database has no such section, *ROWS is empty. */
cm_error_t *cm_statement_section(cm_rows_t **rows, cm_store_t *store,
                                 const char *file, const char *name,
                                 const cm_datum_t *arguments, int count,
                                 apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* As cm_statement_select(), for a statement that runs again and again:
 * PostgreSQL plans it once per connection. In a transaction only of the
 * system's tables: it fails once when a table was changed. With OFTEN it runs
 * in almost every request: MariaDB parses it once per connection, too, and SQL
 * has no other "%" than "%s". */
cm_error_t *cm_prepared_select(cm_rows_t **rows, cm_store_t *store,
                               const char *sql, const cm_datum_t *arguments,
                               int count, int often,
                               apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Run one statement of a migration: it has no parameters, "%" is
 * "%", and nothing stays prepared. */
cm_error_t *cm_statement_execute(cm_store_t *store, const char *sql,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return whether a pooler is between us and the server: what is set for a
 * session would be found there by others, so each transaction sets it anew. */
int cm_store_is_pooled(const cm_store_t *store);

/* Give *WHY, in words, this database takes no writes now: it is a standby, or
 * is set read-only; NULL: it takes writes. Fails as cm_statement_select(). */
cm_error_t *cm_store_standby(const char **why, cm_store_t *store,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return NAME quoted as an identifier for SQL with parameters: percent signs
 * are doubled. cm_store_quote_table() quotes both parts of "schema.table". */
const char *cm_store_quote(const cm_store_t *store, const char *name,
                           apr_pool_t *pool);
const char *cm_store_quote_table(const cm_store_t *store, const char *name,
                                 apr_pool_t *pool);

/* Return TEXT as a string literal of this database, for triggers and other
 * SQL that takes no parameters. */
const char *cm_store_literal(const cm_store_t *store, const char *text,
                             apr_pool_t *pool);

/* Drop the prepared statements, after the schema changed; not where the driver
 * would keep them, and the database says itself that they are outdated. */
void cm_store_forget(cm_store_t *store);

#endif
