/* Transactions and savepoints: see store.h. They are raw statements, because
 * transactions of apr_dbd crash on a lost connection and ignore savepoints. */
#include "base/clock.h"
#include "store/internal.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include <apr_strings.h>
#include <apr_time.h>

#define TRIES       3
#define TRIES_PAUSE apr_time_from_msec(200)

/* Waiting for a lock takes longer than this. The same error earlier is one that
 * a trigger raised. */
#define REAL_WAIT apr_time_from_sec(5)

/* SQLite's writers of one process take turns here. Waiting inside SQLite would
 * hold the driver's global mutex, which the writer that has the lock needs for
 * its commit. It guards what is global in the driver. It is recursive, for a
 * thread with transactions in two databases. */
static pthread_mutex_t writers = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static cm_error_t *turn_take(cm_store_t *store, int seconds, apr_pool_t *pool)
{
    struct timespec until;

    if (!store->dialect->one_writer)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    if (pthread_mutex_timedlock(&writers, &until))
        return CM_FAIL(pool, CM_BUSY,
                       "another writer of this process held the database "
                       "for %d seconds",
                       seconds);
    store->locked = 1;
    return NULL;
}

static void turn_leave(cm_store_t *store)
{
    if (store->locked)
        pthread_mutex_unlock(&writers);
    store->locked = 0;
}

apr_status_t cm_transaction_lost(void *baton)
{
    cm_transaction_rollback(baton);
    return APR_SUCCESS;
}

static void transaction_end(cm_store_t *store)
{
    if (store->transaction_pool)
        apr_pool_cleanup_kill(store->transaction_pool, store,
                              cm_transaction_lost);
    store->transaction_pool = NULL;
    store->failed = store->doomed = 0;
    turn_leave(store);
}

/* Run the statement that begins a transaction: on SQLite not by the driver,
 * which tries only ten times a second. */
static cm_error_t *begin(cm_store_t *store, int seconds, apr_pool_t *pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const apr_time_t deadline = cm_clock_now() + apr_time_from_sec(seconds);
    int rc;

    if (cm_statement_is_lost(store))
        CM_TRY(cm_store_renew(store, pool));
    while (ops->try_begin && ops->try_begin(&rc, store, ops->begin)) {
        if (!rc)
            return NULL;
        if (!cm_statement_is_locked(store, rc) || cm_clock_now() >= deadline)
            return cm_statement_failure(store, rc, pool);
        cm_clock_sleep(CM_BEGIN_PAUSE + cm_clock_now() % CM_BEGIN_PAUSE);
    }
    CM_TRY(cm_statement_command(store, ops->begin, pool));
    if (!store->pooled)
        return NULL;
    CM_TRY(cm_statement_command(store, ops->local_session, pool));
    return cm_statement_command(store, ops->stay, pool);
}

int cm_transaction_is_open(const cm_store_t *store)
{
    return store->transaction_pool != NULL;
}

/* Begin, waiting up to SECONDS where there is only one writer at a time. */
static cm_error_t *begin_within(cm_store_t *store, int seconds,
                                apr_pool_t *scratch_pool)
{
    cm_error_t *err;
    int i;

    if (store->transaction_pool)
        return CM_FAIL(scratch_pool, CM_DATABASE,
                       "a transaction is already open");
    CM_TRY(turn_take(store, seconds, scratch_pool));
    err = begin(store, seconds, scratch_pool);
    for (i = 1; err && err->code == CM_UNAVAILABLE && i < TRIES; i++) {
        if (i > 1)
            cm_clock_sleep(TRIES_PAUSE);
        err = begin(store, seconds, scratch_pool);
    }
    if (err) {
        turn_leave(store);
        return err;
    }
    store->failed = store->doomed = 0;
    store->outside = CM_OUTSIDE_NOT;
    store->transaction_pool = scratch_pool;
    apr_pool_cleanup_register(scratch_pool, store, cm_transaction_lost,
                              apr_pool_cleanup_null);
    return NULL;
}

cm_error_t *cm_transaction_begin(cm_store_t *store, apr_pool_t *scratch_pool)
{
    return begin_within(store, CM_BUSY_SECONDS, scratch_pool);
}

cm_error_t *cm_transaction_begin_at_once(cm_store_t *store,
                                         apr_pool_t *scratch_pool)
{
    return begin_within(store, 0, scratch_pool);
}

/* Commit. While another process holds SQLite's lock the transaction stays open:
 * try again. */
static cm_error_t *commit(cm_store_t *store, apr_pool_t *pool)
{
    const apr_time_t deadline =
        cm_clock_now() + apr_time_from_sec(CM_BUSY_SECONDS);
    cm_error_t *err = cm_statement_command(store, "COMMIT", pool);

    while (err && err->code == CM_BUSY && store->dialect->one_writer &&
           cm_clock_now() < deadline) {
        cm_clock_sleep(CM_BUSY_PAUSE);
        err = cm_statement_command(store, "COMMIT", pool);
    }
    return err;
}

cm_error_t *cm_transaction_commit(cm_store_t *store, apr_pool_t *scratch_pool)
{
    cm_error_t *err;

    if (!store->transaction_pool)
        return CM_FAIL(scratch_pool, CM_DATABASE, "no transaction is open");
    if (store->failed || store->doomed) {
        cm_transaction_rollback(store);
        return CM_FAIL(scratch_pool, CM_DATABASE,
                       "a transaction with a failed statement cannot be "
                       "committed");
    }
    err = commit(store, scratch_pool);
    if (err)
        cm_transaction_rollback(store);
    else
        transaction_end(store);
    return err;
}

cm_error_t *cm_transaction_end(cm_store_t *store, cm_error_t *work,
                               apr_pool_t *scratch_pool)
{
    if (!work)
        return cm_transaction_commit(store, scratch_pool);
    cm_transaction_rollback(store);
    return work;
}

cm_error_t *cm_transaction_begin_alone(int *begun, cm_store_t *store,
                                       apr_pool_t *scratch_pool)
{
    *begun = store->dialect->one_writer && !store->transaction_pool;
    return *begun ? cm_transaction_begin(store, scratch_pool) : NULL;
}

cm_error_t *cm_transaction_end_alone(int begun, cm_store_t *store,
                                     cm_error_t *work, apr_pool_t *scratch_pool)
{
    return begun ? cm_transaction_end(store, work, scratch_pool) : work;
}

void cm_transaction_rollback(cm_store_t *store)
{
    int rows;

    if (!store->transaction_pool)
        return;
    if (!store->broken && store->handle &&
        apr_dbd_query(store->driver, store->handle, &rows, "ROLLBACK") &&
        !store->dialect->ops->ends_by_itself)
        store->broken = 1;
    transaction_end(store);
}

/* The name begins with ours: MySQL reserves words such as ROW. */
static cm_error_t *savepoint(cm_store_t *store, const char *verb,
                             const char *name, apr_pool_t *pool)
{
    if (!store->transaction_pool)
        return CM_FAIL(pool, CM_DATABASE, "no transaction is open");
    CM_TRY(cm_statement_ready(store, pool));
    return cm_statement_command(
        store, apr_pstrcat(pool, verb, " communicator_", name, NULL), pool);
}

cm_error_t *cm_transaction_savepoint(cm_store_t *store, const char *name,
                                     apr_pool_t *scratch_pool)
{
    return savepoint(store, "SAVEPOINT", name, scratch_pool);
}

cm_error_t *cm_transaction_release(cm_store_t *store, const char *name,
                                   apr_pool_t *scratch_pool)
{
    return savepoint(store, "RELEASE SAVEPOINT", name, scratch_pool);
}

cm_error_t *cm_transaction_rollback_to(cm_store_t *store, const char *name,
                                       apr_pool_t *scratch_pool)
{
    CM_TRY(savepoint(store, "ROLLBACK TO SAVEPOINT", name, scratch_pool));
    store->failed = 0;
    return NULL;
}

int cm_transaction_revive(cm_store_t *store, apr_pool_t *scratch_pool)
{
    cm_error_t *err;

    if (!store->handle || store->read_only)
        return 0;
    if (!store->broken)
        return 1;
    store->broken = 0;
    err = cm_statement_command(store, "ROLLBACK", scratch_pool);
    err = cm_statement_command(store, "SELECT 1", scratch_pool);
    store->broken = err != NULL;
    return !err;
}

int cm_transaction_is_outside(const cm_store_t *store, apr_interval_time_t took)
{
    return store->outside == CM_OUTSIDE_HOST ||
           store->outside == CM_OUTSIDE_READ_ONLY ||
           (store->outside == CM_OUTSIDE_LOCK && took > REAL_WAIT);
}

cm_error_t *cm_transaction_check_deferred(const char **back, cm_store_t *store,
                                          apr_pool_t *pool,
                                          apr_pool_t *scratch_pool)
{
    const cm_dialect_ops_t *ops = store->dialect->ops;
    const char *back_sql;
    cm_rows_t *rows;

    if (ops->deferred && ops->deferred(store))
        return CM_FAIL(scratch_pool, CM_REJECTED,
                       "FOREIGN KEY constraint failed (one that is checked at "
                       "the end of the transaction)");
    if (!*back) {
        CM_TRY(cm_statement_section(&rows, store, "catalog.sql", "deferred",
                                    NULL, 0, scratch_pool));
        back_sql = rows->count ? cm_cell_text(rows, 0, 0) : NULL;
        *back = apr_pstrdup(pool, back_sql ? back_sql : "");
    }
    if (!**back)
        return NULL;
    CM_TRY(cm_statement_execute(store, "SET CONSTRAINTS ALL IMMEDIATE",
                                scratch_pool));
    return cm_statement_execute(store, *back, scratch_pool);
}
