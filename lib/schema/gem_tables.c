/* Tables of the gem: see gem_tables.h. */
#include "schema/gem_tables.h"

/* Find out whether outbound_messages has COLUMN. */
static cm_error_t *has_column(int *there, cm_store_t *store, const char *column,
                              apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text("outbound_messages"),
                                    cm_datum_text(column)};
    cm_rows_t *rows;

    CM_TRY(cm_statement_section(&rows, store, "schema.sql", "column", arguments,
                                2, scratch_pool));
    *there = rows->count > 0;
    return NULL;
}

cm_error_t *cm_gem_tables_find(cm_gem_tables_e *kind, cm_store_t *store,
                               apr_pool_t *scratch_pool)
{
    int is_there, is_upgraded, has_names;

    CM_TRY(has_column(&is_there, store, "body", scratch_pool));
    CM_TRY(has_column(&is_upgraded, store, "seq", scratch_pool));
    CM_TRY(has_column(&has_names, store, "origin", scratch_pool));
    *kind = !is_there || is_upgraded ? CM_GEM_TABLES_NONE
            : has_names              ? CM_GEM_TABLES_NAMED
                                     : CM_GEM_TABLES_NAMELESS;
    return NULL;
}
