/* The canonical form of a value: how it stands on the wire, whatever database
 * it came from. docs/values.md is the table; this is its code.
 *
 * Two conversions, both by the column's class: capture -> canonical (what the
 * trigger's SQL made of a column) and canonical -> datum (what is given to
 * the database). Between them, a value is compared, merged and sent as kind
 * and text; nothing goes through a double. */
#ifndef CM_VALUE_H
#define CM_VALUE_H

#include "cm_store.h"

typedef enum cm_kind_e {
    CM_ABSENT = 0, /* the attribute was not there */
    CM_NULL,
    CM_BOOLEAN, /* "true", "false" */
    CM_NUMBER,  /* the digits as they came */
    CM_TEXT,    /* UTF-8; may hold U+0000 */
    CM_JSON     /* an array or object, serialised; only from foreign peers */
} cm_kind_e;

typedef struct cm_value_t {
    cm_kind_e kind;
    const char *data; /* NUL-terminated behind SIZE */
    apr_size_t size;
} cm_value_t;

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

struct cm_column_t; /* cm_catalog.h */

/* Make RAW, a member of the body that a trigger of this node's database
 * wrote, canonical. Never fails: what cannot be recognised (a date that is
 * none, in SQLite) goes as it is. */
cm_value_t cm_value_canonical(const struct cm_column_t *column, cm_value_t raw,
                              const cm_dialect_t *dialect, apr_pool_t *pool);

/* Make VALUE, from a peer of ours or from a gem in any of its forms (wire.md
 * 2.6), what COLUMN of this database takes. Fails with CM_REJECTED where the
 * column cannot hold it, naming column and reason: nothing is cut, rounded or
 * clamped silently. */
cm_error_t *cm_value_datum(cm_datum_t *datum, const struct cm_column_t *column,
                           cm_value_t value, const cm_dialect_t *dialect,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Make VALUE from the wire canonical for COLUMN, so that both sides compare
 * alike: "2011/06/22 10:11:12 +0000" and "2011-06-22T10:11:12Z" are one. */
cm_value_t cm_value_normalise(const struct cm_column_t *column,
                              cm_value_t value, apr_pool_t *pool);

/* Return whether VALUE is text of DIGITS only, and not empty. */
int cm_value_is_digits(cm_value_t value, const char *digits);

/* Return whether VALUE is the form of bytes that have no type of their own,
 * {"hex":"00ff"}; and whether TEXT is UTF-8. */
int cm_value_is_bytes(cm_value_t value);
int cm_value_is_utf8(const char *text, apr_size_t size);

/* Order two canonical values as text, NULL before all else: the tie-breaker
 * between equal clocks, alike on every node. */
int cm_value_compare(cm_value_t a, cm_value_t b);

#endif
