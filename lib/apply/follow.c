/* Sequences follow the numbers that messages bring: otherwise the database
 * would give them again, to other rows (schema/sequence.h).
 *
 * Once per run and column, and only if the highest number is higher than any
 * that this connection knows the sequence to be ahead of. A sequence is shared
 * with sessions that do not wait for this transaction, and moves even if it is
 * rolled back: that only leaves a gap. */
#include "apply/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "node/problem.h"

/* Return whether COLUMN may have a sequence. */
static int may_be_numbered(const cm_column_t *column)
{
    return (column->is_key || column->has_default) &&
           (column->value_class == CM_CLASS_INTEGER ||
            column->value_class == CM_CLASS_DECIMAL);
}

static cm_highest_t *find(cm_run_t *run, const cm_table_t *table,
                          const cm_column_t *column)
{
    cm_highest_t *found;
    int i;

    for (i = 0; i < run->numbers->nelts; i++) {
        found = &APR_ARRAY_IDX(run->numbers, i, cm_highest_t);
        if (found->column == column)
            return found;
    }
    found = apr_array_push(run->numbers);
    *found = (cm_highest_t){column, table, APR_INT64_MIN};
    return found;
}

void cm_follow_cell(cm_run_t *run, const cm_table_t *table,
                    const cm_column_t *column, const cm_datum_t *cell)
{
    cm_highest_t *highest;
    apr_int64_t number;

    if (!cm_dialect_of_store(run->node->store)->has_sequences ||
        !may_be_numbered(column) || !cell->data)
        return;
    highest = find(run, table, column);
    number = apr_atoi64(cell->data);
    if (number > highest->number)
        highest->number = number;
}

void cm_follow_record(cm_run_t *run, const cm_record_t *record)
{
    const cm_effect_t *effect = record->effect;
    const cm_table_t *table = record->table;
    int i;

    if (effect->kind != CM_EFFECT_CREATE && effect->kind != CM_EFFECT_UPDATE)
        return;
    for (i = 0; i < table->column_count; i++)
        if (effect->writes[i])
            cm_follow_cell(run, table, &table->columns[i], &effect->cells[i]);
}

/* SEQUENCE stays behind NUMBER. That is no reason to refuse messages, but a
 * person has to know. */
static cm_error_t *note_refused(cm_run_t *run, const cm_sequence_t *sequence,
                                apr_int64_t number, apr_pool_t *pool)
{
    const cm_problem_t problem = {
        .severity = CM_SEVERITY_WARNING,
        .peer = run->peer,
        .kind = "sequence",
        .text = apr_psprintf(
            pool,
            "the sequence '%s' stays behind '%s' %" APR_INT64_T_FMT
            ", which is taken: '%s' may not change it",
            sequence->name, sequence->column, number, sequence->user),
        .hint = cm_sequence_remedy(sequence, pool)};

    return cm_problem_note(run->node, &problem, pool);
}

static cm_error_t *follow(cm_run_t *run, const cm_highest_t *highest,
                          cm_sequence_t *sequence, apr_pool_t *scratch_pool)
{
    int refused;

    if (sequence->ahead >= highest->number)
        return NULL;
    CM_TRY(cm_sequence_follow(&refused, run->node->store, sequence,
                              highest->number, scratch_pool));
    sequence->ahead = highest->number;
    return refused ? note_refused(run, sequence, highest->number, scratch_pool)
                   : NULL;
}

cm_error_t *cm_follow_sequences(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_array_header_t *sequences;
    int i, j;

    for (i = 0; i < run->numbers->nelts; i++) {
        const cm_highest_t *highest =
            &APR_ARRAY_IDX(run->numbers, i, cm_highest_t);

        CM_TRY(cm_node_sequences(&sequences, run->node, highest->table->model,
                                 scratch_pool));
        for (j = 0; j < sequences->nelts; j++) {
            cm_sequence_t *sequence =
                &APR_ARRAY_IDX(sequences, j, cm_sequence_t);

            if (!strcmp(sequence->column, highest->column->name))
                CM_TRY(follow(run, highest, sequence, scratch_pool));
        }
    }
    return NULL;
}
