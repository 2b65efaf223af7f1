/* Tables of the gem that are not upgraded yet: which gem was it? */
#ifndef CM_SCHEMA_GEM_TABLES_H
#define CM_SCHEMA_GEM_TABLES_H

#include "store/store.h"

typedef enum cm_gem_tables_e {
    CM_GEM_TABLES_NONE,    /* there are none, or they are upgraded */
    CM_GEM_TABLES_NAMED,   /* records have names: origin, original_id */
    CM_GEM_TABLES_NAMELESS /* of a release like 0.2.3, without names */
} cm_gem_tables_e;

/* Find out which gem's tables are in the database. Fails as
 * cm_statement_section(). */
cm_error_t *cm_gem_tables_find(cm_gem_tables_e *kind, cm_store_t *store,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* What is said of CM_GEM_TABLES_NAMELESS, and what to do. */
#define CM_GEM_TABLES_NAMELESS_TEXT                                            \
    "the gem here was a release like 0.2.3, which knows no names and no "      \
    "mappings of records: nothing tells which records of both sides are the "  \
    "same"
#define CM_GEM_TABLES_NAMELESS_HINT                                            \
    "say that in each CommunicatorModel by match= or keys=shared, and "        \
    "replace both gems at once: \"Coming from the gem\" in the guide"

#endif
