/* What a table of the application looks like, asked of the database once per
 * connection and again after a statement failed with CM_SCHEMA. */
#ifndef CM_CATALOG_H
#define CM_CATALOG_H

#include <apr_hash.h>

#include "cm_settings.h"
#include "cm_value.h"

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
    int loose;            /* SQLite: the type is a wish, no check is made */
    int nullable;
    int has_default;       /* or the database makes the value itself */
    int on_update;         /* MariaDB: an UPDATE that does not set it, does */
    int rewrites;          /* PostgreSQL: text may come back in another form */
    int generated;         /* computed: never written */
    const char *reference; /* model that it refers to, or NULL */
    int carried;           /* goes over the wire (only=, except=, key) */
    const char *capture;   /* SQL making the raw form, a piece of the table's;
                              with "t." before the column's name */
} cm_column_t;

/* What MariaDB's capture has instead of bytes that are too many for one value:
 * no hexadecimal digits. */
#define CM_CAPTURE_APART "too large"

typedef struct cm_table_t {
    const cm_model_t *model;
    const char *quoted; /* the table's name */
    const cm_column_t *key;
    int key_generated; /* the database gives new keys (serial, identity) */
    int column_count;
    cm_column_t *columns;  /* in the table's order, key included */
    apr_hash_t *by_name;   /* name -> cm_column_t * */
    const char *capture;   /* SQL of the whole raw body without the model:
                              a JSON object text of the carried columns of
                              the row "t" */
    const char *key_text;  /* SQL of the row's key as text: what a trigger
                              writes is the record's local id everywhere */
    const char *key_given; /* the same without "t.", for RETURNING */
    int own_triggers;      /* of the application, on INSERT or UPDATE */
    int partitioned;       /* PostgreSQL: rows are in its partitions */
} cm_table_t;

/* Read the table of MODEL. Fails with CM_SCHEMA when there is none, it has
 * no key column, or it is not one that can be written (says which). */
cm_error_t *cm_catalog_read(cm_table_t **table, cm_store_t *store,
                            const cm_model_t *model, apr_pool_t *result_pool,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Return the column of that name, or NULL. */
const cm_column_t *cm_table_column(const cm_table_t *table, const char *name);

/* Return the canonical form of a key's TEXT (key_text, or from the wire): the
 * same on every database, however each writes it. */
const char *cm_table_key(const cm_table_t *table, const char *text,
                         const cm_dialect_t *dialect, apr_pool_t *pool);

/* Return EXPRESSION of the catalog (capture) with ALIAS for "t": NEW, OLD. */
const char *cm_catalog_with_alias(const char *expression, const char *alias,
                                  apr_pool_t *pool);

#endif
