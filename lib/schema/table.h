/* A table of the application: its columns, its key, and the SQL that reads a
 * row of it in raw form. It never changes. */
#ifndef CM_SCHEMA_TABLE_H
#define CM_SCHEMA_TABLE_H

#include <apr_hash.h>

#include "base/value.h"
#include "store/store.h"
#include "config/settings.h"

/* What a column holds, for the conversions. */
typedef enum cm_class_e {
    CM_CLASS_TEXT, /* and everything not listed: enum, uuid, arrays ... */
    CM_CLASS_INTEGER,
    CM_CLASS_DECIMAL,
    CM_CLASS_FLOAT,
    CM_CLASS_BOOLEAN,
    CM_CLASS_DATE,
    CM_CLASS_TIME,
    CM_CLASS_TIMESTAMP,      /* without zone: taken as UTC */
    CM_CLASS_TIMESTAMP_ZONE, /* an instant */
    CM_CLASS_BINARY,         /* hexadecimal digits on the wire */
    CM_CLASS_JSON,           /* its text, as a string, on the wire */
    CM_CLASS_ANY             /* SQLite: a column without a type */
} cm_class_e;

typedef struct cm_column_t {
    const char *name;
    const char *quoted;   /* as an identifier in SQL with parameters */
    const char *type;     /* declared type, to cast to on PostgreSQL */
    const char *declared; /* PostgreSQL: the type itself, a domain's too: its
                             number, or its name when it is not built in */
    cm_class_e value_class;
    int length;           /* most characters (text) or bytes (binary); 0: no
                             limit. Integers and floats: bytes of storage */
    apr_int64_t octets;   /* text: most bytes; 0: no limit */
    int precision, scale; /* decimals; precision 0: no limit, scale -1: any */
    int fraction;         /* times: digits of a second's fraction kept */
    int is_unsigned;      /* integers */
    int is_bits;          /* a number of PRECISION bits: MariaDB's bit(n), and
                             PostgreSQL's up to 64 */
    int loose;            /* SQLite: holds values of any type */
    int nullable;
    int has_default; /* or the database makes the value itself */
    int on_update;   /* MariaDB: an UPDATE that does not set it changes it */
    int rewrites;    /* PostgreSQL: text may come back in another form */
    int refuses;     /* PostgreSQL: not every text can be compared with it */
    int generated;   /* computed: Communicator never writes it */
    const char *reference;              /* model that it refers to, or NULL */
    const struct cm_column_t *named_by; /* the column that names the model that
                                           this one refers to: both are one
                                           value. NULL: none */
    const struct cm_column_t *names;    /* the column that refers to a record of
                                           the model that this one names; NULL:
                                           none */
    const char *none; /* the value that refers to nothing; NULL: NULL */
    int carried;      /* goes over the wire (only=, except=, key) */
    int is_key;
    const char *capture; /* SQL of the raw form of "t.column", a part of the
                            table's */
} cm_column_t;

/* What MariaDB captures instead of bytes that are too many for one value. These
 * are not hexadecimal digits, so it cannot be a value. */
#define CM_CAPTURE_APART "too large"

typedef struct cm_table_t {
    const cm_model_t *model;
    const char *quoted;       /* the table's name */
    const cm_column_t **keys; /* the columns of the key, in the order of key= */
    int key_count;
    int key_travels;   /* cm_settings_model_key_travels() */
    int key_generated; /* the database gives new keys (serial, identity) */
    int key_is_unique; /* 0: no index keeps two rows from having the same
                          values; only where it has several columns */
    int column_count;
    cm_column_t *columns; /* in the table's order, key included */
    apr_hash_t *by_name;  /* name -> cm_column_t * */
    int *next; /* which column is likely to be asked for next: that behind the
                  last, since messages have them in the table's order */
    const char *capture;  /* SQL of the whole raw body without the model:
                             a JSON object text of the carried columns of
                             the row "t" */
    const char *key_text; /* SQL of the row's key as text, of several columns
                             as a JSON array of texts: what a trigger writes
                             is the record's local id everywhere */
    const char
        *key_exact; /* the same, to be compared with a local id of ours */
    const char *key_given; /* the same without "t.", for RETURNING */
    int own_triggers;      /* of the application, on INSERT or UPDATE */
    int partitioned;       /* PostgreSQL: rows are in its partitions */
} cm_table_t;

/* Read the table of MODEL: once per connection, and again after a statement
 * failed with CM_SCHEMA. Fails with CM_SCHEMA when there is no such table, it
 * has no key column, or it is a view or the like. A key of several columns need
 * not have a unique index. */
cm_error_t *cm_table_read(cm_table_t **table, cm_store_t *store,
                          const cm_model_t *model, apr_pool_t *result_pool,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Set *MORE: the table has a column now that TABLE, read before, lacks. Costs
 * far less than reading it. Fails as cm_statement_select(). */
cm_error_t *cm_table_has_more(int *more, const cm_table_t *table,
                              cm_store_t *store,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give the schema (or NULL) and the name of the table of MODEL. */
void cm_table_names(cm_datum_t names[2], const cm_model_t *model,
                    apr_pool_t *pool);

/* Run the query in section NAME of sql/DRIVER/FILE about the table of MODEL:
 * each two "%s" in it stand for the table's schema (or NULL) and name. Where
 * this database has no such section, *ROWS is empty. Fails as
 * cm_statement_select(). */
cm_error_t *cm_table_ask(cm_rows_t **rows, cm_store_t *store, const char *file,
                         const char *name, const cm_model_t *model,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the column of that name, or NULL. */
const cm_column_t *cm_table_column(const cm_table_t *table, const char *name);

/* Return the index of the column NAME in TABLE if messages may set it, else
 * -1. */
int cm_table_settable(const cm_table_t *table, const char *name);

/* Return the column of the key of TABLE, if it is not data: the database gives
 * it, or the identity does. Else NULL. */
const cm_column_t *cm_table_own_key(const cm_table_t *table);

#endif
