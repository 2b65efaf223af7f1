/* Reading states: what a record here says, and what a message says. */
#include "apply/apply.h"

#include <string.h>

#include <apr_strings.h>
#include "record/canonical.h"

/* The row says nothing about deletes, nor about clocks: its mapping does. */
static void begin_state(cm_apply_t *run, cm_record_t *record)
{
    const cm_mapping_t *mapping = record->known ? record->known->mapping : NULL;

    record->state = cm_state_create(record->table->column_count, run->pool);
    record->raw = apr_pcalloc(run->pool, sizeof(*record->raw) *
                                             record->table->column_count);
    if (!mapping)
        return;
    record->state->clock = mapping->clocks.clock;
    record->state->deleted_at = mapping->deleted_at;
}

cm_error_t *cm_apply_read_record(cm_apply_t *run, cm_record_t *record,
                                 const cm_datum_t *raw)
{
    const cm_mapping_t *mapping = record->known ? record->known->mapping : NULL;
    apr_array_header_t *attributes;
    int i;

    begin_state(run, record);
    if (!raw || record->state->deleted_at)
        return NULL;
    CM_TRY(cm_message_capture(&attributes, record->table, raw->data, raw->size,
                              cm_dialect_of_store(run->node->store),
                              run->pool));
    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);
        int column = cm_table_settable(record->table, attribute->name);

        if (column < 0)
            continue;
        record->raw[column] = attribute->value;
        record->state->fields[column].value = attribute->value;
        record->state->fields[column].clock =
            mapping ? cm_clocks_of(&mapping->clocks, attribute->name) : 0;
    }
    return NULL;
}

/* A reference is compared by the name of the record that it refers to. */
static cm_value_t name_value(const char *key)
{
    return (cm_value_t){CM_TEXT, key, strlen(key)};
}

static cm_value_t item_value(cm_apply_t *run, const cm_item_t *item,
                             const cm_attribute_t *attribute, int column)
{
    const cm_known_t *parent;

    if (!attribute->reference_model)
        return cm_canonical_normalise(&item->table->columns[column],
                                      attribute->value, run->pool);
    parent = cm_known_same(cm_known_get(
        run, cm_settings_model(run->node->settings, attribute->reference_model),
        attribute->reference));
    return name_value(parent->key);
}

cm_state_t *cm_apply_read_item(cm_apply_t *run, const cm_item_t *item)
{
    const cm_message_t *message = item->message;
    cm_state_t *state = cm_state_create(item->table->column_count, run->pool);
    int i;

    state->clock = message->clocks.clock;
    if (message->action == CM_DELETE) {
        state->deleted_at = state->clock;
        return state;
    }
    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);
        int column = cm_table_settable(item->table, attribute->name);

        if (column < 0)
            continue;
        state->fields[column] = (cm_field_t){
            .value = item_value(run, item, attribute, column),
            .clock = cm_clocks_of(&message->clocks, attribute->name),
            .source = attribute};
    }
    return state;
}

/* Reference columns here whose parents' names are asked for, of one model. */
typedef struct naming_t {
    apr_array_header_t *local_ids; /* const char *, each once */
    apr_hash_t *seen;
    apr_array_header_t *fields; /* cm_field_t * that hold them */
} naming_t;

static void ask_name(apr_hash_t *namings, const char *model, cm_field_t *field,
                     apr_pool_t *pool)
{
    naming_t *naming = apr_hash_get(namings, model, APR_HASH_KEY_STRING);

    if (!naming) {
        naming = apr_palloc(pool, sizeof(*naming));
        naming->local_ids = apr_array_make(pool, 16, sizeof(const char *));
        naming->seen = apr_hash_make(pool);
        naming->fields = apr_array_make(pool, 16, sizeof(cm_field_t *));
        apr_hash_set(namings, model, APR_HASH_KEY_STRING, naming);
    }
    APR_ARRAY_PUSH(naming->fields, cm_field_t *) = field;
    if (apr_hash_get(naming->seen, field->value.data, APR_HASH_KEY_STRING))
        return;
    apr_hash_set(naming->seen, field->value.data, APR_HASH_KEY_STRING, field);
    APR_ARRAY_PUSH(naming->local_ids, const char *) = field->value.data;
}

/* Return the parent that a message gives the column, when it is the one that
 * stands there already: then nobody need be asked. */
static const cm_known_t *named_by_items(cm_apply_t *run,
                                        const cm_record_t *record,
                                        const cm_column_t *column,
                                        const char *local_id)
{
    const cm_model_t *model =
        cm_settings_model(run->node->settings, column->reference);
    int i, j;

    for (i = 0; i < record->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(record->items, i, cm_item_t);
        const apr_array_header_t *attributes = item->message->attributes;

        for (j = 0; !item->fault && attributes && j < attributes->nelts; j++) {
            const cm_attribute_t *attribute =
                &APR_ARRAY_IDX(attributes, j, cm_attribute_t);
            const cm_known_t *parent;

            if (!attribute->reference_model ||
                strcmp(attribute->reference_model, column->reference) ||
                strcmp(attribute->name, column->name))
                continue;
            parent =
                cm_known_same(cm_known_get(run, model, attribute->reference));
            if (parent->local_id && !strcmp(parent->local_id, local_id))
                return parent;
        }
    }
    return NULL;
}

static void name_record_references(cm_apply_t *run, cm_record_t *record,
                                   apr_hash_t *namings, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < record->table->column_count; i++) {
        const cm_column_t *column = &record->table->columns[i];
        cm_field_t *field = &record->state->fields[i];
        const cm_known_t *parent;

        if (!column->reference || field->value.kind <= CM_NULL)
            continue;
        parent = named_by_items(run, record, column, field->value.data);
        if (parent)
            field->value = name_value(parent->key);
        else
            ask_name(namings, column->reference, field, pool);
    }
}

static cm_error_t *name_model(cm_apply_t *run, const cm_model_t *model,
                              const naming_t *naming)
{
    apr_hash_t *found;
    int i;

    CM_TRY(cm_mapping_by_local_id(&found, run->node, model->type,
                                  naming->local_ids, run->pool));
    for (i = 0; i < naming->fields->nelts; i++) {
        cm_field_t *field = CM_NTH(naming->fields, i, cm_field_t);
        const cm_mapping_t *mapping =
            apr_hash_get(found, field->value.data, APR_HASH_KEY_STRING);
        cm_identity_t identity =
            mapping ? mapping->identity
                    : cm_mapping_identity_of_local(
                          run->node, model, field->value.data,
                          cm_mapping_first_life(run->node, model), run->pool);

        field->value = name_value(cm_identity_key(identity, run->pool));
        field->dangling = !mapping;
    }
    return NULL;
}

cm_error_t *cm_apply_read_references(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_t *namings = apr_hash_make(scratch_pool);
    apr_hash_index_t *index;
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->exists)
            name_record_references(run, record, namings, scratch_pool);
    }
    for (index = apr_hash_first(scratch_pool, namings); index;
         index = apr_hash_next(index)) {
        const cm_model_t *model =
            cm_settings_model(run->node->settings, apr_hash_this_key(index));

        CM_TRY(name_model(run, model, apr_hash_this_val(index)));
    }
    return NULL;
}
