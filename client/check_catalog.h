/* What the lines of check about the catalog share: check_catalog.c says what
 * columns and keys mean for the models, check_hazards.c what else may make the
 * sides differ, check_triggers.c what the application's triggers do to them. */
#ifndef CHECK_CATALOG_H
#define CHECK_CATALOG_H

#include "check.h"
#include "schema/catalog.h"

/* A model that is judged, and its table. */
typedef struct sync_check_catalog_t {
    sync_check_t *check;
    const cm_catalog_t *catalog;
    const cm_model_t *model;
    const cm_catalog_table_t *table;
    int warned; /* of any model */
} sync_check_catalog_t;

/* Warn of WHAT, and say what helps (HINT). */
void sync_check_catalog_warn(sync_check_catalog_t *on, const char *hint,
                             const char *what);

/* Tell WHAT, which the sides can live with, and what helps (HINT or NULL). */
void sync_check_catalog_tell(const sync_check_catalog_t *on, const char *hint,
                             const char *what);

/* Return the model of the table NAME, or NULL. */
const cm_model_t *sync_check_catalog_model(const sync_check_catalog_t *on,
                                           const char *name);

/* Name the hazards of the table: cm_catalog_hazard_t. */
void sync_check_hazards(sync_check_catalog_t *on);

/* Warn of triggers that repeat what the peer's trigger has done, or change what
 * is received. */
void sync_check_triggers(sync_check_catalog_t *on);

#endif
