/* Whether a table can take part: what migrate refuses and check reports. */
#ifndef CM_SCHEMA_JUDGE_H
#define CM_SCHEMA_JUDGE_H

#include "schema/catalog.h"

/* Something that is wrong with a table. */
typedef struct cm_finding_t {
    int refused;      /* migrate stops; 0: it is a warning only */
    int used;         /* refused, but the table is in use as it is: migrate
                         only warns, check still reports it */
    const char *text; /* what is wrong, a sentence about the table */
    const char *hint; /* what to do, or NULL */
} cm_finding_t;

/* Judge the table of MODEL. *FINDINGS: cm_finding_t, refusals first; empty
 * when all is well. Fails with CM_SCHEMA when the table cannot be read at
 * all (cm_catalog_read()), and when the database cannot be asked. */
cm_error_t *cm_judge_table(apr_array_header_t **findings, cm_store_t *store,
                           const cm_model_t *model,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the first refusal among FINDINGS as an error (CM_SCHEMA), or NULL. */
cm_error_t *cm_judge_error(const apr_array_header_t *findings,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* The same, without those that an existing set-up may keep. */
cm_error_t *cm_judge_new_error(const apr_array_header_t *findings,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
