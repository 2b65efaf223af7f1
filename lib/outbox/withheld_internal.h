/* What the files of cm_withheld share. */
#ifndef CM_OUTBOX_WITHHELD_INTERNAL_H
#define CM_OUTBOX_WITHHELD_INTERNAL_H

#include "outbox/withheld.h"

/* Return the numbers in the first column of ROWS: apr_int64_t. */
apr_array_header_t *cm_withheld_numbers(const cm_rows_t *rows,
                                        apr_pool_t *pool);

/* End the rows of PEER whose numbers stand in the first column of ROWS. */
cm_error_t *cm_withheld_end(cm_node_t *node, const char *peer,
                            const cm_rows_t *rows,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
