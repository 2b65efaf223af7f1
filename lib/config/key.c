/* What follows from the columns of a key: see key.h. */
#include "config/key.h"

/* Return whether the values in COLUMN of MODEL are the same on all nodes. */
static int is_alike(const cm_settings_t *settings, const cm_model_t *model,
                    const char *column)
{
    const cm_reference_t *reference =
        cm_settings_model_reference(model, column);
    int i;

    for (i = 0; reference && i < settings->models->nelts; i++) {
        const cm_model_t *parent =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);

        if (cm_settings_refers_to(reference, parent) && !parent->shared_keys)
            return 0;
    }
    return 1;
}

/* Return whether the key of MODEL can be its identity. */
static int can_share(const cm_settings_t *settings, const cm_model_t *model)
{
    const apr_array_header_t *key = model->columns.key;
    int i;

    for (i = 0; i < key->nelts; i++)
        if (!is_alike(settings, model, APR_ARRAY_IDX(key, i, const char *)))
            return 0;
    return 1;
}

/* Return whether COLUMN of MODEL is a reference, or names the model of one. */
static int is_in_reference(const cm_model_t *model, const char *column)
{
    const apr_array_header_t *references = model->columns.references;
    int i;

    for (i = 0; i < references->nelts; i++) {
        const cm_reference_t *reference =
            &APR_ARRAY_IDX(references, i, cm_reference_t);

        if (!strcmp(reference->column, column) ||
            (reference->type && !strcmp(reference->type, column)))
            return 1;
    }
    return 0;
}

static int has_only_references(const cm_model_t *model)
{
    const apr_array_header_t *key = model->columns.key;
    int i;

    for (i = 0; i < key->nelts; i++)
        if (!is_in_reference(model, APR_ARRAY_IDX(key, i, const char *)))
            return 0;
    return 1;
}

/* Where a column of a shared key refers to a record whose number differs from
 * node to node, the same key has other values on each. Such a model has mapped
 * keys, and finds the record with the same key as match= does. */
static int unshare(const cm_settings_t *settings, cm_model_t *model)
{
    if (!model->shared_keys || can_share(settings, model))
        return 0;
    model->shared_keys = 0;
    model->columns.match = model->columns.key;
    return 1;
}

int cm_key_is_referred(const cm_settings_t *settings, const cm_model_t *model)
{
    int i, j;

    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *child =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);
        const apr_array_header_t *references = child->columns.references;

        for (j = 0; child->publishes && j < references->nelts; j++)
            if (cm_settings_refers_to(
                    &APR_ARRAY_IDX(references, j, cm_reference_t), model))
                return 1;
    }
    return 0;
}

void cm_key_complete(const cm_settings_t *settings)
{
    int again, i;

    do {
        for (again = 0, i = 0; i < settings->models->nelts; i++)
            again |= unshare(settings,
                             APR_ARRAY_IDX(settings->models, i, cm_model_t *));
    } while (again);
    for (i = 0; i < settings->models->nelts; i++) {
        cm_model_t *model = APR_ARRAY_IDX(settings->models, i, cm_model_t *);

        /* A second row with the same parents cannot exist. */
        if (!model->shared_keys && !model->columns.match->nelts &&
            has_only_references(model))
            model->columns.match = model->columns.key;
        model->referred = cm_key_is_referred(settings, model);
    }
}
