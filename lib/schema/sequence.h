/* The sequences that give columns of a table their numbers. PostgreSQL's do not
 * notice numbers that are written: they have to follow them. The other
 * databases give the next number behind the highest one by themselves, so they
 * have no sequences here. */
#ifndef CM_SCHEMA_SEQUENCE_H
#define CM_SCHEMA_SEQUENCE_H

#include "schema/table.h"

typedef struct cm_sequence_t {
    const char *column; /* gets its numbers */
    const char *name;   /* as SQL has it */
    const char *id;     /* in the catalog */
    const char *user;   /* who is logged in, and */
    int may_set;        /* has the right UPDATE, */
    int may_read;       /* or SELECT */
    int indexed;        /* an index finds the highest number of the column */
    apr_int64_t ahead;  /* it gives no number up to this one, as far as we know:
                           the caller remembers that */
} cm_sequence_t;

/* List the sequences of the table of MODEL: cm_sequence_t. Fails as
 * cm_statement_select(). */
cm_error_t *cm_sequence_list(apr_array_header_t **list, cm_store_t *store,
                             const cm_model_t *model,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Let SEQUENCE give only numbers above NUMBER, and of its own steps (every
 * second one, for example). It never goes back, and others may count
 * meanwhile. It stays so even if the transaction is rolled back. One that has
 * no number above NUMBER stays as it is. *REFUSED: the login may not move it,
 * or only a little. Fails as cm_statement_select(). */
cm_error_t *cm_sequence_follow(int *refused, cm_store_t *store,
                               const cm_sequence_t *sequence,
                               apr_int64_t number,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* A sequence that will give numbers that are taken, perhaps. */
typedef struct cm_behind_t {
    cm_sequence_t sequence;
    apr_int64_t last;    /* the last number that it has given */
    apr_int64_t highest; /* the highest number of its column */
} cm_behind_t;

/* List those of TABLE: cm_behind_t. One that cannot be read, or where only a
 * scan of the table finds the highest number, is left out. Fails as
 * cm_statement_select(). */
cm_error_t *cm_sequence_behind(apr_array_header_t **list, cm_store_t *store,
                               const cm_table_t *table,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return a sentence about BEHIND. */
const char *cm_sequence_text(const cm_behind_t *behind, apr_pool_t *pool);

/* Return what lets SEQUENCE follow. */
const char *cm_sequence_remedy(const cm_sequence_t *sequence, apr_pool_t *pool);

#endif
