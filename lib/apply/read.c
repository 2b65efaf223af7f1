/* The states of records here, and those that messages bring. */
#include "apply/sender_internal.h"

#include <string.h>

#include <apr_strings.h>
#include "base/id_set.h"
#include "record/canonical.h"
#include "record/captured.h"
#include "record/cast.h"
#include "record/reference.h"
#include "outbox/missing.h"
#include "outbox/spelled.h"

/* Return SIZE zero bytes, which all share. */
static void *nothing(cm_run_t *run, apr_size_t size)
{
    if (run->nothing_size < size) {
        run->nothing = apr_pcalloc(run->pool, size);
        run->nothing_size = size;
    }
    return run->nothing;
}

/* Return the state of a record of COUNT columns that is not here. */
static cm_state_t *absent(cm_run_t *run, int count)
{
    cm_state_t *state = apr_pcalloc(run->pool, sizeof(*state));

    state->count = count;
    state->fields = nothing(run, sizeof(*state->fields) * (count + 1));
    return state;
}

/* Clocks and deletes are in the mapping, not in the row. */
static cm_here_t *begin_here(cm_run_t *run, const cm_record_t *record,
                             const cm_mapping_t *mapping)
{
    int count = record->table->column_count;
    cm_here_t *here = apr_pcalloc(run->pool, sizeof(*here));

    here->exists = record->row->raw != NULL;
    here->local_id = record->row->local_id;
    if (here->exists) {
        here->state = cm_state_create(count, run->pool);
        here->raw = apr_pcalloc(run->pool, sizeof(*here->raw) * count);
    }
    else {
        here->state = absent(run, count);
        here->raw = nothing(run, sizeof(*here->raw) * count);
    }
    if (mapping) {
        here->state->clock = mapping->clocks.clock;
        here->state->elsewhere = cm_clocks_elsewhere(&mapping->clocks);
        here->state->deleted_at = mapping->deleted_at;
    }
    return here;
}

static apr_int64_t later(apr_int64_t a, apr_int64_t b)
{
    return a > b ? a : b;
}

/* Join references with the columns that name their models. */
static void join_names(const cm_record_t *record, const cm_mapping_t *mapping,
                       cm_here_t *here)
{
    const cm_table_t *table = record->table;
    int i;

    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *name = table->columns[i].named_by;
        cm_field_t *field = &here->state->fields[i];

        if (!name || field->value.kind == CM_ABSENT)
            continue;
        if (here->raw[name - table->columns].kind != CM_ABSENT)
            field->name = &here->raw[name - table->columns];
        if (mapping)
            field->clock =
                later(field->clock, cm_clocks_of(&mapping->clocks, name->name));
    }
}

static cm_error_t *read_row(cm_run_t *run, const cm_record_t *record,
                            const cm_mapping_t *mapping, cm_here_t *here)
{
    apr_array_header_t *attributes;
    int i;

    if (!here->exists || here->state->deleted_at)
        return NULL;
    CM_TRY(cm_captured_read(&attributes, record->table, *record->row->raw,
                            cm_dialect_of_store(run->node->store), run->pool));
    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);
        int column = cm_table_settable(record->table, attribute->name);

        if (column < 0)
            continue;
        here->raw[column] = attribute->value;
        if (record->table->columns[column].names)
            continue;
        here->state->fields[column].value = attribute->value;
        here->state->fields[column].clock =
            mapping ? cm_clocks_of(&mapping->clocks, attribute->name) : 0;
    }
    join_names(record, mapping, here);
    return NULL;
}

/* Read what is here of RECORD. A row that cannot be read concerns only the
 * messages for it. */
static cm_here_t *read_record(cm_run_t *run, const cm_record_t *record)
{
    const cm_mapping_t *mapping =
        record->entry ? record->entry->found->mapping : NULL;
    cm_here_t *here = begin_here(run, record, mapping);
    const cm_error_t *err = read_row(run, record, mapping, here);

    if (err)
        here->unreadable =
            cm_error_make(run->pool, err->code, err, __FILE__, __LINE__,
                          "the row '%s' of table '%s' here cannot be read",
                          here->local_id, record->table->model->table);
    return here;
}

static int has_local_times(const cm_run_t *run)
{
    const cm_peer_settings_t *peer =
        cm_settings_peer(run->node->settings, run->peer);

    return peer && peer->local_times;
}

/* References are compared by the identities of the parents. */
static cm_value_t task_value(cm_run_t *run, const cm_task_t *task,
                             const cm_attribute_t *attribute, int column)
{
    const cm_column_t *to = &task->table->columns[column];
    const cm_entry_t *parent = cm_directory_parent_now(run, attribute, to);
    cm_value_t value = attribute->value;

    if (parent)
        return cm_value_of(CM_TEXT, parent->key);
    if (task->message->from_gem)
        value = cm_cast_from_gem(to, value, has_local_times(run), run->pool);
    task->message->recast |= value.data != attribute->value.data;
    return cm_canonical_normalise(to, value, run->pool);
}

/* Return whether the row of TASK has outlived what COLUMN refers to. */
static int has_outlived(const cm_task_t *task, int column)
{
    const cm_here_t *here = task->record->here;

    return here && here->exists && here->state->fields[column].dangling;
}

/* Return whether COLUMN refers to nothing if it refers to the parent in
 * ATTRIBUTE of TASK, which is deleted, or is to be by this run. Where it must
 * refer to a record, only a row that has outlived one can. */
static int is_gone(cm_run_t *run, const cm_task_t *task,
                   const cm_attribute_t *attribute, int column)
{
    const cm_column_t *to = &task->table->columns[column];
    const cm_entry_t *parent = cm_directory_parent_now(run, attribute, to);
    const apr_array_header_t *tasks;
    int i;

    if (!parent ||
        (!cm_reference_may_be_none(to) && !has_outlived(task, column)))
        return 0;
    if (parent->found->mapping && parent->found->mapping->deleted_at)
        return 1;
    tasks =
        parent->record && parent->model->deletes ? parent->record->tasks : NULL;
    for (i = 0; tasks && i < tasks->nelts; i++)
        if (CM_NTH(tasks, i, cm_task_t)->message->action == CM_DELETE)
            return 1;
    return 0;
}

/* Return the field that ATTRIBUTE of TASK brings for COLUMN. */
static cm_field_t task_field(cm_run_t *run, const cm_task_t *task,
                             const cm_attribute_t *attribute, int column)
{
    const cm_message_t *message = task->message;
    const cm_column_t *to = &task->table->columns[column];
    cm_field_t field = {.value = task_value(run, task, attribute, column),
                        .clock =
                            cm_clocks_of(&message->clocks, attribute->name),
                        .source = attribute,
                        .dangling = is_gone(run, task, attribute, column)};
    cm_value_t name;

    if (!to->named_by)
        return field;
    name = cm_canonical_normalise(
        to->named_by, cm_reference_name(to, message->attributes), run->pool);
    if (name.kind == CM_ABSENT)
        return field;
    field.name = apr_pmemdup(run->pool, &name, sizeof(name));
    field.clock =
        later(field.clock, cm_clocks_of(&message->clocks, to->named_by->name));
    return field;
}

/* Return a state of COUNT absent columns, in place of the last one. */
static cm_state_t *begin_incoming(cm_run_t *run, int count)
{
    if (!run->incoming || run->incoming->count != count)
        run->incoming = cm_state_create(count, run->pool);
    else
        cm_state_clear(run->incoming);
    return run->incoming;
}

cm_state_t *cm_apply_read_task(cm_run_t *run, const cm_task_t *task)
{
    const cm_message_t *message = task->message;
    cm_state_t *state = begin_incoming(run, task->table->column_count);
    int i;

    state->clock = message->clocks.clock;
    if (message->action == CM_DELETE) {
        state->deleted_at = state->clock;
        return state;
    }
    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);
        int column = cm_table_settable(task->table, attribute->name);

        if (column >= 0 && !task->table->columns[column].names)
            state->fields[column] = task_field(run, task, attribute, column);
    }
    return state;
}

cm_field_t cm_apply_read_column(cm_run_t *run, const cm_task_t *task,
                                int column)
{
    const apr_array_header_t *attributes = task->message->attributes;
    cm_field_t none = {.value = {.kind = CM_ABSENT}};
    int i;

    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (cm_table_settable(task->table, attribute->name) == column)
            return task_field(run, task, attribute, column);
    }
    return none;
}

/* References here to records of one model, whose identities are looked up. */
typedef struct naming_t {
    cm_id_set_t *local_ids;
    apr_array_header_t *fields; /* cm_field_t * that hold them */
} naming_t;

static void ask_name(apr_hash_t *namings, const char *model, cm_field_t *field,
                     apr_pool_t *pool)
{
    naming_t *naming = apr_hash_get(namings, model, APR_HASH_KEY_STRING);

    if (!naming) {
        naming = apr_palloc(pool, sizeof(*naming));
        naming->local_ids = cm_id_set_create(16, pool);
        naming->fields = apr_array_make(pool, 16, sizeof(cm_field_t *));
        apr_hash_set(namings, model, APR_HASH_KEY_STRING, naming);
    }
    APR_ARRAY_PUSH(naming->fields, cm_field_t *) = field;
    cm_id_set_add(naming->local_ids, field->value.data);
}

/* Return the parent that a message has in COLUMN if it is the one with
 * LOCAL_ID, in the row already: then no look-up is needed. */
static const cm_entry_t *named_by_tasks(cm_run_t *run,
                                        const cm_record_t *record,
                                        const cm_column_t *column,
                                        const cm_model_t *model,
                                        const char *local_id)
{
    int i, j;

    for (i = 0; i < record->tasks->nelts; i++) {
        const cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);
        const apr_array_header_t *attributes = task->message->attributes;

        for (j = 0; !task->fault && attributes && j < attributes->nelts; j++) {
            const cm_attribute_t *attribute =
                &APR_ARRAY_IDX(attributes, j, cm_attribute_t);
            const cm_entry_t *parent;

            if (!attribute->reference_model ||
                strcmp(attribute->reference_model, model->name) ||
                strcmp(attribute->name, column->name))
                continue;
            parent = cm_directory_parent(run, attribute);
            if (parent->found->local_id &&
                !strcmp(parent->found->local_id, local_id))
                return parent;
        }
    }
    return NULL;
}

static void name_references(cm_run_t *run, const cm_record_t *record,
                            apr_hash_t *namings, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < record->table->column_count; i++) {
        const cm_column_t *column = &record->table->columns[i];
        cm_field_t *field = &record->here->state->fields[i];
        const cm_model_t *model;
        const cm_entry_t *parent;

        if (!cm_reference_is(column) || field->value.kind == CM_ABSENT)
            continue;
        if (cm_reference_is_none(column, field->value, run->pool)) {
            field->value = (cm_value_t){.kind = CM_NULL};
            continue;
        }
        model = cm_reference_model(
            run->node->settings, column,
            field->name ? *field->name : (cm_value_t){.kind = CM_ABSENT});
        if (!model)
            continue;
        parent = named_by_tasks(run, record, column, model, field->value.data);
        if (parent)
            field->value = cm_value_of(CM_TEXT, parent->key);
        else
            ask_name(namings, model->name, field, pool);
    }
}

/* Find the mappings of the records of MODEL that the references lead to. One
 * that still holds the former key of a record leads to that one, as the peers
 * know it: it follows later. */
static cm_error_t *find_named(apr_hash_t **found, cm_run_t *run,
                              const cm_model_t *model, const naming_t *naming)
{
    const apr_array_header_t *ids = naming->local_ids->ids;
    apr_array_header_t *missing =
        apr_array_make(run->pool, 4, sizeof(const char *));
    apr_hash_t *heirs;
    int i;

    CM_TRY(cm_spelled_mappings(found, run->node, model, ids, run->pool));
    for (i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        if (!apr_hash_get(*found, id, APR_HASH_KEY_STRING))
            APR_ARRAY_PUSH(missing, const char *) = id;
    }
    CM_TRY(cm_missing_heirs(&heirs, run->node, model, missing, run->pool));
    *found = apr_hash_overlay(run->pool, *found, heirs);
    return NULL;
}

static cm_error_t *name_model(cm_run_t *run, const cm_model_t *model,
                              const naming_t *naming)
{
    apr_hash_t *found;
    int i;

    CM_TRY(find_named(&found, run, model, naming));
    for (i = 0; i < naming->fields->nelts; i++) {
        cm_field_t *field = CM_NTH(naming->fields, i, cm_field_t);
        const cm_mapping_t *mapping =
            apr_hash_get(found, field->value.data, APR_HASH_KEY_STRING);
        cm_identity_t identity =
            mapping ? mapping->identity
                    : cm_mapping_identity_of_local(
                          run->node, model, field->value.data,
                          cm_mapping_first_life(run->node, model), run->pool);

        field->value =
            cm_value_of(CM_TEXT, cm_identity_key(identity, run->pool));
        field->dangling = !mapping;
    }
    return NULL;
}

/* Replace the values of references of RECORDS by the identities of the parents.
 */
static cm_error_t *name_all(cm_run_t *run, const apr_array_header_t *records,
                            apr_pool_t *scratch_pool)
{
    apr_hash_t *namings = apr_hash_make(scratch_pool);
    apr_hash_index_t *index;
    int i;

    for (i = 0; i < records->nelts; i++) {
        const cm_record_t *record = CM_NTH(records, i, cm_record_t);

        if (record->here->exists && !record->fast)
            name_references(run, record, namings, scratch_pool);
    }
    for (index = apr_hash_first(scratch_pool, namings); index;
         index = apr_hash_next(index)) {
        const cm_model_t *model =
            cm_settings_model(run->node->settings, apr_hash_this_key(index));

        CM_TRY(name_model(run, model, apr_hash_this_val(index)));
    }
    return NULL;
}

cm_error_t *cm_apply_read_records(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (!record->fast)
            record->here = read_record(run, record);
    }
    CM_TRY(name_all(run, run->records, scratch_pool));
    return cm_directory_find_parents(run, scratch_pool);
}

cm_error_t *cm_apply_read_again(cm_run_t *run, cm_record_t *record,
                                apr_pool_t *scratch_pool)
{
    apr_array_header_t *one =
        apr_array_make(scratch_pool, 1, sizeof(cm_record_t *));

    APR_ARRAY_PUSH(one, cm_record_t *) = record;
    record->here = read_record(run, record);
    return name_all(run, one, scratch_pool);
}
