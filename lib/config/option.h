/* The words of a directive that carry a value: key=value pairs of peers and
 * models, and the kinds of values. Every failure is CM_CONFIG and names the
 * bad word and what is known. */
#ifndef CM_CONFIG_OPTION_H
#define CM_CONFIG_OPTION_H

#include <stddef.h>

#include <apr_tables.h>
#include <apr_time.h>

#include "base/buffer.h"
#include "base/error.h"

typedef enum cm_option_kind_e {
    CM_OPTION_TEXT,  /* const char * */
    CM_OPTION_NODE,  /* const char *: a node's name */
    CM_OPTION_FILE,  /* const char *: a path from / on */
    CM_OPTION_NAMES, /* apr_array_header_t * of const char * */
    CM_OPTION_WORD,  /* int: the place of the word in .words */
    CM_OPTION_SIZE,  /* apr_int64_t: bytes */
    CM_OPTION_TIME,  /* apr_interval_time_t, or .none, whose name is .words */
    CM_OPTION_OWN    /* whatever .take and .print make of it */
} cm_option_kind_e;

/* One value that is written in a directive: how it is read and printed. */
typedef struct cm_option_t {
    const char *key;
    cm_option_kind_e kind;
    apr_size_t offset;        /* of the field in the struct that is filled */
    const char *const *words; /* ends with NULL */
    int quiet;                /* WORD: the first word is not printed */
    apr_interval_time_t none;
    cm_error_t *(*take)(void *target, const char *value, apr_pool_t *pool);
    const char *(*print)(const void *target, apr_pool_t *pool);
} cm_option_t;

/* The beginning of a row: KEY stands for FIELD of TYPE. */
#define CM_OPTION(key_, kind_, type_, field_)                                  \
    .key = key_, .kind = CM_OPTION_##kind_, .offset = offsetof(type_, field_)

/* Take VALUE into TARGET. */
cm_error_t *cm_option_set(void *target, const cm_option_t *option,
                          const char *value, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the value in TARGET as it would be written; NULL: it need not be. */
const char *cm_option_text(const void *target, const cm_option_t *option,
                           apr_pool_t *pool);

/* Take COUNT WORDS, each "key=value" of a key in OPTIONS (which ends with a
 * NULL key), into TARGET; no key twice, no value empty. */
cm_error_t *cm_option_take(void *target, const cm_option_t *options, int count,
                           const char *const *words,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append " key=value" for each of OPTIONS. */
void cm_option_print(cm_buffer_t *out, const void *target,
                     const cm_option_t *options);

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

/* Return whether NAME is one or more of [A-Za-z0-9._-]: a node's name; or copy
 * it, and fail when it is something else. */
int cm_option_is_node_name(const char *name);
cm_error_t *cm_option_node_name(const char **copy, const char *name,
                                apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return whether NAME is [a-z][a-z0-9_]*: a model's name. */
int cm_option_is_model_name(const char *name);

#endif
