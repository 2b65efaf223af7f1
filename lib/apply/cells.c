/* Which columns of a row an effect writes, and the values. */
#include "apply/cascade_internal.h"
#include "apply/sender_internal.h"

#include <string.h>

#include <apr_strings.h>
#include "record/canonical.h"
#include "record/fit.h"
#include "record/reference.h"

const char *cm_cells_key(cm_run_t *run, const cm_record_t *record)
{
    const cm_table_t *table = record->table;
    const cm_column_t *own = cm_table_own_key(table);

    if (record->new_key)
        return record->new_key;
    if (!record->entry || !own ||
        ((table->key_generated || own->has_default) &&
         !table->model->shared_keys && !table->model->counts_keys))
        return NULL;
    return cm_identity_without_life(NULL, record->entry->identity.original_id,
                                    run->pool);
}

/* Return whether COLUMN may be left for later. A key must be right at once. */
static int may_come_later(const cm_effect_t *effect, const cm_column_t *column)
{
    return effect->partial != CM_PARTIAL_NONE &&
           (cm_reference_may_be_none(column) ||
            (effect->partial == CM_PARTIAL_ALL && !column->is_key));
}

/* Note that the record must refer to PARENT as soon as that is here. */
static void owe(cm_run_t *run, cm_effect_t *effect, const cm_entry_t *parent)
{
    if (!effect->owed)
        effect->owed = apr_array_make(run->pool, 2, sizeof(const cm_entry_t *));
    APR_ARRAY_PUSH(effect->owed, const cm_entry_t *) = parent;
}

/* Note that COLUMN is to refer to the record that continues the one which the
 * message names. Another node may have deleted that one, and let go of it,
 * before it hears of the heir: the record is sent again. */
static void inherit(cm_run_t *run, cm_effect_t *effect,
                    const cm_column_t *column)
{
    if (!effect->inherited)
        effect->inherited = apr_array_make(run->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(effect->inherited, const char *) = column->name;
}

/* Set *VALUE to the local id of the parent that ATTRIBUTE refers to. CM_ABSENT:
 * the column is written later, because the parent is still to come in this run.
 * A record that refers to itself need not wait for a key that is known. */
static cm_error_t *find_parent(cm_value_t *value, cm_run_t *run,
                               const cm_record_t *record, cm_effect_t *effect,
                               const cm_column_t *column,
                               const cm_attribute_t *attribute)
{
    const int place = column - record->table->columns;
    const cm_entry_t *parent = cm_directory_parent_now(run, attribute, column);
    int goes;

    *value = (cm_value_t){.kind = CM_NULL};
    if (parent->found->local_id) {
        if (parent != cm_directory_parent(run, attribute))
            inherit(run, effect, column);
        *value = cm_value_of(CM_TEXT, parent->found->local_id);
        return NULL;
    }
    if (parent == record->entry && effect->kind == CM_EFFECT_CREATE &&
        cm_cells_key(run, record)) {
        *value = cm_value_of(CM_TEXT, cm_cells_key(run, record));
        return NULL;
    }
    if (parent->found->mapping && parent->found->mapping->deleted_at) {
        CM_TRY(cm_cascade_takes(&goes, run, record, column, parent));
        if (cm_reference_may_be_none(column) && !goes)
            return NULL;
        /* without a foreign key the row has outlived its parent: keep that */
        if (record->here->exists &&
            record->here->state->fields[place].dangling) {
            *value = record->here->raw[place];
            return NULL;
        }
        effect->dead_parent = parent;
        return CM_FAIL(run->pool, CM_REJECTED,
                       "'%s' refers to %s '%s' of '%s', which is deleted",
                       column->name, parent->model->name,
                       attribute->reference.original_id,
                       attribute->reference.origin);
    }
    if (parent->record && cm_rounds_pending(parent->record) &&
        may_come_later(effect, column)) {
        if (!cm_reference_may_be_none(column))
            owe(run, effect, parent);
        value->kind = CM_ABSENT;
        return NULL;
    }
    return CM_FAIL(run->pool, CM_WAITS,
                   "%s '%s' of '%s', to which '%s' refers, is not here yet",
                   parent->model->name, attribute->reference.original_id,
                   attribute->reference.origin, column->name);
}

/* Return whether column I is to refer to another record than it did, though
 * their keys may be the same: then the row may have lost the reference with the
 * one that had the key before. */
static int is_other_parent(const cm_record_t *record, const cm_effect_t *effect,
                           int i)
{
    const cm_column_t *column = &record->table->columns[i];
    const cm_value_t here = record->here->state->fields[i].value;

    return cm_reference_is(column) && !column->is_key && here.kind > CM_NULL &&
           cm_value_compare(here, effect->state->fields[i].value) != 0;
}

/* Return whether the row of RECORD has VALUE in column I: another way to refer
 * to nothing stays. */
static int is_here(const cm_run_t *run, const cm_record_t *record,
                   const cm_effect_t *effect, int i, cm_value_t value)
{
    const cm_column_t *column = &record->table->columns[i];
    const cm_value_t here = record->here->raw[i];

    if (here.kind == CM_ABSENT || is_other_parent(record, effect, i))
        return 0;
    return !cm_value_compare(value, here) ||
           (column->none && cm_reference_is_none(column, here, run->pool) &&
            cm_reference_is_none(column, value, run->pool));
}

/* Write VALUE into column I, unless the row has it already. The key of a row
 * stays, since it is another record that has another key; but what a key refers
 * to may be replaced. */
static cm_error_t *write_column(cm_run_t *run, const cm_record_t *record,
                                cm_effect_t *effect, int i, cm_value_t value)
{
    const cm_column_t *column = &record->table->columns[i];

    if (effect->kind == CM_EFFECT_UPDATE &&
        ((column->is_key && !cm_reference_is(column)) ||
         is_here(run, record, effect, i, value)))
        return NULL;
    if (value.kind == CM_NULL)
        value = cm_reference_none(column);
    CM_TRY(cm_fit_value(&effect->cells[i], column, value,
                        cm_dialect_of_store(run->node->store), run->pool));
    effect->raw[i] = value;
    effect->writes[i] = 1;
    effect->moves |= effect->kind == CM_EFFECT_UPDATE && column->is_key;
    return NULL;
}

/* Write the name of the model that column I, in FIELD, refers to. */
static cm_error_t *write_name(cm_run_t *run, const cm_record_t *record,
                              cm_effect_t *effect, int i,
                              const cm_field_t *field)
{
    const cm_table_t *table = record->table;
    const cm_column_t *name = table->columns[i].named_by;

    if (!name || !field->name || cm_table_settable(table, name->name) < 0)
        return NULL;
    return write_column(run, record, effect, (int)(name - table->columns),
                        *field->name);
}

/* Write what column I, in FIELD, refers to until its parent is here: nothing,
 * or, where it may not refer to nothing, the key that the parent has at its
 * origin. The database checks that when all are written, or refuses it. */
static cm_error_t *write_for_now(cm_run_t *run, const cm_record_t *record,
                                 cm_effect_t *effect, int i,
                                 const cm_field_t *field)
{
    const cm_column_t *column = &record->table->columns[i];
    cm_value_t value = {.kind = CM_NULL};

    if (effect->kind != CM_EFFECT_CREATE)
        return NULL;
    if (!cm_reference_may_be_none(column))
        value = cm_value_of(
            CM_TEXT,
            cm_identity_without_life(NULL, field->source->reference.original_id,
                                     run->pool));
    else if (!column->none)
        return NULL;
    return write_column(run, record, effect, i, value);
}

static cm_error_t *fill_column(cm_run_t *run, const cm_record_t *record,
                               cm_effect_t *effect, int i)
{
    cm_field_t *field = &effect->state->fields[i];
    cm_value_t value = field->value;

    if (value.kind == CM_ABSENT || !field->source)
        return NULL;
    CM_TRY(write_name(run, record, effect, i, field));
    if (field->source->reference_model)
        CM_TRY(find_parent(&value, run, record, effect,
                           &record->table->columns[i], field->source));
    if (value.kind != CM_ABSENT)
        return write_column(run, record, effect, i, value);
    CM_TRY(write_for_now(run, record, effect, i, field));
    *field = record->here->state->fields[i];
    return NULL;
}

/* While one column waits for its parent, that of a later one may be dead: then
 * the record goes with that, and waits for nothing. The parent that it waits
 * for may wait for the record itself. */
static cm_error_t *fill_columns(cm_run_t *run, const cm_record_t *record,
                                cm_effect_t *effect)
{
    cm_error_t *waits = NULL;
    int i;

    for (i = 0; i < effect->state->count && !effect->dead_parent; i++) {
        cm_error_t *err = fill_column(run, record, effect, i);

        if (err && err->code != CM_WAITS &&
            (!waits || err->code != CM_REJECTED))
            return err;
        if (!waits)
            waits = err;
    }
    return waits;
}

/* MariaDB sets a column declared ON UPDATE to the current time when an UPDATE
 * does not name it: write the value that it has. */
static void keep_on_update(cm_run_t *run, const cm_record_t *record,
                           cm_effect_t *effect)
{
    const cm_table_t *table = record->table;
    int i;

    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];
        cm_error_t *ignored;

        if (!column->on_update || !column->carried || effect->writes[i] ||
            record->here->raw[i].kind == CM_ABSENT)
            continue;
        ignored =
            cm_fit_value(&effect->cells[i], column, record->here->raw[i],
                         cm_dialect_of_store(run->node->store), run->pool);
        effect->writes[i] = !ignored;
    }
}

static cm_error_t *fill_key(cm_run_t *run, const cm_record_t *record,
                            cm_effect_t *effect)
{
    const cm_table_t *table = record->table;
    const cm_column_t *own = cm_table_own_key(table);
    const char *key = cm_cells_key(run, record);
    int i;

    if (!key)
        return NULL;
    i = own - table->columns;
    CM_TRY(cm_fit_value(&effect->cells[i], own, cm_value_of(CM_TEXT, key),
                        cm_dialect_of_store(run->node->store), run->pool));
    effect->writes[i] = 1;
    return NULL;
}

/* Records of one shape: the same table, kind and columns. */
static const char *shape_of(cm_run_t *run, const cm_record_t *record,
                            const cm_effect_t *effect)
{
    int count = record->table->column_count, i;
    char *columns = apr_palloc(run->pool, count + 1);

    for (i = 0; i < count; i++)
        columns[i] = effect->writes[i] ? '1' : '0';
    columns[count] = '\0';
    return apr_psprintf(run->pool, "%s %d %s %s", record->table->model->name,
                        (int)effect->kind, columns,
                        record->entry ? "" : "unnamed");
}

cm_error_t *cm_cells_make(cm_run_t *run, const cm_record_t *record,
                          cm_effect_t *effect)
{
    int count = record->table->column_count;

    effect->moves = 0;
    effect->owed = effect->inherited = NULL;
    effect->cells = apr_pcalloc(run->pool, sizeof(*effect->cells) * count);
    effect->writes = apr_pcalloc(run->pool, count);
    effect->raw =
        apr_pmemdup(run->pool, record->here->raw, sizeof(*effect->raw) * count);
    if (effect->kind == CM_EFFECT_CREATE || effect->kind == CM_EFFECT_UPDATE)
        CM_TRY(fill_columns(run, record, effect));
    if (effect->kind == CM_EFFECT_CREATE)
        CM_TRY(fill_key(run, record, effect));
    if (effect->kind == CM_EFFECT_UPDATE && !memchr(effect->writes, 1, count))
        effect->kind = CM_EFFECT_NONE;
    if (effect->kind == CM_EFFECT_UPDATE)
        keep_on_update(run, record, effect);
    effect->shape = shape_of(run, record, effect);
    return NULL;
}

/* Set cell I of EFFECT to the value of ATTRIBUTE, which was changed. Returns 0
 * if it has to be merged. */
static int change_column(cm_run_t *run, const cm_record_t *record,
                         cm_effect_t *effect, int i,
                         const cm_attribute_t *attribute)
{
    const cm_column_t *column = &record->table->columns[i];
    cm_error_t *err;

    if (column->is_key || column->rewrites || cm_reference_is(column) ||
        column->names || attribute->reference_model)
        return 0;
    err = cm_fit_value(
        &effect->cells[i], column,
        cm_canonical_normalise(column, attribute->value, run->pool),
        cm_dialect_of_store(run->node->store), run->pool);
    effect->writes[i] = 1;
    return !err;
}

int cm_cells_changed(cm_run_t *run, const cm_record_t *record,
                     cm_effect_t *effect)
{
    const cm_message_t *message = CM_NTH(record->tasks, 0, cm_task_t)->message;
    int count = record->table->column_count, i;

    effect->cells = apr_pcalloc(run->pool, sizeof(*effect->cells) * count);
    effect->writes = apr_pcalloc(run->pool, count);
    for (i = 0; i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);
        int column = cm_table_settable(record->table, attribute->name);

        if (column >= 0 && cm_sender_changed(message, attribute->name) &&
            !change_column(run, record, effect, column, attribute))
            return 0;
    }
    effect->shape = shape_of(run, record, effect);
    return memchr(effect->writes, 1, count) != NULL;
}
