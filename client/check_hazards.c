/* check: what may make the two sides differ, and is not in the columns. */
#include "check_catalog.h"

#include <apr_strings.h>

/* A dump takes the triggers to a server that may not have their user. */
static void check_definer(sync_check_catalog_t *on,
                          const cm_catalog_hazard_t *hazard)
{
    apr_pool_t *pool = on->check->client->pool;

    if (hazard->body)
        sync_check_catalog_warn(
            on, "communicator-sync migrate",
            apr_psprintf(pool,
                         "the triggers have the rights of the user '%s', who "
                         "is not here: the application cannot write",
                         hazard->name));
    else
        sync_check_catalog_tell(
            on,
            apr_psprintf(pool,
                         "communicator-sync migrate --drop-triggers %s, then "
                         "migrate",
                         on->model->name),
            apr_psprintf(pool,
                         "the triggers have the rights of the user '%s': if "
                         "there is none, the application cannot write",
                         hazard->name));
}

static void check_hazard(sync_check_catalog_t *on,
                         const cm_catalog_hazard_t *hazard)
{
    apr_pool_t *pool = on->check->client->pool;

    switch (hazard->kind) {
    case CM_HAZARD_SECURITY:
        sync_check_catalog_warn(
            on, apr_psprintf(pool, "ALTER ROLE %s BYPASSRLS", hazard->name),
            apr_psprintf(pool,
                         "row security applies to the user '%s': records that "
                         "it hides are neither found nor changed",
                         hazard->name));
        break;
    case CM_HAZARD_SUBSCRIPTION:
        if (on->model->publishes)
            sync_check_catalog_warn(
                on, "communicator-sync verify --repair sends it",
                "logical replication writes into this table, which no trigger "
                "sees: it is not published");
        break;
    case CM_HAZARD_DEFINER:
        check_definer(on, hazard);
        break;
    case CM_HAZARD_DEFERRABLE:
        sync_check_catalog_tell(
            on, NULL,
            apr_psprintf(pool,
                         "the constraint '%s' is DEFERRABLE: a record whose "
                         "key changes is sent as a delete and a new record",
                         hazard->name));
        break;
    case CM_HAZARD_ON_UPDATE:
        if (cm_settings_model_carries(on->model, hazard->name))
            sync_check_catalog_tell(
                on,
                apr_psprintf(pool, "let each side have its own: except=%s",
                             hazard->name),
                apr_psprintf(pool,
                             "every update sets '%s': it counts as a conflict "
                             "when both sides change one record",
                             hazard->name));
        break;
    default:
        break;
    }
}

void sync_check_hazards(sync_check_catalog_t *on)
{
    const apr_array_header_t *hazards = on->table->hazards;
    int i;

    for (i = 0; i < hazards->nelts; i++)
        check_hazard(on, &APR_ARRAY_IDX(hazards, i, cm_catalog_hazard_t));
}
