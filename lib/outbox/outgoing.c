/* One message on its way out, made of a row of the outbox: see internal.h. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "record/canonical.h"
#include "record/captured.h"

/* Make the attributes of ROW canonical, without columns that are gone or not
 * carried. Return whether the table, as it is remembered, lacks one. */
static int make_canonical(cm_outgoing_t *row, const cm_dialect_t *dialect,
                          apr_pool_t *pool)
{
    apr_array_header_t *attributes = row->message.attributes;
    int i, kept = 0, unknown = 0;

    for (i = 0; i < attributes->nelts; i++) {
        cm_attribute_t attribute = APR_ARRAY_IDX(attributes, i, cm_attribute_t);
        const cm_column_t *column = cm_table_column(row->table, attribute.name);

        unknown |= !column;
        if (!column || !column->carried)
            continue;
        if (column->value_class == CM_CLASS_BINARY &&
            attribute.value.kind == CM_TEXT &&
            !strcmp(attribute.value.data, CM_CAPTURE_APART)) {
            row->incomplete = 1;
            continue;
        }
        attribute.value =
            cm_canonical_value(column, attribute.value, dialect, pool);
        APR_ARRAY_IDX(attributes, kept++, cm_attribute_t) = attribute;
    }
    attributes->nelts = kept;
    row->incomplete |= unknown && row->message.action != CM_DELETE;
    return unknown;
}

void cm_outgoing_write_body(cm_outgoing_t *row, apr_pool_t *result_pool)
{
    cm_message_t *message = &row->message;
    cm_buffer_t *buffer = cm_buffer_create(
        message->body_size + message->body_size / 8 + 64, result_pool);

    cm_message_write_body(buffer, message->model, message->attributes);
    message->body_size = buffer->size;
    cm_buffer_append(buffer, "", 1);
    message->body = buffer->data;
}

/* Find the model of ROW and its table, or why it is not sent. */
static cm_error_t *find_table(cm_outgoing_t *row, cm_node_t *node,
                              apr_pool_t *pool)
{
    const char *name = row->message.model;
    const cm_model_t *model = cm_settings_model(node->settings, name);
    cm_error_t *err;

    if (!model && !row->forwarded)
        row->held = apr_psprintf(pool, "model '%s' is not configured", name);
    else if (model && !model->publishes && !row->forwarded)
        row->held = apr_psprintf(pool, "model '%s' is not published", name);
    else if (model && !model->deletes && row->message.action == CM_DELETE)
        row->held =
            apr_psprintf(pool, "deletes of '%s' are not published", name);
    if (!model || row->held)
        return NULL;
    err = cm_node_table(&row->table, node, model, pool);
    return err && row->forwarded ? NULL : err;
}

/* Make a BODY that a trigger wrote readable. */
static void read_captured(cm_outgoing_t *row, cm_datum_t *body, cm_node_t *node,
                          apr_pool_t *pool)
{
    const char *text = cm_complete_unread(body, pool);

    if (text) {
        row->incomplete = 1;
        *body = cm_datum_text(text);
        return;
    }
    *body = cm_captured_mend(*body, cm_dialect_of_store(node->store), pool);
}

cm_error_t *cm_outgoing_make(int *unknown, cm_outgoing_t *row, cm_node_t *node,
                             const cm_outbox_row_t *stored, apr_pool_t *pool)
{
    const char *action = stored->action;
    cm_message_t *message = &row->message;
    cm_datum_t body = stored->body;

    memset(row, 0, sizeof(*row));
    message->id = stored->seq;
    message->action = CM_UPDATE;
    if (action && !cm_message_action_read(&message->action, action))
        row->unreadable = row->held =
            apr_psprintf(pool, "'%s' is not an action", action);
    message->clocks.clock = stored->clock;
    message->identity = stored->identity;
    message->counterpart = stored->counterpart;
    row->forwarded = stored->forwarded;
    row->local_id = stored->local_id;
    row->captured = !row->forwarded && row->local_id;
    if (action && !strcmp(action, CM_ACTION_TWICE))
        row->unreadable = row->held = apr_psprintf(
            pool,
            "another row of its table is %s, too: nothing tells both "
            "apart",
            stored->local_id);
    if (action && !strcmp(action, CM_ACTION_KEYLESS)) {
        row->unreadable = "it is of a row that has no key";
        row->held = apr_psprintf(
            pool, "message %" APR_INT64_T_FMT " is of a row that has no key",
            message->id);
    }
    if (row->captured)
        read_captured(row, &body, node, pool);
    if (cm_message_read_stored(message, body.data, body.size, stored->clocks,
                               stored->base, stored->refs, pool)) {
        row->unreadable = "what was captured cannot be read";
        row->held = apr_psprintf(
            pool, "message %" APR_INT64_T_FMT " cannot be read", message->id);
        return NULL;
    }
    if (stored->older)
        message->clocks.older = stored->older;
    CM_TRY(find_table(row, node, pool));
    *unknown |= row->incomplete;
    if (row->captured && !row->held)
        *unknown |= make_canonical(row, cm_dialect_of_store(node->store), pool);
    return NULL;
}
