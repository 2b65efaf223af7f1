/* One database connection, and its transactions. Only store.c includes
 * apr_dbd.h and knows what its three drivers really do.
 *
 * SQL is written once, in the common subset, with "%s" for every parameter
 * ("%%" for a percent sign); what differs is asked of the dialect. Parameters
 * are text, or binary, or NULL, and become literals; PostgreSQL infers their
 * types, so write "%s::bigint" nowhere: the bulk statements (bulk.h) cast
 * for it. Text that the database cannot hold as it is (U+0000, invalid UTF-8,
 * more than MySQL's max_allowed_packet) fails with CM_REJECTED.
 * Numbers that the program made (ids, clocks, limits) may be printed into the
 * SQL text; strings never.
 *
 * Transactions are raw BEGIN ... COMMIT at READ COMMITTED (SQLite: BEGIN
 * IMMEDIATE, and all writers of one process take turns under a mutex). After
 * a failed statement the caller rolls back, to a savepoint or whole.
 * A store is used by one thread at a time. */
#ifndef CM_STORE_H
#define CM_STORE_H

#include <apr_dbd.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"
#include "store/cell.h"

typedef struct cm_store_t cm_store_t;
typedef struct cm_dialect_t cm_dialect_t; /* dialect.h */

/* Open a connection of its own (the client). DRIVER and PARAMS as in mod_dbd:
 * "sqlite3" "/path"; "pgsql" conninfo; "mysql" "host= user= ...". Adds what
 * the drivers need (mysql: reconnect=0, flags=CLIENT_FOUND_ROWS). Closed with
 * POOL. Fails with CM_CONFIG (unknown driver; says which package holds it),
 * CM_UNAVAILABLE. */
cm_error_t *cm_store_open(cm_store_t **store, const char *driver,
                          const char *params,
                          apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the store of a pooled connection (the module): the same one each
 * time, with its prepared statements. CONNECTION_POOL is ap_dbd_t's pool; call
 * it each time the connection is taken, for mod_dbd may have made it anew.
 * Fails with CM_CONFIG (MySQL without flags=CLIENT_FOUND_ROWS),
 * CM_UNAVAILABLE (take another one). */
cm_error_t *cm_store_attach(cm_store_t **store, const apr_dbd_driver_t *driver,
                            apr_dbd_t *handle,
                            apr_pool_t *connection_pool) CM_UNUSED_RESULT;

/* What differs between the databases. */
const cm_dialect_t *cm_dialect_of_store(const cm_store_t *store);

/* The pool that lives as long as the connection. */
apr_pool_t *cm_store_pool(const cm_store_t *store);

/* Begin a transaction; a dead connection is renewed first. When SCRATCH_POOL
 * goes before commit, the transaction is rolled back. Fails with
 * CM_UNAVAILABLE, CM_BUSY (SQLite: the lock was held too long). */
cm_error_t *cm_transaction_begin(cm_store_t *store,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Commit. On failure nothing was committed and the transaction is over,
 * unless the connection broke: then nobody knows, and the peer's cursor
 * settles it. */
cm_error_t *cm_transaction_commit(cm_store_t *store,
                                  apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* End the transaction that WORK, the error of what was done in it, was done in:
 * commit when it is NULL, else roll back. Returns WORK, or why the commit
 * failed. So a transaction is two lines:
 *
 *   CM_TRY(cm_transaction_begin(store, pool));
 *   return cm_transaction_end(store, work(...), pool); */
cm_error_t *cm_transaction_end(cm_store_t *store, cm_error_t *work,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Roll back, if a transaction is open. Never fails: a connection that cannot
 * even do that is given up and renewed at the next begin. */
void cm_transaction_rollback(cm_store_t *store);

/* After a failure, outside of transactions: return whether the connection
 * works. An error of the application's own trigger may look like a lost
 * connection: then this one is used further. */
int cm_transaction_revive(cm_store_t *store, apr_pool_t *scratch_pool);

/* Return whether the last failure, after what TOOK so long, came of something
 * outside that no other data would change: somebody else's lock, a full disk.
 */
int cm_transaction_is_outside(const cm_store_t *store,
                              apr_interval_time_t took);

/* Check now what the database would check at the end of the transaction
 * (DEFERRABLE INITIALLY DEFERRED), then let the rest of the transaction go on
 * as before. *BACK is NULL the first time in a transaction and is kept for
 * the next one, in POOL. Fails with CM_REJECTED. */
cm_error_t *
cm_transaction_check_deferred(const char **back, cm_store_t *store,
                              apr_pool_t *pool,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Set, release, return to a savepoint. NAME is an identifier of ours. */
cm_error_t *cm_transaction_savepoint(cm_store_t *store, const char *name,
                                     apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *cm_transaction_release(cm_store_t *store, const char *name,
                                   apr_pool_t *scratch_pool) CM_UNUSED_RESULT;
cm_error_t *
cm_transaction_rollback_to(cm_store_t *store, const char *name,
                           apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Run a statement without result; *AFFECTED (may be NULL) gets the number of
 * rows matched. ARGUMENTS holds COUNT values for the "%s" in SQL.
 * Fails with CM_REJECTED (a constraint, a type, a value: the data is at
 * fault), CM_BUSY (deadlock, lock time-out: roll back all and try again),
 * CM_UNAVAILABLE (connection lost), CM_SCHEMA (no such table or column),
 * CM_DATABASE (all else). The message holds the database's own words.
 * After CM_BUSY and CM_UNAVAILABLE only cm_transaction_rollback() makes sense.
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

/* The same for a statement that every other request asks: PostgreSQL plans it
 * once per connection. Only outside of transactions. */
cm_error_t *cm_prepared_select_often(cm_rows_t **rows, cm_store_t *store,
                                     const char *sql,
                                     const cm_datum_t *arguments, int count,
                                     apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Run one statement of a migration as it stands: no parameters, "%" is "%",
 * nothing prepared or cached. */
cm_error_t *cm_statement_execute(cm_store_t *store, const char *sql,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Say in *WHY, in words, why this database takes no writes at present: it is a
 * standby, or was set so; NULL when it does. Fails as cm_statement_select(). */
cm_error_t *cm_standby_check(const char **why, cm_store_t *store,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return NAME quoted as an identifier, ready for SQL with "%s" in it (a
 * percent sign doubled); "schema.table" becomes two quoted parts with
 * cm_store_quote_table(). */
const char *cm_store_quote(const cm_store_t *store, const char *name,
                           apr_pool_t *pool);
const char *cm_store_quote_table(const cm_store_t *store, const char *name,
                                 apr_pool_t *pool);

/* Return TEXT as a string literal of this database, for triggers and other
 * SQL that takes no parameters. */
const char *cm_store_literal(const cm_store_t *store, const char *text,
                             apr_pool_t *pool);

/* Forget prepared statements, after the schema changed. */
void cm_store_forget(cm_store_t *store);

#endif
