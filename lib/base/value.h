/* A value as it stands in JSON: its kind and its text. Nothing goes through a
 * double, so digits stay as they came. */
#ifndef CM_BASE_VALUE_H
#define CM_BASE_VALUE_H

#include <apr.h>

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

/* Return whether VALUE is text of DIGITS only, and not empty. */
int cm_value_is_digits(cm_value_t value, const char *digits);

/* Order two canonical values as text, NULL before all else: the tie-breaker
 * between equal clocks, alike on every node. */
int cm_value_compare(cm_value_t a, cm_value_t b);

/* Return whether VALUE is the form of bytes that have no type of their own,
 * {"hex":"00ff"}. */
int cm_value_is_bytes(cm_value_t value);

#endif
