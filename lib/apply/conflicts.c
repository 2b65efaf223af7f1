/* The values that lose: each is kept once, for people
 * (communicator_conflicts). */
#include "apply/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/reference.h"

/* Return the value of FIELD as people see it: for a reference, the origin and
 * the id there of the record that it refers to, behind the name of its model if
 * a column has that. */
static cm_value_t shown_value(const cm_field_t *field, int is_reference,
                              apr_pool_t *pool)
{
    cm_value_t value = field->value;
    cm_identity_t identity;

    if (is_reference && value.kind == CM_TEXT &&
        cm_identity_of_key(&identity, value.data, pool))
        value = cm_value_of(CM_TEXT, apr_pstrcat(pool, identity.origin, " ",
                                                 identity.original_id, NULL));
    if (field->name && field->name->kind > CM_NULL)
        value = cm_value_of(
            CM_TEXT,
            apr_pstrcat(pool, field->name->data, " ",
                        value.kind > CM_NULL ? value.data : "null", NULL));
    return value;
}

/* Return whether CONFLICTS (NULL: none) have ONE already. A row that is adopted
 * may differ in a column that both sides have changed. */
static int is_noted(const apr_array_header_t *conflicts,
                    const cm_conflict_t *one)
{
    int i;

    for (i = 0; conflicts && i < conflicts->nelts; i++) {
        const cm_conflict_t *other =
            &APR_ARRAY_IDX(conflicts, i, cm_conflict_t);

        if (other->message_id == one->message_id &&
            other->lost_clock == one->lost_clock &&
            !strcmp(other->column, one->column) &&
            !cm_value_compare(other->lost, one->lost))
            return 1;
    }
    return 0;
}

void cm_conflicts_note(cm_run_t *run, const cm_record_t *record,
                       const cm_message_t *message, int i,
                       const cm_field_t *lost, const cm_field_t *won)
{
    const cm_column_t *column = &record->table->columns[i];
    const int is_reference = cm_reference_is(column);
    const cm_conflict_t conflict = {
        .model = record->table->model->name,
        .column = column->name,
        .lost = shown_value(lost, is_reference, run->pool),
        .lost_clock = lost->clock,
        .won = shown_value(won, is_reference, run->pool),
        .won_clock = won->clock,
        .peer = run->peer,
        .message_id = message->id};

    if (!is_noted(record->effect->conflicts, &conflict))
        APR_ARRAY_PUSH(record->effect->conflicts, cm_conflict_t) = conflict;
}

void cm_conflicts_keep(cm_run_t *run, cm_record_t *record)
{
    apr_array_header_t *conflicts = record->effect->conflicts;
    int i;

    for (i = 0; i < conflicts->nelts; i++) {
        cm_conflict_t conflict = APR_ARRAY_IDX(conflicts, i, cm_conflict_t);

        /* the same messages are merged again when their record is complete */
        if (is_noted(record->kept, &conflict))
            continue;
        conflict.identity = record->entry->identity;
        conflict.local_id = record->here->local_id;
        APR_ARRAY_PUSH(run->conflicts, cm_conflict_t) = conflict;
    }
    record->kept = record->effect->partial ? conflicts : NULL;
}
