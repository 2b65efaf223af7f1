/* The row filter: which records leave this node (where= of a model).
 *
 * It is asked when a change gets its number, of the row as it is then: what the
 * triggers write does not depend on it, and a condition that fails cannot stop
 * the application. Whoever reads a row to send it asks in the same statement.
 *
 * A record that cannot be without its parent (the reference is NOT NULL) leaves
 * only where the parent does, or is known to peers already. */
#ifndef CM_OUTBOX_FILTER_H
#define CM_OUTBOX_FILTER_H

#include "node/node.h"

/* A row that is here. */
typedef struct cm_filter_row_t {
    int inside;                /* it matches */
    int orphan;                /* it does, but needs a parent that is gone, and
                                  peers do not know the record of its key */
    int failed;                /* the condition fails for it: not inside */
    const cm_datum_t *capture; /* of one inside: its raw form, if wanted */
} cm_filter_row_t;

/* Return whether the condition of MODEL, if this node has one, names COLUMN. */
int cm_filter_names(const cm_model_t *model, const char *column);

/* Return whether a record of MODEL may leave for one value of COLUMN and stay
 * for another: the condition names it, or it must refer to a record, and those
 * may stay here. */
int cm_filter_depends(const cm_node_t *node, const cm_model_t *model,
                      const cm_column_t *column);

/* *APPLIES: records of MODEL may have to stay here. Fails as cm_node_table().
 */
cm_error_t *cm_filter_applies(int *applies, cm_node_t *node,
                              const cm_model_t *model,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give *SQL: the row "t" of the table of MODEL leaves, as cm_filter_find() says
 * it; NULL: no filter applies to MODEL. If the condition fails for one row, so
 * does a statement with this. Fails as cm_node_table(). */
cm_error_t *cm_filter_sql(const char **sql, cm_node_t *node,
                          const cm_model_t *model,
                          apr_pool_t *pool) CM_UNUSED_RESULT;

/* Find which of LOCAL_IDS (const char *) of MODEL, to which a filter applies,
 * are here: *FOUND: local id -> cm_filter_row_t *. CAPTURE: give their raw
 * form, too. CHANGES: those that are being numbered, see known.h; NULL: none
 * are. If a record is outside only because of its parent, that is noted as
 * missing (missing.h). Fails as cm_node_table() and cm_statement_select(); but
 * a condition that fails for some rows only is no failure. */
cm_error_t *cm_filter_find(apr_hash_t **found, cm_node_t *node,
                           const cm_model_t *model,
                           const apr_array_header_t *local_ids, int capture,
                           apr_hash_t *changes,
                           apr_pool_t *result_pool) CM_UNUSED_RESULT;

#endif
