/* Settings as a configuration file would make them, for the tests of the
 * schema and what stands on it. */
#ifndef TEST_SETTINGS_H
#define TEST_SETTINGS_H

#include <apr_strings.h>

#include "config/settings.h"
#include "store/store.h"

/* Return the settings of a node called "here", without peers and models. */
cm_settings_t *settings_make(apr_pool_t *pool);

/* Add a peer by its name alone. */
void settings_add_peer(cm_settings_t *settings, const char *name,
                       apr_pool_t *pool);

/* Add a model that is sent and received: NAME in TABLE with the columns KEY,
 * separated by commas. */
cm_model_t *settings_add_model(cm_settings_t *settings, const char *name,
                               const char *table, const char *key,
                               apr_pool_t *pool);

/* Run migrate on STORE and drop what it prints; settings_migrate() expects it
 * to succeed. */
cm_error_t *settings_try_to_migrate(cm_store_t *store,
                                    const cm_settings_t *settings,
                                    apr_pool_t *pool);
void settings_migrate(cm_store_t *store, const cm_settings_t *settings,
                      apr_pool_t *pool);

/* The same without triggers: the models' tables may be made later. */
void settings_migrate_quietly(cm_store_t *store, cm_settings_t *settings,
                              apr_pool_t *pool);

#endif
