/* Reading JSON strictly (RFC 8259), in one pass, number by its digits.
 *
 * json-c takes single quotes, NaN, keys that stand twice and lone surrogates,
 * and saturates large integers; what comes from a peer and what is compared
 * between databases may have none of that. A reader is a cursor: open a
 * container, ask for the next member until there is none, read its value. */
#ifndef CM_BASE_JSON_H
#define CM_BASE_JSON_H

#include "base/error.h"
#include "base/value.h"

/* Levels of arrays and objects within each other, MariaDB's own limit. */
#define CM_JSON_DEPTH 32

typedef struct cm_json_t {
    const char *at, *begin, *end;
    int depth;
    const char *problem; /* NULL while all is well; nothing is read after */
    apr_pool_t *pool;
} cm_json_t;

/* Begin to read TEXT; values are made in POOL. */
void cm_json_init(cm_json_t *json, const char *text, apr_size_t size,
                  apr_pool_t *pool);

/* Step into the array ('[') or object ('{') that must come. Returns 0 when
 * something else does. */
int cm_json_open(cm_json_t *json, char bracket);

/* Return whether there is another element or member in the container that
 * CLOSE (']' or '}') ends; when not, it is left. *COUNT, 0 at first, counts
 * them. */
int cm_json_next(cm_json_t *json, char close, int *count);

/* Read the name of a member and its colon. Returns 0 on failure. */
int cm_json_name(cm_json_t *json, cm_value_t *name);

/* Read any value: text decoded, numbers with their digits, arrays and objects
 * as the JSON that they are. Returns 0 on failure. */
int cm_json_value(cm_json_t *json, cm_value_t *value);

/* Pass over any value; *START and *SIZE (may be NULL) say where it stood. */
int cm_json_skip(cm_json_t *json, const char **start, apr_size_t *size);

/* Return what the next value is ('{', '[', '"', 't', '1' ...), or 0. */
char cm_json_peek(cm_json_t *json);

/* Return whether all was read without a problem: only white space is left. */
int cm_json_done(cm_json_t *json);

/* Return the reader's problem as CM_MALFORMED: "WHAT: problem at byte N". */
cm_error_t *cm_json_error(const cm_json_t *json, const char *what,
                          apr_pool_t *pool);

/* Return where the characters from AT on end that stand for themselves in a
 * string: ASCII that is no quote, backslash or control character. */
const char *cm_json_text_plain_end(const char *at, const char *end);

/* Check the string at AT (behind its quote) and return where it ends (behind
 * its quote); *ESCAPED says whether it must be decoded. Where it is wrong
 * *PROBLEM says why. */
const char *cm_json_text_end(const char *at, const char *end, int *escaped,
                             const char **problem);

/* Decode the checked string between AT and END into VALUE. */
void cm_json_text_decode(cm_value_t *value, const char *at, const char *end,
                         apr_pool_t *pool);

/* Read the digits of VALUE as an integer: "10", 10 and 10.0 alike. Returns 0
 * when it is none or beyond 63 bits. */
int cm_json_integer(apr_int64_t *number, const cm_value_t *value);

#endif
