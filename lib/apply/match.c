/* match=: a record that is received for the first time may have been created on
 * both sides. If a row here has the same values in the columns of match=, it is
 * adopted, and no second one is created. */
#include "apply/internal.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "record/canonical.h"
#include "record/captured.h"
#include "record/fit.h"
#include "record/reference.h"
#include "outbox/aliases.h"

/* Records of one table for which matching rows are looked for. */
typedef struct looking_t {
    const cm_table_t *table;
    cm_bulk_t *keys;
    apr_hash_t *records; /* values as one text -> cm_record_t * */
} looking_t;

static const cm_attribute_t *last_attribute(const cm_record_t *record,
                                            const char *name)
{
    int i, j;

    for (i = record->tasks->nelts - 1; i >= 0; i--) {
        const cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);
        const apr_array_header_t *attributes = task->message->attributes;

        for (j = 0; !task->fault && attributes && j < attributes->nelts; j++) {
            const cm_attribute_t *attribute =
                &APR_ARRAY_IDX(attributes, j, cm_attribute_t);

            if (!strcmp(attribute->name, name))
                return attribute;
        }
    }
    return NULL;
}

/* Return the parent that RECORD has in COLUMN of match=, or NULL. */
static const cm_entry_t *parent_of(cm_run_t *run, const cm_record_t *record,
                                   const char *column)
{
    const cm_attribute_t *attribute = last_attribute(record, column);
    const cm_column_t *to = cm_table_column(record->table, column);

    return attribute && to ? cm_directory_parent_now(run, attribute, to) : NULL;
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

/* Return whether the parents by which RECORD was found still have the rows that
 * they match. */
static int match_stands(cm_run_t *run, const cm_record_t *record)
{
    const apr_array_header_t *match = record->table->model->columns.match;
    int i;

    for (i = 0; i < match->nelts; i++) {
        const cm_entry_t *parent =
            parent_of(run, record, APR_ARRAY_IDX(match, i, const char *));

        if (parent && !local_id_of(parent))
            return 0;
    }
    return 1;
}

/* Return the value of RECORD in a column of match=, as a row here would hold
 * it. CM_ABSENT: it has none, and no row matches. */
static cm_value_t match_value(cm_run_t *run, const cm_record_t *record,
                              const char *name)
{
    const cm_attribute_t *attribute = last_attribute(record, name);
    const cm_column_t *column = cm_table_column(record->table, name);
    cm_value_t value = {.kind = CM_ABSENT};
    const char *id;

    if (!attribute || !column)
        return value;
    if (attribute->reference_model) {
        id = local_id_of(parent_of(run, record, name));
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
        cm_value_t value = match_value(run, record, name);

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

/* Return whether a message of this run deletes RECORD. */
static int is_dying(const cm_record_t *record)
{
    int i;

    for (i = 0; i < record->tasks->nelts; i++) {
        if (CM_NTH(record->tasks, i, cm_task_t)->message->action == CM_DELETE)
            return 1;
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
            record->match == CM_MATCH_OPEN && !is_dying(record))
            look_for(run, record, looking_of(all, record->table, scratch_pool));
    }
    for (index = apr_hash_first(scratch_pool, all); index;
         index = apr_hash_next(index))
        CM_TRY(find_rows(found, run, apr_hash_this_val(index), scratch_pool));
    return NULL;
}

static cm_error_t *save_one(cm_run_t *run, cm_mapping_t *mapping,
                            apr_pool_t *pool)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(cm_mapping_t *));

    mapping->changed = 1;
    APR_ARRAY_PUSH(one, cm_mapping_t *) = mapping;
    return cm_mapping_save(run->node, one, pool);
}

/* OTHER, the smaller identity, takes over the row of MAPPING, which becomes its
 * alias. Only one mapping may have a local id, hence the two steps. */
static cm_error_t *rename_record(cm_run_t *run, const cm_entry_t *other,
                                 const cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_mapping_t smaller = *mapping, alias = *mapping;

    alias.local_id = NULL;
    alias.same_as = other->identity;
    CM_TRY(save_one(run, &alias, pool));
    smaller.stored = 0;
    smaller.identity = other->identity;
    return save_one(run, &smaller, pool);
}

static cm_error_t *add_alias(cm_run_t *run, const cm_entry_t *entry,
                             const cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_mapping_t alias = {.type = mapping->type,
                          .identity = entry->identity,
                          .same_as = mapping->identity};

    return save_one(run, &alias, pool);
}

/* The matching row belongs to another record than RECORD. */
static void let_go(cm_run_t *run, cm_record_t *record)
{
    record->match = CM_MATCH_NONE;
    cm_lock_set_row(run, record, record->row->wanted, NULL,
                    record->row->local_id);
}

static int compare_tasks(const void *a, const void *b)
{
    const apr_int64_t first = (*(cm_task_t *const *)a)->message->id;
    const apr_int64_t second = (*(cm_task_t *const *)b)->message->id;

    return (first > second) - (first < second);
}

/* The messages of RECORD are about OTHER, which other messages of this run are
 * about. They stay in order: an earlier one is in no conflict with one that
 * knew it. */
static void join_records(cm_run_t *run, cm_record_t *record, cm_record_t *other)
{
    int i;

    for (i = 0; i < record->tasks->nelts; i++)
        CM_NTH(record->tasks, i, cm_task_t)->record = other;
    apr_array_cat(other->tasks, record->tasks);
    qsort(other->tasks->elts, other->tasks->nelts, sizeof(cm_task_t *),
          compare_tasks);
    record->tasks->nelts = 0;
    let_go(run, record);
}

/* Give the record of MAPPING the identity of RECORD as a second one. */
static cm_error_t *name_twice(cm_run_t *run, cm_record_t *record,
                              cm_entry_t *named, const cm_mapping_t *mapping,
                              apr_pool_t *pool)
{
    cm_record_t *other = named->record;
    cm_entry_t *entry = record->entry;

    /* Forward it: from now on the other peers receive this record, and what
     * refers to it, under one of the two identities. */
    CM_NTH(record->tasks, 0, cm_task_t)->changed = 1;
    if (cm_aliases_compare(entry->identity, mapping->identity) < 0)
        CM_TRY(rename_record(run, entry, mapping, pool));
    else
        CM_TRY(add_alias(run, entry, mapping, pool));
    CM_TRY(cm_directory_refresh(run, pool));
    if (other)
        join_records(run, record, other);
    else
        other = record;
    entry = cm_directory_main(entry);
    entry->record = other;
    other->entry = entry;
    return NULL;
}

/* *WAITS: before the same peer sent RECORD, it deleted that of MAPPING, and
 * this is parked. What it has made since then is another record. */
static cm_error_t *delete_waits(int *waits, cm_run_t *run,
                                const cm_record_t *record,
                                const cm_mapping_t *mapping, apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_text(run->peer), cm_datum_text(record->entry->model->name),
        cm_datum_text(mapping->identity.origin),
        cm_datum_text(mapping->identity.original_id)};
    const cm_task_t *first = CM_NTH(record->tasks, 0, const cm_task_t);
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(
        &rows, run->node->store,
        apr_psprintf(pool,
                     "SELECT id FROM inbound_messages WHERE peer = %%s"
                     " AND model = %%s AND origin = %%s AND original_id = %%s"
                     " AND action = 'delete' AND processed_at IS NULL"
                     " AND id < %" APR_INT64_T_FMT " LIMIT 1",
                     first->message->id),
        arguments, 4, pool));
    *waits = rows->count > 0;
    return NULL;
}

/* Adopt the row that RECORD matches, which has MAPPING (NULL: none). But two
 * records of one origin are different ones, and a record that a message
 * deletes, of this run or a parked one, makes room for its successor. */
static cm_error_t *adopt(cm_run_t *run, cm_record_t *record,
                         const cm_mapping_t *mapping, apr_pool_t *pool)
{
    cm_entry_t *named;
    int waits;

    if (!mapping)
        return NULL;
    named = cm_directory_get(run, record->entry->model, mapping->identity);
    waits = named->record && is_dying(named->record);
    if (waits)
        record->former = named->record;
    else if (strcmp(mapping->identity.origin, record->entry->identity.origin))
        CM_TRY(delete_waits(&waits, run, record, mapping, pool));
    else
        waits = 1;
    if (waits) {
        let_go(run, record);
        return NULL;
    }
    return name_twice(run, record, named, mapping, pool);
}

cm_error_t *cm_match_adopt(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int i;

    for (i = 0; i < run->matched->nelts; i++) {
        cm_record_t *record = CM_NTH(run->matched, i, cm_record_t);
        apr_array_header_t *ids;
        apr_hash_t *found;

        if (record->match != CM_MATCH_FOUND || record->entry->found->mapping)
            continue;
        if (!match_stands(run, record)) {
            let_go(run, record);
            continue;
        }
        ids = apr_array_make(scratch_pool, 1, sizeof(const char *));
        APR_ARRAY_PUSH(ids, const char *) = record->row->local_id;
        CM_TRY(cm_mapping_by_local_id(
            &found, run->node, record->table->model->type, ids, run->pool));
        CM_TRY(adopt(
            run, record,
            apr_hash_get(found, record->row->local_id, APR_HASH_KEY_STRING),
            scratch_pool));
    }
    return NULL;
}
