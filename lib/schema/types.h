/* What the column types of each database mean, and the SQL that reads and
 * compares their values. One constant instance per database: types_sqlite3.c,
 * types_pgsql.c, types_mysql.c. */
#ifndef CM_SCHEMA_TYPES_H
#define CM_SCHEMA_TYPES_H

#include "store/dialect.h"
#include "schema/table.h"

struct cm_filling_t; /* capture_internal.h */

typedef struct cm_type_t {
    const char *name;
    cm_class_e value_class;
    int length; /* numbers: bytes of storage */
} cm_type_t;

typedef struct cm_types_t {
    const cm_type_t *list; /* ends with the class of all others; its name is
                              NULL */
    int loose; /* the declared type does not bind (SQLite): the first name that
                  it contains counts */
    /* Whether text that is given to COLUMN may come back in another form; BASE
     * is its type without length. NULL: never. */
    int (*is_rewritten)(const cm_column_t *column, const char *base);

    /* Whether the database may refuse to read a text as a value of COLUMN, for
     * a reason that cm_fit_value() does not know. NULL: never. */
    int (*may_refuse)(const cm_column_t *column, const char *base);

    /* Return SQL of the raw form of COLUMN of the row "t": the text of a JSON
     * value, or a value for JSON_OBJECT(), as the dialect's captures_text
     * says. */
    const char *(*raw)(const cm_column_t *column, const char *base,
                       apr_pool_t *pool);

    /* Return SQL of the text of KEY, whose NAME has an alias where it needs
     * one. */
    const char *(*key)(const cm_column_t *key, const char *name,
                       apr_pool_t *pool);

    /* Return SQL that is true when COLUMN differs, to the bit, between the rows
     * BEFORE and AFTER. */
    const char *(*differs)(const cm_column_t *column, const char *before,
                           const char *after, apr_pool_t *pool);

    const char *object; /* begins SQL that joins the pieces of a JSON object;
                           NULL: JSON_OBJECT() makes it */
    const char *object_plus; /* between the pieces */
    const char *names;       /* the same for texts */
    const char *names_plus;

    /* SQL of a JSON array of texts: its begin, the form of a text ("%s"), what
     * is between two, its end. It is NULL when one of them is. */
    const char *tuple, *tuple_text, *tuple_plus, *tuple_end;

    /* How to forbid NULL in {key}, of {type}, of {table}. */
    const char *not_null;

    /* For triggers: */
    const char *before, *after; /* what an update calls its two rows */
    /* Set what only the templates of this database name; NULL: nothing. */
    void (*fill)(struct cm_filling_t *filling, const char *monetary);
} cm_types_t;

extern const cm_types_t cm_types_sqlite3, cm_types_pgsql, cm_types_mysql;

/* Return the types of the databases that DIALECT is for. */
const cm_types_t *cm_types_of(const cm_dialect_t *dialect);

/* Set the class of COLUMN, and the length of its numbers, from BASE, the name
 * of its type without length. Where types are loose BASE is the declared type,
 * and the scale is read from it, too. */
void cm_types_classify(cm_column_t *column, const char *base,
                       const cm_types_t *types);

#endif
