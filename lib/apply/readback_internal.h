/* Comparing the rows of a chunk with what was written into them (readback.c).
 * Only for lib/apply. */
#ifndef CM_APPLY_READBACK_INTERNAL_H
#define CM_APPLY_READBACK_INTERNAL_H

#include "apply/internal.h"

/* What the rows of a chunk held before they were written. */
typedef struct cm_readback_t cm_readback_t;

/* Before CHUNK is written: begin to compare its rows. *READBACK is NULL if the
 * database cannot change what is written there. Fails as the database does. */
cm_error_t *cm_readback_begin(cm_readback_t **readback, cm_run_t *run,
                              const cm_chunk_t *chunk,
                              apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Read back the rows of CHUNK, just written. RUN->altered gets the columns that
 * hold something else. */
cm_error_t *cm_readback_compare(const cm_readback_t *readback, cm_run_t *run,
                                const cm_chunk_t *chunk,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
