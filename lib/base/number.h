/* Numbers as text: decimals of any length, integers within a range, and the
 * shortest text of a floating point number. */
#ifndef CM_BASE_NUMBER_H
#define CM_BASE_NUMBER_H

#include "base/error.h"

/* Room for the digits of any integer. */
#define CM_NUMBER_ROOM 24

/* Return NUMBER as text, at the end of ROOM. */
const char *cm_number_text(char room[CM_NUMBER_ROOM], apr_int64_t number);

/* Return NUMBER for people: "1,203". */
const char *cm_number_grouped(apr_int64_t number, apr_pool_t *pool);

/* Return COUNT of what THING names: "1 message", "1,203 messages". */
const char *cm_number_of(apr_int64_t count, const char *thing,
                         apr_pool_t *pool);

/* A decimal number: digits without leading zeros ("" is zero); the last SCALE
 * of them are behind the point. */
typedef struct cm_decimal_t {
    int negative;
    const char *digits;
    int count, scale;
} cm_decimal_t;

/* Read TEXT ("12.30", "-1e3", " 7"); returns 0 when it is not a number, or has
 * more than 150,000 digits. */
int cm_number_decimal_read(cm_decimal_t *decimal, const char *text,
                           apr_size_t size, apr_pool_t *pool);

/* Return how many digits behind the point DECIMAL needs. */
int cm_number_decimal_scale(const cm_decimal_t *decimal);

/* Return DECIMAL without exponent and with SCALE digits behind the point, which
 * must be enough of them. */
const char *cm_number_decimal_text(const cm_decimal_t *decimal, int scale,
                                   apr_pool_t *pool);

/* Return whether the whole number DECIMAL fits an integer of BYTES bytes. */
int cm_number_decimal_fits(const cm_decimal_t *decimal, int bytes,
                           int is_unsigned, apr_pool_t *pool);

/* Return the shortest text that reads back as the same number, of 4 or 8
 * BYTES: "0.1", "1e+20", "NaN", "Infinity". NULL: TEXT is not a number. */
const char *cm_number_float_text(const char *text, int bytes, apr_pool_t *pool);

/* Return whether 4 bytes hold the number in TEXT exactly. */
int cm_number_float_is_single(const char *text);

/* Read TEXT as a whole number from 0 to MOST: only digits, as peers write
 * numbers outside of JSON. Returns 0 when it is something else. */
int cm_number_read(apr_int64_t *number, const char *text, apr_int64_t most);

/* Set *DIGITS to 32 random hexadecimal digits. Fails with CM_UNAVAILABLE. */
cm_error_t *cm_number_random(const char **digits,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
