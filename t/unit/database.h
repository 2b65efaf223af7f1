/* Real databases for the unit tests. CM_TEST_SQLITE3, CM_TEST_PGSQL and
 * CM_TEST_MYSQL hold the DBDParams of a database that tests may work beside:
 * each test gets an empty one of its own, made there and dropped again. A
 * database whose variable is not set is reported as skipped. */
#ifndef TEST_DATABASE_H
#define TEST_DATABASE_H

#include "store/dialect.h"
#include "store/store.h"

typedef void database_test_t(cm_store_t *store, apr_pool_t *pool);

/* Return whether there is a database to test with. */
int database_any(void);

/* Run TEST on an empty database of each kind; NAME is printed as a
 * comment. */
void database_each(const char *name, database_test_t *test);

/* Open one more connection to the database of the running test. */
cm_store_t *database_again(apr_pool_t *pool);

/* Return the DBDParams of the database of the running test. */
const char *database_params(void);

/* Return the name of the driver of STORE, for the names of results. */
const char *database_of(const cm_store_t *store);

/* Return whether STORE is MariaDB, and not MySQL. */
int database_is_mariadb(cm_store_t *store, apr_pool_t *pool);

/* Unless ERR is NULL, print it and end the program. */
void database_must(cm_error_t *err);

/* Return TEXT with the clocks that it writes as 90000000000000xx an hour ahead
 * of now: newer than what is changed here, and not so far as to be parked. */
const char *database_soon(const char *text, apr_pool_t *pool);

/* Return the name of the table of the records of class TYPE. */
const char *database_records(cm_store_t *store, const char *type,
                             apr_pool_t *pool);

/* Run SQL, which must succeed; give the first cell of what it selects. */
void database_run(cm_store_t *store, const char *sql);
const char *database_value(cm_store_t *store, const char *sql,
                           apr_pool_t *pool);

/* Expect ERR to be of CODE; CM_CODE_COUNT: to be NULL. */
int database_fails(const cm_error_t *err, cm_code_e code, const char *what);

#endif
