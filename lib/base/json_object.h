/* Structs as JSON: a table of members describes a struct, and serves both for
 * writing and for reading it.
 *
 *   typedef struct part_t { apr_int64_t count; const char *name; } part_t;
 *
 *   static const cm_json_member_t members[] = {
 *       {CM_JSON_MEMBER("count", NUMBER, part_t, count)},
 *       {CM_JSON_MEMBER("name", TEXT, part_t, name), .needed = 1},
 *       {.name = NULL}};
 *   static const cm_json_object_t part = {.members = members,
 *                                         .size = sizeof(part_t)};
 *
 * Whatever a peer sends can be read safely: lists and numbers are bounded, and
 * unknown members are skipped. */
#ifndef CM_BASE_JSON_OBJECT_H
#define CM_BASE_JSON_OBJECT_H

#include <stddef.h>

#include <apr_tables.h>

#include "base/buffer.h"
#include "base/json.h"

/* Greater numbers are refused, so that the sum of two does not overflow. */
#define CM_JSON_NUMBER_MAX (APR_INT64_C(1) << 60)

typedef enum cm_json_kind_e {
    CM_JSON_TEXT,   /* const char *; NULL: left out (in a list: null) */
    CM_JSON_NUMBER, /* apr_int64_t, from .least on */
    CM_JSON_FLAG,   /* int: 0 or 1 */
    CM_JSON_WORD,   /* an enum: the index of the text in .words */
    CM_JSON_STRUCT, /* a pointer to an .object; NULL: left out */
    CM_JSON_LIST,   /* apr_array_header_t * of .object; NULL: left out */
    CM_JSON_OWN     /* what .own writes and reads */
} cm_json_kind_e;

/* Any other kind. BATON: the caller's of writing or reading. */
typedef struct cm_json_own_t {
    /* Write FIELD as the member NAME, or nothing. */
    void (*write)(cm_buffer_t *json, const char *name, const void *field,
                  const void *baton);
    /* Read the value into FIELD. Returns 0 when it is wrong. */
    int (*read)(void *field, cm_json_t *json, const void *baton);
} cm_json_own_t;

typedef struct cm_json_member_t {
    const char *name; /* NULL: the end of the table */
    cm_json_kind_e kind;
    apr_size_t offset;
    int needed; /* TEXT: reading fails when it is missing or null. WORD: reading
                   fails when it is not one of .words; else it is the first */
    int least;
    const char *const *words;              /* the last one is NULL */
    const struct cm_json_object_t *object; /* of the struct or the elements */
    int most;                              /* elements that are read */
    const cm_json_own_t *own;
} cm_json_member_t;

/* The beginning of a row: the member NAME is FIELD of TYPE. */
#define CM_JSON_MEMBER(name_, kind_, type_, field_)                            \
    .name = name_, .kind = CM_JSON_##kind_, .offset = offsetof(type_, field_)

typedef enum cm_json_form_e {
    CM_JSON_MEMBERS, /* {"name":..,"name":..} */
    CM_JSON_TUPLE,   /* [..,..]: the members in their order, all of them */
    CM_JSON_PLAIN    /* the value of the only member */
} cm_json_form_e;

typedef struct cm_json_object_t {
    const cm_json_member_t *members;
    apr_size_t size; /* of the struct */
    cm_json_form_e form;
    void (*begin)(void *object, apr_pool_t *pool); /* sets defaults that are
                                                      not 0 */
} cm_json_object_t;

/* Write OBJECT as the member NAME (NULL: an element, or all there is). */
void cm_json_object_write(cm_buffer_t *json, const char *name,
                          const cm_json_object_t *type, const void *object,
                          const void *baton);

/* Read the next value into *OBJECT, made in the reader's pool. Returns 0 when
 * it does not fit TYPE. */
int cm_json_object_read(void **object, cm_json_t *json,
                        const cm_json_object_t *type, const void *baton);

/* Read TEXT, all of it. Fails with CM_MALFORMED: "WHAT cannot be read". */
cm_error_t *cm_json_object_read_text(void **object,
                                     const cm_json_object_t *type,
                                     const char *text, apr_size_t size,
                                     const char *what, const void *baton,
                                     apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read a text without U+0000 (null: NULL), or a number from 0 to
 * CM_JSON_NUMBER_MAX. Return 0 when it is something else. */
int cm_json_object_read_string(const char **text, cm_json_t *json);
int cm_json_object_read_number(apr_int64_t *number, cm_json_t *json);

#endif
