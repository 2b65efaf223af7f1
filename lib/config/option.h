/* Values in directives: the key=value options of peers and models, and the
 * kinds of values. A table of rows says how they are read and printed. All
 * failures are CM_CONFIG; the message names the bad word and the valid ones. */
#ifndef CM_CONFIG_OPTION_H
#define CM_CONFIG_OPTION_H

#include <stddef.h>

#include <apr_tables.h>
#include <apr_time.h>

#include "base/buffer.h"
#include "base/error.h"

typedef enum cm_option_kind_e {
    CM_OPTION_TEXT,  /* const char *, if .check (may be NULL) accepts it */
    CM_OPTION_NAMES, /* apr_array_header_t * of const char * */
    CM_OPTION_WORD,  /* int: the index of the word in .words */
    CM_OPTION_SIZE,  /* apr_int64_t: bytes */
    CM_OPTION_TIME,  /* apr_interval_time_t; .none is written as .words[0] */
    CM_OPTION_OWN    /* what .take reads and .print prints */
} cm_option_kind_e;

/* One value that is written in a directive: how it is read and printed. */
typedef struct cm_option_t {
    const char *key;
    cm_option_kind_e kind;
    apr_size_t offset;        /* of the field in the struct that is filled */
    const char *const *words; /* ends with NULL */
    int quiet;                /* WORD: the first word is not printed */
    apr_interval_time_t none;
    cm_error_t *(*check)(const char *value, apr_pool_t *pool);
    cm_error_t *(*take)(void *target, const char *value, apr_pool_t *pool);
    const char *(*print)(const void *target, apr_pool_t *pool);
} cm_option_t;

/* The words of an option that is set or not: "no", "yes". */
extern const char *const cm_option_answers[];

/* The beginning of a row: KEY sets FIELD of TYPE. */
#define CM_OPTION(key_, kind_, type_, field_)                                  \
    .key = key_, .kind = CM_OPTION_##kind_, .offset = offsetof(type_, field_)

/* Set the option in TARGET to VALUE. */
cm_error_t *cm_option_set(void *target, const cm_option_t *option,
                          const char *value, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the value in TARGET as it would be written; NULL: it is not printed.
 */
const char *cm_option_text(const void *target, const cm_option_t *option,
                           apr_pool_t *pool);

/* Set in TARGET what COUNT WORDS say, each "key=value" with a key in OPTIONS
 * (which ends with a NULL key). No key may be repeated, no value be empty. */
cm_error_t *cm_option_take(void *target, const cm_option_t *options, int count,
                           const char *const *words,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return WORD in quotes, as the readers of both files take it. */
const char *cm_option_quoted(const char *word, apr_pool_t *pool);

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

/* Read a time: a number and ms, s, min, h, d or w. Only 0 needs no unit. */
cm_error_t *cm_option_time(apr_interval_time_t *interval, const char *value,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return whether NAME is the name of a node, [A-Za-z0-9._-]+, or fail when it
 * is not. */
int cm_option_is_node_name(const char *name);
cm_error_t *cm_option_check_node(const char *name,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail when PATH is relative: it would depend on where the program was started.
 */
cm_error_t *cm_option_check_file(const char *path,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Fail when a quote in VALUE is not closed: only a whole word can be quoted, in
 * httpd, too. */
cm_error_t *cm_option_check_quotes(const char *value,
                                   apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return whether NAME is the name of a model, [a-z][a-z0-9_]*, or several of
 * these with "/" between them, as Rails names the class Blog::Post. */
int cm_option_is_model_name(const char *name);

/* Fail when NAME is not the name of a class, "Post" or "Blog::Post". */
cm_error_t *cm_option_check_class(const char *name,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
