/* match=: a record that is received for the first time may have been created on
 * both sides. If a row here has the same values in the columns of match=, it is
 * adopted, and no second one is created. */
#include "apply/match_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/canonical.h"
#include "record/captured.h"
#include "record/fit.h"
#include "record/reference.h"

/* Records of one table for which matching rows are looked for. */
typedef struct looking_t {
    const cm_table_t *table;
    cm_bulk_t *keys;
    apr_hash_t *records; /* values as one text -> cm_record_t * */
} looking_t;

/* Return what the messages of RECORD before number ID (0: all) have last said
 * of the column NAME, or NULL. */
static const cm_attribute_t *last_attribute(const cm_record_t *record,
                                            const char *name, apr_int64_t id)
{
    int i, j;

    for (i = record->tasks->nelts - 1; i >= 0; i--) {
        const cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);
        const apr_array_header_t *attributes = task->message->attributes;

        if (task->fault || (id && task->message->id >= id))
            continue;
        for (j = 0; attributes && j < attributes->nelts; j++) {
            const cm_attribute_t *attribute =
                &APR_ARRAY_IDX(attributes, j, cm_attribute_t);

            if (!strcmp(attribute->name, name))
                return attribute;
        }
    }
    return NULL;
}

/* Return the parent that ATTRIBUTE (or NULL) of TABLE refers to, or NULL. */
static const cm_entry_t *parent_of(cm_run_t *run, const cm_table_t *table,
                                   const cm_attribute_t *attribute)
{
    const cm_column_t *to =
        attribute ? cm_table_column(table, attribute->name) : NULL;

    return to ? cm_directory_parent_now(run, attribute, to) : NULL;
}

/* Return the id that PARENT has here, or will have when the row that it
 * matches is adopted; or NULL. */
static const char *local_id_of(const cm_entry_t *parent)
{
    const cm_record_t *record = parent->record;

    if (parent->found->local_id || !record || record->match != CM_MATCH_FOUND)
        return parent->found->local_id;
    return record->row->local_id;
}

int cm_match_stands(cm_run_t *run, const cm_record_t *record)
{
    const apr_array_header_t *match = record->table->model->columns.match;
    int i;

    for (i = 0; i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);
        const cm_entry_t *parent =
            parent_of(run, record->table, last_attribute(record, name, 0));

        if (parent && !local_id_of(parent))
            return 0;
    }
    return 1;
}

/* Return the value of ATTRIBUTE (or NULL), a column of match=, as a row of
 * TABLE would hold it here. CM_ABSENT: it has none, and no row matches. */
static cm_value_t match_value(cm_run_t *run, const cm_table_t *table,
                              const cm_attribute_t *attribute)
{
    const cm_column_t *column =
        attribute ? cm_table_column(table, attribute->name) : NULL;
    cm_value_t value = {.kind = CM_ABSENT};
    const cm_entry_t *parent;
    const char *id;

    if (!column)
        return value;
    if (attribute->reference_model) {
        parent = parent_of(run, table, attribute);
        id = parent ? local_id_of(parent) : NULL;
        return id ? cm_value_of(CM_TEXT, id) : value;
    }
    value = attribute->value.kind == CM_NULL ? cm_reference_none(column)
                                             : attribute->value;
    return cm_canonical_normalise(column, value, run->pool);
}

static const char *add_text(const char *text, cm_value_t value,
                            apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s%" APR_SIZE_T_FMT ":%s", text, value.size,
                        value.data);
}

static void look_for(cm_run_t *run, cm_record_t *record, looking_t *looking)
{
    const apr_array_header_t *match = record->table->model->columns.match;
    cm_datum_t *cells =
        apr_palloc(run->pool, sizeof(*cells) * (match->nelts + 1));
    const char *text = "";
    cm_record_t *first;
    int i;

    for (i = 0; i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);
        cm_value_t value =
            match_value(run, record->table, last_attribute(record, name, 0));

        if (value.kind <= CM_NULL ||
            cm_fit_value(&cells[i], cm_table_column(record->table, name), value,
                         cm_dialect_of_store(run->node->store), run->pool))
            return;
        text = add_text(text, value, run->pool);
    }
    record->match = CM_MATCH_NONE;
    first = apr_hash_get(looking->records, text, APR_HASH_KEY_STRING);
    if (first) { /* who made the later messages may have known the earlier */
        record->twin = first;
        return;
    }
    apr_hash_set(looking->records, text, APR_HASH_KEY_STRING, record);
    for (i = 0; i < match->nelts; i++)
        cm_bulk_add(looking->keys, cells[i]);
}

static looking_t *looking_of(apr_hash_t *all, const cm_table_t *table,
                             apr_pool_t *pool)
{
    const apr_array_header_t *match = table->model->columns.match;
    looking_t *looking =
        apr_hash_get(all, table->model->name, APR_HASH_KEY_STRING);
    cm_bulk_column_t *columns;
    int i;

    if (looking)
        return looking;
    columns = apr_pcalloc(pool, sizeof(*columns) * match->nelts);
    for (i = 0; i < match->nelts; i++) {
        const cm_column_t *column =
            cm_table_column(table, APR_ARRAY_IDX(match, i, const char *));

        if (column)
            columns[i] = (cm_bulk_column_t){column->quoted, column->type};
    }
    looking = apr_palloc(pool, sizeof(*looking));
    looking->table = table;
    looking->keys = cm_bulk_create(table->quoted, columns, match->nelts,
                                   match->nelts, pool);
    looking->records = apr_hash_make(pool);
    apr_hash_set(all, table->model->name, APR_HASH_KEY_STRING, looking);
    return looking;
}

/* Return the values of a row in the columns of match= as one text, as
 * look_for() does. */
static const char *row_text(const looking_t *looking,
                            const apr_array_header_t *attributes,
                            apr_pool_t *pool)
{
    const apr_array_header_t *match = looking->table->model->columns.match;
    const char *text = "";
    int i, j;

    for (i = 0; i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);

        for (j = 0; j < attributes->nelts; j++) {
            const cm_attribute_t *attribute =
                &APR_ARRAY_IDX(attributes, j, cm_attribute_t);

            if (!strcmp(attribute->name, name) &&
                attribute->value.kind > CM_NULL)
                text = add_text(text, attribute->value, pool);
        }
    }
    return text;
}

static cm_error_t *take_row(int *found, cm_run_t *run, const looking_t *looking,
                            const cm_rows_t *rows, int row)
{
    const cm_datum_t *raw = cm_cell(rows, row, 1);
    apr_array_header_t *attributes;
    cm_record_t *record;

    CM_TRY(cm_captured_complete(&raw, run->node->store, looking->table,
                                cm_cell_text(rows, row, 0), run->pool));
    CM_TRY(cm_captured_read(&attributes, looking->table, *raw,
                            cm_dialect_of_store(run->node->store), run->pool));
    record =
        apr_hash_get(looking->records, row_text(looking, attributes, run->pool),
                     APR_HASH_KEY_STRING);
    if (!record || record->match == CM_MATCH_FOUND ||
        !cm_cell_text(rows, row, 0))
        return NULL;
    record->match = CM_MATCH_FOUND;
    cm_lock_set_row(run, record, cm_cell_text(rows, row, 0), raw,
                    cm_cell_text(rows, row, 0));
    APR_ARRAY_PUSH(run->matched, cm_record_t *) = record;
    ++*found;
    return NULL;
}

static cm_error_t *find_rows(int *found, cm_run_t *run,
                             const looking_t *looking, apr_pool_t *scratch_pool)
{
    const char *wanted = apr_pstrcat(scratch_pool, looking->table->key_text,
                                     ", ", looking->table->capture, NULL);
    cm_rows_t *rows;
    int i;

    if (!cm_bulk_rows(looking->keys))
        return NULL;
    CM_TRY(cm_bulk_select(&rows, run->node->store, wanted, looking->keys, NULL,
                          1, run->pool));
    for (i = 0; i < rows->count; i++)
        CM_TRY(take_row(found, run, looking, rows, i));
    return NULL;
}

int cm_match_is_dying(const cm_record_t *record)
{
    int i;

    for (i = 0; i < record->tasks->nelts; i++) {
        if (CM_NTH(record->tasks, i, cm_task_t)->message->action == CM_DELETE)
            return 1;
    }
    return 0;
}

/* Return whether THERE, which may not be known, is another value than WANTED.
 */
static int differs(cm_value_t there, cm_value_t wanted)
{
    if (there.kind == CM_ABSENT)
        return 0;
    return there.kind == CM_NULL || there.size != wanted.size ||
           memcmp(there.data, wanted.data, there.size) != 0;
}

int cm_match_has_left(cm_run_t *run, const cm_record_t *other,
                      const cm_record_t *record)
{
    const apr_array_header_t *match = record->table->model->columns.match;
    const apr_int64_t first =
        CM_NTH(record->tasks, 0, const cm_task_t)->message->id;
    int i;

    for (i = 0; i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);

        if (differs(match_value(run, other->table,
                                last_attribute(other, name, first)),
                    match_value(run, record->table,
                                last_attribute(record, name, 0))))
            return 1;
    }
    return 0;
}

int cm_match_is_other(cm_run_t *run, const apr_array_header_t *attributes,
                      const cm_record_t *record)
{
    const apr_array_header_t *match = record->table->model->columns.match;
    int i, j;

    for (i = 0; i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);

        for (j = 0; j < attributes->nelts; j++) {
            const cm_attribute_t *attribute =
                &APR_ARRAY_IDX(attributes, j, cm_attribute_t);

            if (!strcmp(attribute->name, name) && !attribute->reference_model &&
                differs(match_value(run, record->table, attribute),
                        match_value(run, record->table,
                                    last_attribute(record, name, 0))))
                return 1;
        }
    }
    return 0;
}

cm_error_t *cm_match_find(int *found, cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_t *all = apr_hash_make(scratch_pool);
    apr_hash_index_t *index;
    int i;

    *found = 0;
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->table->model->columns.match->nelts && record->entry &&
            !record->entry->found->mapping && !record->row->raw &&
            record->match == CM_MATCH_OPEN && !cm_match_is_dying(record))
            look_for(run, record, looking_of(all, record->table, scratch_pool));
    }
    for (index = apr_hash_first(scratch_pool, all); index;
         index = apr_hash_next(index))
        CM_TRY(find_rows(found, run, apr_hash_this_val(index), scratch_pool));
    return NULL;
}
