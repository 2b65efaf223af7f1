/* What differs between the databases, as data where data will do. One
 * constant instance per database: cm_dialect_sqlite3.c, cm_dialect_pgsql.c,
 * cm_dialect_mysql.c. Longer SQL (migrations, triggers, the catalog) stands
 * in sql/DRIVER/. */
#ifndef CM_DIALECT_H
#define CM_DIALECT_H

#include "cm_bulk.h"

typedef enum cm_database_e { CM_SQLITE3, CM_PGSQL, CM_MYSQL } cm_database_e;

struct cm_dialect_t {
    cm_database_e database;
    const char *driver;     /* apr_dbd's name */
    const char *package;    /* Debian's package with that driver */
    const char *begin[3];   /* statements that begin a transaction */
    const char *now;        /* SQL: this moment, for created_at columns */
    const char *for_update; /* " FOR UPDATE", or "" */
    int parameter_limit;    /* "%s" in one statement */
    int row_limit;          /* rows in one statement */
    apr_size_t statement_limit; /* bytes of SQL and parameters together */
    /* Class of a driver's error: CM_REJECTED, CM_BUSY, CM_UNAVAILABLE,
     * CM_SCHEMA or CM_DATABASE. RC is the driver's number, TEXT its words. */
    cm_code_e (*classify)(int rc, const char *text);
    /* Further slots (how rows become SQL, identifiers, literals) are added
     * by cm_store.c and cm_bulk.c as they need them. */
    const struct cm_dialect_ops_t *ops;
};

extern const cm_dialect_t cm_dialect_sqlite3, cm_dialect_pgsql,
    cm_dialect_mysql;

/* Return the dialect of that apr_dbd driver, or NULL. */
const cm_dialect_t *cm_dialect_of_driver(const char *driver);

#endif
