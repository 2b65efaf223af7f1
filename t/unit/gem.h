/* Databases as the Ruby gem leaves them. */
#ifndef TEST_GEM_H
#define TEST_GEM_H

#include "database.h"
#include "settings.h"
#include "tap.h"

/* Make the tables of the gem; OLD: before it had mappings. On MariaDB one of
 * them is of an engine and a character set of its time. */
void gem_make(cm_store_t *store, int old, apr_pool_t *pool);

/* Drop all tables that migrate has made of these. */
void gem_drop_upgraded(cm_store_t *store);

/* Put the one table of mappings of earlier versions back, empty, instead of the
 * tables of records. */
void gem_old_mappings(cm_store_t *store, apr_pool_t *pool);

/* Return the settings of a node whose only peer is "facade". */
cm_settings_t *gem_settings(apr_pool_t *pool);

#endif
