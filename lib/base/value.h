/* A JSON value: its kind and its text. Numbers keep their digits, they are
 * never converted to double. */
#ifndef CM_BASE_VALUE_H
#define CM_BASE_VALUE_H

#include <apr_pools.h>

typedef enum cm_kind_e {
    CM_ABSENT = 0, /* there is no such attribute */
    CM_NULL,
    CM_BOOLEAN, /* "true", "false" */
    CM_NUMBER,  /* the digits as they came */
    CM_TEXT,    /* UTF-8; may hold U+0000 */
    CM_JSON     /* an array or object, as JSON; only from gems */
} cm_kind_e;

typedef struct cm_value_t {
    cm_kind_e kind;
    const char *data; /* a NUL follows the SIZE bytes */
    apr_size_t size;
} cm_value_t;

/* Return the value of KIND that TEXT is. */
cm_value_t cm_value_of(cm_kind_e kind, const char *text);

/* Return whether VALUE is text that consists of DIGITS, and is not empty. */
int cm_value_is_digits(cm_value_t value, const char *digits);

/* Compare two canonical values as text; NULL comes before all others. Between
 * equal clocks this decides, in the same way on every node. */
int cm_value_compare(cm_value_t a, cm_value_t b);

/* Return the digits of VALUE, *SIZE of them, when it is {"hex":"00ff"}: bytes
 * that have no type of their own are written like this. NULL: it is not. */
const char *cm_value_hex(apr_size_t *size, cm_value_t value);

/* Return the SIZE / 2 bytes that the SIZE hexadecimal DIGITS stand for, and a
 * NUL behind them. */
char *cm_value_from_hex(const char *digits, apr_size_t size, apr_pool_t *pool);

#endif
