/* What a message is about, and whether it can be applied at all. */
#include "apply/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/reference.h"

/* With shared keys the identity of a record is its key, on all nodes. */
static cm_identity_t name_shared(const cm_message_t *message,
                                 const cm_model_t *model)
{
    cm_identity_t identity = {"*", message->identity.original_id};
    int i;

    if (message->identity.origin && !strcmp(message->identity.origin, "*"))
        return identity;
    for (i = 0; message->attributes && i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);

        if (model->columns.key->nelts == 1 &&
            !strcmp(attribute->name, model->key) &&
            attribute->value.kind > CM_NULL)
            identity.original_id = attribute->value.data;
    }
    return identity;
}

/* A record of a gem without an origin or id is always new. */
static cm_identity_t name_record(const cm_message_t *message,
                                 const cm_model_t *model)
{
    cm_identity_t identity = message->identity;

    if (model->shared_keys)
        identity = name_shared(message, model);
    if (!identity.origin || !*identity.origin || !identity.original_id)
        identity = (cm_identity_t){NULL, NULL};
    return identity;
}

/* Set the identity of the record of MODEL that ATTRIBUTE refers to. A gem sends
 * its local id, and so does a peer if the model has shared keys. */
static cm_error_t *name_parent(cm_run_t *run, const cm_task_t *task,
                               cm_attribute_t *attribute,
                               const cm_model_t *model)
{
    if (!attribute->reference_model) {
        if (!task->message->from_gem && !model->shared_keys)
            return cm_error_hint(
                CM_FAIL(run->pool, CM_REJECTED,
                        "'%s' of %s refers to a %s here, but '%s' sends it as "
                        "a plain value",
                        attribute->name, task->message->model, model->name,
                        run->peer),
                run->pool, "declare references= of '%s' there as here",
                attribute->name);
        attribute->reference_model = model->name;
        attribute->reference =
            (cm_identity_t){run->peer, attribute->value.data};
    }
    if (model->shared_keys)
        attribute->reference.origin = "*";
    (void)cm_directory_get(run, model, attribute->reference);
    return NULL;
}

static cm_error_t *check_reference(cm_run_t *run, const cm_task_t *task,
                                   cm_attribute_t *attribute)
{
    const cm_column_t *column = cm_table_column(task->table, attribute->name);
    const char *name = attribute->reference_model;
    const cm_records_t *records;
    const cm_model_t *model = NULL;

    if (!name && column->none &&
        cm_reference_is_none(column, attribute->value, run->pool))
        attribute->value = (cm_value_t){.kind = CM_NULL};
    if (name)
        model = cm_settings_model(run->node->settings, name);
    else if (attribute->value.kind != CM_NULL)
        model = cm_reference_model(
            run->node->settings, column,
            cm_reference_name(column, task->message->attributes));
    if (!model && !name)
        return NULL;
    if (!model)
        return CM_FAIL(run->pool, CM_REJECTED,
                       "'%s' of %s refers to model '%s', which is unknown here",
                       attribute->name, task->message->model, name);
    CM_TRY(cm_node_records(&records, run->node, model->type, run->pool));
    return name_parent(run, task, attribute, model);
}

/* Leave out what this node does not take from a peer (except-receive=). What a
 * hub forwards has it: that is the body. */
static void drop_untaken(cm_task_t *task)
{
    apr_array_header_t *attributes = task->message->attributes;
    int i, kept = 0;

    if (!task->table->model->columns.except_receive->nelts)
        return;
    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (cm_settings_model_takes(task->table->model, attribute->name))
            APR_ARRAY_IDX(attributes, kept++, cm_attribute_t) = *attribute;
    }
    attributes->nelts = kept;
}

static cm_error_t *check_attributes(cm_run_t *run, cm_task_t *task)
{
    apr_array_header_t *attributes = task->message->attributes;
    int i;

    for (i = 0; i < attributes->nelts; i++) {
        cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (cm_table_settable(task->table, attribute->name) >= 0)
            CM_TRY(check_reference(run, task, attribute));
    }
    return NULL;
}

static cm_error_t *check_model(cm_run_t *run, cm_task_t *task)
{
    const cm_message_t *message = task->message;
    const char *name = message->model ? message->model : "";
    const cm_model_t *model = cm_settings_model(run->node->settings, name);
    const cm_records_t *records;
    cm_identity_t identity;

    if (!model && message->error)
        return message->error;
    if (!model)
        return cm_error_hint(
            CM_FAIL(run->pool, CM_REJECTED, "model '%s' is unknown here", name),
            run->pool, "declare it: CommunicatorModel %s",
            *name ? name : "NAME");
    if (!model->receives)
        return cm_error_hint(CM_FAIL(run->pool, CM_REJECTED,
                                     "model '%s' is not received here",
                                     model->name),
                             run->pool, "it has direction=publish");
    CM_TRY(cm_node_table(&task->table, run->node, model, run->pool));
    CM_TRY(cm_node_records(&records, run->node, model->type, run->pool));
    identity = name_record(message, model);
    if (identity.origin)
        task->entry = cm_directory_get(run, model, identity);
    if (task->entry && message->action != CM_UPDATE &&
        message->counterpart.original_id)
        task->counterpart = cm_directory_get(run, model, message->counterpart);
    return message->error;
}

void cm_check_task(cm_run_t *run, cm_task_t *task)
{
    task->fault = check_model(run, task);
    if (!task->fault && task->message->action != CM_DELETE) {
        drop_untaken(task);
        task->fault = check_attributes(run, task);
    }
    task->error = task->fault;
}
