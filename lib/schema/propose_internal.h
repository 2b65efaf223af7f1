/* What the files of propose share. */
#ifndef CM_SCHEMA_PROPOSE_INTERNAL_H
#define CM_SCHEMA_PROPOSE_INTERNAL_H

#include "schema/propose.h"

typedef struct cm_proposing_t {
    const cm_settings_t *settings;
    const cm_propose_options_t *options;
    const cm_catalog_t *catalog;
    apr_array_header_t *all; /* cm_proposal_t *, sorted by table */
    apr_pool_t *pool;
} cm_proposing_t;

/* Return proposal I of ALL. */
static inline cm_proposal_t *cm_proposal(const apr_array_header_t *all, int i)
{
    return APR_ARRAY_IDX(all, i, cm_proposal_t *);
}

/* Add a sentence for a person. */
void cm_propose_note(cm_proposal_t *proposal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Return the proposal for the table of that name, or NULL. */
cm_proposal_t *cm_propose_of_table(const cm_proposing_t *proposing,
                                   const char *table);

/* Return the reference that COLUMN is proposed to be, or a part of; SUGGESTED:
 * or is suggested to be. Else NULL. */
const cm_reference_t *cm_propose_references_of(const cm_proposal_t *proposal,
                                               const char *column,
                                               int suggested);

/* Give every proposal the name of its model; no two have the same. */
void cm_propose_names(const cm_proposing_t *proposing);

/* Return the where= of a table of which some rows belong to each host, by its
 * name and columns, and the column *MATCH, which tells its rows apart. NULL: it
 * is not such a table. */
const char *cm_propose_names_filter(const char **match,
                                    const cm_catalog_table_t *table);

/* Return why a table should not be a model by its name and columns, or NULL. */
const char *cm_propose_names_unfit(const cm_catalog_table_t *table);

/* Fill in the references of all proposals, whose keys are known: first those of
 * foreign keys, then what the names of columns suggest. */
void cm_propose_references(const cm_proposing_t *proposing);

#endif
