/* Read JSON strictly (RFC 8259), in one pass; numbers keep their digits.
 *
 * json-c accepts single quotes, NaN, duplicate keys and lone surrogates, and
 * changes large integers. What comes from a peer, or is compared between
 * databases, must have none of that. A reader is a cursor: open a container,
 * ask for the next member until there is none, read its value. */
#ifndef CM_BASE_JSON_H
#define CM_BASE_JSON_H

#include "base/error.h"
#include "base/value.h"

/* How deep arrays and objects may be nested: MariaDB's own limit. */
#define CM_JSON_DEPTH 32

typedef struct cm_json_t {
    const char *at, *begin, *end;
    int depth;
    const char *problem; /* NULL: none yet; nothing is read after one */
    apr_pool_t *pool;
} cm_json_t;

/* Begin to read TEXT; values are made in POOL. */
void cm_json_init(cm_json_t *json, const char *text, apr_size_t size,
                  apr_pool_t *pool);

/* Step into the array ('[') or object ('{') that must come next. Returns 0 when
 * there is something else. */
int cm_json_open(cm_json_t *json, char bracket);

/* Return whether the container that CLOSE (']' or '}') ends has another element
 * or member; if not, step out of it. *COUNT, 0 at first, counts them. */
int cm_json_next(cm_json_t *json, char close, int *count);

/* Read the name of a member and its colon. Returns 0 on failure. */
int cm_json_name(cm_json_t *json, cm_value_t *name);

/* Read any value: text is decoded, numbers keep their digits, arrays and
 * objects stay JSON. Returns 0 on failure. */
int cm_json_value(cm_json_t *json, cm_value_t *value);

/* Skip any value; *START and *SIZE (may be NULL) say where it was. */
int cm_json_skip(cm_json_t *json, const char **start, apr_size_t *size);

/* Return the first character of the next value ('{', '[', '"', 't', '1' ...),
 * or 0. */
char cm_json_peek(cm_json_t *json);

/* Return whether all was read without a problem, and only white space is left.
 */
int cm_json_done(cm_json_t *json);

/* Return the reader's problem as CM_MALFORMED: "WHAT: problem at byte N". */
cm_error_t *cm_json_error(const cm_json_t *json, const char *what,
                          apr_pool_t *pool);

/* Return the first character from AT on that is not ASCII, or is a quote, a
 * backslash or a control character. */
const char *cm_json_text_plain_end(const char *at, const char *end);

/* Check the string that begins at AT, behind its quote, and return where it
 * ends, behind its quote. *ESCAPED: whether it must be decoded. When the string
 * is wrong, *PROBLEM says why. */
const char *cm_json_text_end(const char *at, const char *end, int *escaped,
                             const char **problem);

/* Decode the checked string between AT and END into VALUE. */
void cm_json_text_decode(cm_value_t *value, const char *at, const char *end,
                         apr_pool_t *pool);

/* Read VALUE as an integer; "10", 10 and 10.0 are the same. Returns 0 when it
 * is not an integer of 63 bits. */
int cm_json_integer(apr_int64_t *number, const cm_value_t *value);

#endif
