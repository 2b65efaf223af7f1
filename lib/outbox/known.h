/* Which records peers know, in SQL.
 *
 * The mappings say so, as they were before the changes that are being numbered.
 * What these do to keys, the mappings learn only afterwards: a key of a record
 * that is deleted, or gets another one, may belong to a record that nobody
 * knows. */
#ifndef CM_OUTBOX_KNOWN_H
#define CM_OUTBOX_KNOWN_H

#include "node/node.h"

/* What changes that are being numbered do to the keys of one model: ids
 * (apr_int64_t) of their rows in outbound_messages. */
typedef struct cm_known_t {
    apr_array_header_t *ended; /* their records have their keys no more: of an
                                  update the former one, else the key itself */
    apr_array_header_t *moved; /* records that peers know have got their keys */
} cm_known_t;

/* Give *SQL: peers know the record of MODEL whose key is COLUMN, and as text
 * ID. CHANGES: what is being numbered, name of the model -> cm_known_t; NULL:
 * nothing. Fails as cm_node_records(). */
cm_error_t *cm_known_sql(const char **sql, cm_node_t *node,
                         const cm_model_t *model, const char *column,
                         const char *id, apr_hash_t *changes,
                         apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
