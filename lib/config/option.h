/* The words of a directive that carry a value: key=value pairs of peers and
 * models, and the kinds of values. Every failure is CM_CONFIG and names the
 * bad word and what is known. */
#ifndef CM_CONFIG_OPTION_H
#define CM_CONFIG_OPTION_H

#include <apr_tables.h>
#include <apr_time.h>

#include "base/error.h"

/* One key: what takes its value into TARGET. */
typedef struct cm_option_t {
    const char *key;
    cm_error_t *(*take)(void *target, const char *value, apr_pool_t *pool);
} cm_option_t;

/* Take COUNT WORDS, each "key=value" of a key in OPTIONS (which ends with a
 * NULL key), into TARGET; no key twice, no value empty. */
cm_error_t *cm_option_take(void *target, const cm_option_t *options, int count,
                           const char *const *words,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Set *CHOICE to the index of VALUE, in any case, in NAMES (ends with NULL). */
cm_error_t *cm_option_choice(int *choice, const char *value,
                             const char *const *names,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append the parts of VALUE between commas to LIST (const char *). */
cm_error_t *cm_option_list(apr_array_header_t *list, const char *value,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read a whole number from LEAST to MOST. */
cm_error_t *cm_option_number(int *number, const char *value, int least,
                             int most, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read a size in bytes, with K, M or G for 1024, 1024^2, 1024^3 of them. */
cm_error_t *cm_option_size(apr_int64_t *bytes, const char *value,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read a time: a number and ms, s, min, h, d or w. Only 0 needs no unit: of any
 * other number nobody knows what it means. */
cm_error_t *cm_option_time(apr_interval_time_t *interval, const char *value,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return whether NAME is one or more of [A-Za-z0-9._-]: a node's name. */
int cm_option_is_node_name(const char *name);

/* Return whether NAME is [a-z][a-z0-9_]*: a model's name. */
int cm_option_is_model_name(const char *name);

#endif
