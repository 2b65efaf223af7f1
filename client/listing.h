/* Listings: rows of structs, as a table for people and as JSON. One description
 * of the columns serves both. */
#ifndef LISTING_H
#define LISTING_H

#include <stddef.h>

#include <apr_tables.h>

#include "output.h"

typedef enum sync_field_e {
    SYNC_FIELD_TEXT,    /* const char *, or NULL */
    SYNC_FIELD_NUMBER,  /* apr_int64_t */
    SYNC_FIELD_COUNT,   /* apr_int64_t: 1,234 in the table */
    SYNC_FIELD_AGE,     /* apr_int64_t, a clock: how long ago */
    SYNC_FIELD_MOMENT,  /* apr_int64_t, a clock: date and time */
    SYNC_FIELD_SPAN,    /* apr_int64_t, microseconds: how long */
    SYNC_FIELD_INT,     /* int */
    SYNC_FIELD_TRUTH,   /* int */
    SYNC_FIELD_RECORD,  /* cm_identity_t: ORIGIN/ID, or "" */
    SYNC_FIELD_COMPUTED /* what .cell returns, also in the JSON */
} sync_field_e;

typedef struct sync_column_t {
    const char *title; /* in the table; NULL: in the JSON only */
    const char *key;   /* in the JSON; NULL: in the table only */
    sync_field_e kind;
    apr_size_t offset; /* of the field in the row */
    const char *none;  /* the cell for NULL or 0; NULL: "" or "0" */
    int most;          /* characters of the cell; 0: all of them */
    /* Returns the cell of ROW, when it is not simply the field. */
    const char *(*cell)(const void *row, apr_pool_t *pool);
} sync_column_t;

/* The beginning of a column: its field in TYPE. */
#define SYNC_COLUMN(title_, key_, kind_, type_, field_)                        \
    .title = title_, .key = key_, .kind = SYNC_FIELD_##kind_,                  \
    .offset = offsetof(type_, field_)

/* The end of the columns. */
#define SYNC_COLUMN_END                                                        \
    {                                                                          \
        .title = NULL                                                          \
    }

/* Print ROWS, an array of structs, as a table with a heading. */
void sync_listing_table(const sync_output_t *output,
                        const sync_column_t *columns,
                        const apr_array_header_t *rows, apr_pool_t *pool);

/* Add ROWS to the JSON array LIST, an object each; returns LIST. */
struct json_object *sync_listing_json(struct json_object *list,
                                      const sync_column_t *columns,
                                      const apr_array_header_t *rows,
                                      apr_pool_t *pool);

#endif
