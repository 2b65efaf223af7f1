/* Captured changes that a delete has overtaken.
 *
 * Applying a delete can change other rows: ON DELETE SET NULL, or a trigger of
 * the application. Where the same transaction then deletes these rows too,
 * their captured changes must not be sent. They are numbered after the commit,
 * when the mapping no longer has their local ids, so the deleted records would
 * come back as new ones. */
#ifndef CM_OUTBOX_OVERTAKEN_H
#define CM_OUTBOX_OVERTAKEN_H

#include "node/graves.h"

/* Delete the changes of the records GRAVES (cm_grave_t) that were captured in
 * the open transaction, which has stamped what was committed and then deleted
 * these records. Changes of a row that the application has put back under the
 * same id stay. */
cm_error_t *cm_overtaken_delete(cm_node_t *node,
                                const apr_array_header_t *graves,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
