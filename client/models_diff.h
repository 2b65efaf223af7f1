/* What `models --diff` shows: how the catalog and the configuration differ. */
#ifndef MODELS_DIFF_H
#define MODELS_DIFF_H

#include "client.h"

/* Print how PROPOSALS (cm_proposal_t *) differ from the models that are
 * configured: "+" a table that is not a model, "-" a model whose table is gone,
 * "!" one that names a column that is gone, or lacks a reference. Fails as
 * cm_statement_select(). */
cm_error_t *
sync_models_diff(sync_client_t *client,
                 const apr_array_header_t *proposals) CM_UNUSED_RESULT;

#endif
