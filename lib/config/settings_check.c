/* Checks that need more than one line of the configuration. */
#include "config/settings.h"

#include <string.h>

#include <apr_strings.h>

/* Make CAUSE an error of the line at PLACE. */
static cm_error_t *at(cm_place_t place, const cm_error_t *cause,
                      apr_pool_t *pool)
{
    return cm_error_make(pool, CM_CONFIG, cause, __FILE__, __LINE__,
                         "Syntax error on line %d of %s", place.line,
                         place.file);
}

/* Fail because WHAT at PLACE was declared at EARLIER, too. */
static cm_error_t *twice(const char *what, cm_place_t place, cm_place_t earlier,
                         apr_pool_t *pool)
{
    return at(place,
              CM_FAIL(pool, CM_CONFIG,
                      "%s is declared twice (first on line %d of %s)", what,
                      earlier.line, earlier.file),
              pool);
}

/* Compare PEER with OTHER, declared before it. */
static cm_error_t *check_peers(const cm_peer_settings_t *peer,
                               const cm_peer_settings_t *other,
                               apr_pool_t *pool)
{
    if (!strcmp(peer->name, other->name))
        return twice(apr_psprintf(pool, "peer '%s'", peer->name), peer->place,
                     other->place, pool);
    if (!peer->uri && !other->uri && peer->user && other->user &&
        !strcmp(peer->user, other->user))
        return at(peer->place,
                  CM_FAIL(pool, CM_CONFIG,
                          "peers '%s' and '%s' log in as the same user '%s'",
                          other->name, peer->name, peer->user),
                  pool);
    return NULL;
}

static cm_error_t *check_peer(const cm_settings_t *settings, int index,
                              apr_pool_t *pool)
{
    const cm_peer_settings_t *peer =
        APR_ARRAY_IDX(settings->peers, index, const cm_peer_settings_t *);
    int i;

    if (!strcmp(peer->name, settings->name))
        return at(peer->place,
                  CM_FAIL(pool, CM_CONFIG,
                          "peer '%s' has the name of this node", peer->name),
                  pool);
    for (i = 0; i < index; i++)
        CM_TRY(check_peers(
            peer, APR_ARRAY_IDX(settings->peers, i, const cm_peer_settings_t *),
            pool));
    return NULL;
}

/* Compare MODEL with OTHER, declared before it. */
static cm_error_t *check_models(const cm_model_t *model,
                                const cm_model_t *other, apr_pool_t *pool)
{
    const char *shared = !strcmp(model->table, other->table) ? "table" : "type";

    if (!strcmp(model->name, other->name))
        return twice(apr_psprintf(pool, "model '%s'", model->name),
                     model->place, other->place, pool);
    if (!strcmp(model->table, other->table) ||
        !strcmp(model->type, other->type))
        return at(model->place,
                  CM_FAIL(pool, CM_CONFIG,
                          "models '%s' and '%s' share the %s '%s'", other->name,
                          model->name, shared,
                          *shared == 't' && shared[1] == 'a' ? model->table
                                                             : model->type),
                  pool);
    return NULL;
}

/* Check that the models and the node that MODEL names are declared. */
static cm_error_t *check_names(const cm_settings_t *settings,
                               const cm_model_t *model, apr_pool_t *pool)
{
    const cm_reference_t *reference;
    int i;

    for (i = 0; i < model->references->nelts; i++) {
        reference = &APR_ARRAY_IDX(model->references, i, cm_reference_t);
        if (!cm_settings_model(settings, reference->model))
            return CM_FAIL(pool, CM_CONFIG,
                           "references=%s:%s names a model that is not "
                           "declared",
                           reference->column, reference->model);
    }
    if (model->conflict == CM_CONFLICT_NODE &&
        strcmp(model->conflict_node, settings->name) &&
        !cm_settings_peer(settings, model->conflict_node))
        return CM_FAIL(pool, CM_CONFIG,
                       "conflict=%s is neither a peer nor this node ('%s')",
                       model->conflict_node, settings->name);
    return NULL;
}

static cm_error_t *check_model(const cm_settings_t *settings, int index,
                               apr_pool_t *pool)
{
    const cm_model_t *model =
        APR_ARRAY_IDX(settings->models, index, const cm_model_t *);
    cm_error_t *err = check_names(settings, model, pool);
    int i;

    if (err)
        return at(model->place,
                  cm_error_make(pool, CM_CONFIG, err, __FILE__, __LINE__,
                                "model '%s'", model->name),
                  pool);
    for (i = 0; i < index; i++)
        CM_TRY(check_models(
            model, APR_ARRAY_IDX(settings->models, i, const cm_model_t *),
            pool));
    return NULL;
}

cm_error_t *cm_settings_check(const cm_settings_t *settings, apr_pool_t *pool)
{
    int i;

    if (!settings->name)
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG, "CommunicatorName is missing"), pool,
            "give this node a name: CommunicatorName NAME");
    for (i = 0; i < settings->peers->nelts; i++)
        CM_TRY(check_peer(settings, i, pool));
    for (i = 0; i < settings->models->nelts; i++)
        CM_TRY(check_model(settings, i, pool));
    return NULL;
}
