/* Checks of the settings that need more than one line: see settings.h. */
#include "config/settings.h"

#include <string.h>

#include <apr_strings.h>

#include "config/key.h"

/* Fail because WHAT was declared at EARLIER, too. */
static cm_error_t *twice(const char *what, cm_place_t earlier, apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_CONFIG,
                   "%s is declared twice (first on line %d of %s)", what,
                   earlier.line, earlier.file);
}

/* Compare PEER with OTHER, which was declared before it. */
static cm_error_t *compare_peers(const cm_peer_settings_t *peer,
                                 const cm_peer_settings_t *other,
                                 apr_pool_t *pool)
{
    if (!strcmp(peer->name, other->name))
        return twice(apr_psprintf(pool, "peer '%s'", peer->name), other->place,
                     pool);
    if (!peer->uri && !other->uri && peer->user && other->user &&
        !strcmp(peer->user, other->user))
        return CM_FAIL(pool, CM_CONFIG,
                       "peers '%s' and '%s' log in as the same user '%s'",
                       other->name, peer->name, peer->user);
    return NULL;
}

static cm_error_t *check_peer(const cm_settings_t *settings, int index,
                              apr_pool_t *pool)
{
    const apr_array_header_t *peers = settings->peers;
    const cm_peer_settings_t *peer =
        APR_ARRAY_IDX(peers, index, const cm_peer_settings_t *);
    int i;

    if (!strcmp(peer->name, settings->name))
        return CM_FAIL(pool, CM_CONFIG, "peer '%s' has the name of this node",
                       peer->name);
    for (i = 0; i < index; i++)
        CM_TRY(compare_peers(
            peer, APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *), pool));
    return NULL;
}

/* Compare MODEL with OTHER, which was declared before it. */
static cm_error_t *compare_models(const cm_model_t *model,
                                  const cm_model_t *other, apr_pool_t *pool)
{
    int same_table = !strcmp(model->table, other->table);

    if (!strcmp(model->name, other->name))
        return twice(apr_psprintf(pool, "model '%s'", model->name),
                     other->place, pool);
    if (same_table || !strcmp(model->type, other->type))
        return CM_FAIL(pool, CM_CONFIG,
                       "models '%s' and '%s' share the %s '%s'", other->name,
                       model->name, same_table ? "table" : "class",
                       same_table ? model->table : model->type);
    return NULL;
}

/* Return whether COLUMNS have only the id of REFERENCE, which means a record
 * only beside its type. */
static int needs(const apr_array_header_t *columns,
                 const cm_reference_t *reference)
{
    return cm_settings_has_name(columns, reference->column) &&
           !cm_settings_has_name(columns, reference->type);
}

static cm_error_t *half(const char *option, const cm_reference_t *reference,
                        apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_CONFIG,
                   "%s= names '%s' without '%s', which says what it refers to",
                   option, reference->column, reference->type);
}

/* Check the column that names the model of REFERENCE. Both are one value, so
 * both are carried, and no other reference has that column. */
static cm_error_t *check_type(const cm_model_t *model,
                              const cm_reference_t *reference, apr_pool_t *pool)
{
    const char *type = reference->type;
    int i, others = 0;

    for (i = 0; i < model->columns.references->nelts; i++) {
        const cm_reference_t *other =
            &APR_ARRAY_IDX(model->columns.references, i, cm_reference_t);

        others += !strcmp(other->column, type) ||
                  (other->type && !strcmp(other->type, type));
    }
    if (others > 1)
        return CM_FAIL(pool, CM_CONFIG, "references= names '%s' twice", type);
    if (needs(model->columns.key, reference))
        return half("key", reference, pool);
    if (needs(model->columns.match, reference))
        return half("match", reference, pool);
    if (cm_settings_model_carries(model, reference->column) ==
        cm_settings_model_carries(model, type))
        return NULL;
    return CM_FAIL(pool, CM_CONFIG,
                   "references=%s:{%s} names two columns of which only one "
                   "is carried",
                   reference->column, type);
}

/* Check that the models and the node that MODEL names are declared. */
static cm_error_t *check_names(const cm_settings_t *settings,
                               const cm_model_t *model, apr_pool_t *pool)
{
    const cm_reference_t *reference;
    int i;

    for (i = 0; i < model->columns.references->nelts; i++) {
        reference =
            &APR_ARRAY_IDX(model->columns.references, i, cm_reference_t);
        if (reference->type)
            CM_TRY(check_type(model, reference, pool));
        else if (!cm_settings_model(settings, reference->model))
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

/* Check the columns of a key. A column of another table can refer to a key of
 * one column only. */
static cm_error_t *check_key(const cm_settings_t *settings,
                             const cm_model_t *model, apr_pool_t *pool)
{
    const apr_array_header_t *key = model->columns.key;
    const apr_array_header_t *references = model->columns.references;
    int i, j;

    for (i = 0; i < key->nelts; i++) {
        const char *column = APR_ARRAY_IDX(key, i, const char *);

        for (j = 0; j < i; j++)
            if (!strcmp(column, APR_ARRAY_IDX(key, j, const char *)))
                return CM_FAIL(pool, CM_CONFIG, "key= names '%s' twice",
                               column);
        if (cm_settings_model_key_travels(model) &&
            cm_settings_has_name(model->columns.except, column))
            return CM_FAIL(pool, CM_CONFIG,
                           "except= names '%s', a column of the key", column);
    }
    for (i = 0; i < references->nelts; i++) {
        const cm_reference_t *reference =
            &APR_ARRAY_IDX(references, i, cm_reference_t);
        const cm_model_t *parent =
            reference->type ? NULL
                            : cm_settings_model(settings, reference->model);

        if (parent && parent->columns.key->nelts > 1)
            return CM_FAIL(pool, CM_CONFIG,
                           "references=%s:%s cannot name a record whose key "
                           "has several columns",
                           reference->column, reference->model);
    }
    return NULL;
}

/* A delete that a row filter causes takes along what refers to the record at
 * the peer, and those deletes would come back here. */
static cm_error_t *check_filter(const cm_settings_t *settings,
                                const cm_model_t *model, apr_pool_t *pool)
{
    const apr_array_header_t *references;
    int i, j;

    if (model->where && !model->publishes)
        return CM_FAIL(pool, CM_CONFIG,
                       "where= selects what is sent, and direction=receive "
                       "sends nothing");
    if (!model->leave_deletes)
        return NULL;
    if (!model->where)
        return CM_FAIL(pool, CM_CONFIG, "leave=delete needs where=");
    if (!model->deletes)
        return CM_FAIL(pool, CM_CONFIG,
                       "leave=delete and deletes=no contradict each other");
    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *child =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);

        references = child->columns.references;
        for (j = 0; j < references->nelts; j++)
            if (cm_settings_refers_to(
                    &APR_ARRAY_IDX(references, j, cm_reference_t), model))
                return CM_FAIL(pool, CM_CONFIG,
                               "leave=delete is not possible: records of "
                               "model '%s' refer to it, and would be deleted "
                               "with it on both sides",
                               child->name);
    }
    return NULL;
}

/* Only a key that is a number of this node alone can be another one here. */
static cm_error_t *check_new_key(const cm_model_t *model, apr_pool_t *pool)
{
    if (!model->counts_keys)
        return NULL;
    if (model->shared)
        return CM_FAIL(pool, CM_CONFIG,
                       "newkey=max and keys=shared contradict each other: a "
                       "shared key is the same on all nodes");
    if (cm_settings_model_key_travels(model))
        return CM_FAIL(pool, CM_CONFIG,
                       "newkey=max needs a key of one column that is not "
                       "a reference");
    return NULL;
}

/* What is left out on one way only must be possible to leave out, and the way
 * must be there. */
static cm_error_t *check_ways(const cm_model_t *model, apr_pool_t *pool)
{
    const apr_array_header_t *names = model->columns.except_receive;
    int i;

    if (model->by_application && !model->publishes)
        return CM_FAIL(pool, CM_CONFIG,
                       "publish=application and direction=receive contradict "
                       "each other");
    if (names->nelts && !model->receives)
        return CM_FAIL(pool, CM_CONFIG,
                       "except-receive= and direction=publish contradict each "
                       "other");
    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (cm_settings_model_is_key(model, name) ||
            cm_settings_has_name(model->columns.match, name))
            return CM_FAIL(pool, CM_CONFIG,
                           "except-receive= names '%s', by which records are "
                           "found",
                           name);
    }
    return NULL;
}

/* Check all of MODEL but what other models have, too. */
static cm_error_t *check_alone(const cm_settings_t *settings,
                               const cm_model_t *model, apr_pool_t *pool)
{
    CM_TRY(check_names(settings, model, pool));
    CM_TRY(check_key(settings, model, pool));
    CM_TRY(check_new_key(model, pool));
    CM_TRY(check_filter(settings, model, pool));
    return check_ways(model, pool);
}

static cm_error_t *check_model(const cm_settings_t *settings, int index,
                               apr_pool_t *pool)
{
    const apr_array_header_t *models = settings->models;
    const cm_model_t *model = APR_ARRAY_IDX(models, index, const cm_model_t *);
    int i;

    CM_TRY_FOR(check_alone(settings, model, pool), pool, "model '%s'",
               model->name);
    for (i = 0; i < index; i++)
        CM_TRY(compare_models(
            model, APR_ARRAY_IDX(models, i, const cm_model_t *), pool));
    return NULL;
}

static cm_error_t *check_action(const cm_settings_t *settings,
                                const cm_action_t *action, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < action->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(action->names, i, const char *);

        if (!cm_settings_model(settings, name))
            return CM_FAIL(pool, CM_CONFIG,
                           "CommunicatorAfterApply names model '%s', which is "
                           "not declared",
                           name);
    }
    return NULL;
}

cm_error_t *cm_settings_check(const cm_settings_t *settings, apr_pool_t *pool)
{
    const apr_array_header_t *peers = settings->peers;
    const apr_array_header_t *models = settings->models;
    cm_error_t *err;
    int i;

    if (!settings->name)
        return cm_error_hint(
            CM_FAIL(pool, CM_CONFIG, "CommunicatorName is missing"), pool,
            "give this node a name: CommunicatorName NAME");
    for (i = 0; i < peers->nelts; i++)
        if ((err = check_peer(settings, i, pool)))
            return cm_settings_error(
                APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *)->place, err,
                pool);
    for (i = 0; i < models->nelts; i++)
        if ((err = check_model(settings, i, pool)))
            return cm_settings_error(
                APR_ARRAY_IDX(models, i, const cm_model_t *)->place, err, pool);
    for (i = 0; i < settings->actions->nelts; i++) {
        const cm_action_t *action =
            APR_ARRAY_IDX(settings->actions, i, const cm_action_t *);

        if ((err = check_action(settings, action, pool)))
            return cm_settings_error(action->place, err, pool);
    }
    cm_key_complete(settings);
    return NULL;
}
