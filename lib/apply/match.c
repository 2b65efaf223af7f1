/* match=: a record that is received for the first time may have been created on
 * both sides. If a row here has the same values in the columns of match=, it is
 * adopted, and no second one is created. */
#include "apply/match_internal.h"
#include "apply/sender_internal.h"

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

/* Return what MESSAGE says of the column NAME, or NULL. */
static const cm_attribute_t *attribute_of(const cm_message_t *message,
                                          const char *name)
{
    const apr_array_header_t *attributes = message->attributes;
    int i;

    for (i = 0; attributes && i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);

        if (!strcmp(attribute->name, name))
            return attribute;
    }
    return NULL;
}

/* Return whether what LATER says of the column NAME is what its sender had
 * there, rather than what EARLIER, a message before it, says. A hub forwards
 * messages as it has received them: what they say of columns that they did not
 * change may be older than what the hub has sent before. */
static int prevails(cm_run_t *run, const cm_task_t *later,
                    const cm_task_t *earlier, const char *name)
{
    const apr_int64_t clock = cm_clocks_of(&later->message->clocks, name);
    const apr_int64_t before = cm_clocks_of(&earlier->message->clocks, name);
    const int column = cm_table_settable(later->table, name);
    cm_field_t here, there;

    if (clock != before || column < 0 || later->message->from_gem)
        return clock >= before;
    here = cm_apply_read_column(run, earlier, column);
    there = cm_apply_read_column(run, later, column);
    return !cm_state_field_wins(&here, &there);
}

/* Return what the record of RECORD's messages before number ID (0: all) has in
 * the column NAME at their sender, as far as they say, or NULL. */
static const cm_attribute_t *newest_attribute(cm_run_t *run,
                                              const cm_record_t *record,
                                              const char *name, apr_int64_t id)
{
    const cm_attribute_t *newest = NULL;
    const cm_task_t *by = NULL;
    int i;

    for (i = 0; i < record->tasks->nelts; i++) {
        const cm_task_t *task = CM_NTH(record->tasks, i, cm_task_t);
        const cm_attribute_t *attribute;

        if (task->fault || (id && task->message->id >= id))
            continue;
        attribute = attribute_of(task->message, name);
        if (!attribute || (by && !prevails(run, task, by, name)))
            continue;
        newest = attribute;
        by = task;
    }
    return newest;
}

/* Return what match= compares of RECORD in the column NAME, or NULL. */
static const cm_attribute_t *said(cm_run_t *run, const cm_record_t *record,
                                  const char *name)
{
    return newest_attribute(run, record, name, record->match_before);
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
            parent_of(run, record->table, said(run, record, name));

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

/* Return what the messages of RECORD before number BEFORE (0: all) have last
 * said of the columns of match=, as one text and as CELLS. NULL: not all of
 * that, or not what a row could hold. */
static const char *text_of(cm_datum_t **cells, cm_run_t *run,
                           const cm_record_t *record, apr_int64_t before)
{
    const apr_array_header_t *match = record->table->model->columns.match;
    const char *text = "";
    int i;

    *cells = apr_palloc(run->pool, sizeof(**cells) * (match->nelts + 1));
    for (i = 0; i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);
        cm_value_t value = match_value(
            run, record->table, newest_attribute(run, record, name, before));

        if (value.kind <= CM_NULL ||
            cm_fit_value(&(*cells)[i], cm_table_column(record->table, name),
                         value, cm_dialect_of_store(run->node->store),
                         run->pool))
            return NULL;
        text = add_text(text, value, run->pool);
    }
    return text;
}

static void add_cells(looking_t *looking, const cm_datum_t *cells)
{
    int i;

    for (i = 0; i < looking->table->model->columns.match->nelts; i++)
        cm_bulk_add(looking->keys, cells[i]);
}

static void look_for(cm_run_t *run, cm_record_t *record, looking_t *looking)
{
    cm_datum_t *cells;
    const char *text = text_of(&cells, run, record, 0);
    cm_record_t *first;

    if (!text)
        return;
    record->match = CM_MATCH_NONE;
    first = apr_hash_get(looking->records, text, APR_HASH_KEY_STRING);
    if (first) { /* who made the later messages may have known the earlier */
        record->twin = first;
        return;
    }
    apr_hash_set(looking->records, text, APR_HASH_KEY_STRING, record);
    add_cells(looking, cells);
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

static apr_int64_t first_id(const cm_record_t *record)
{
    return CM_NTH(record->tasks, 0, const cm_task_t)->message->id;
}

/* Return whether a hub that has found RECORD, which is new here, to be the one
 * that it has sent us as IDENTITY would send it under its new name: that is the
 * smaller one. Two records of one node are two. */
static int is_renamed_there(const cm_run_t *run, const cm_record_t *record,
                            cm_identity_t identity)
{
    return strcmp(identity.origin, run->node->settings->name) != 0 &&
           strcmp(identity.origin, record->entry->identity.origin) != 0 &&
           cm_aliases_compare(record->entry->identity, identity) < 0;
}

/* Return whether RECORD, whose first message has the values of the row of
 * MAPPING (NULL: none), is that record at the peer: unless that one got other
 * values before. */
static int is_found_there(cm_run_t *run, cm_record_t *record,
                          const cm_mapping_t *mapping)
{
    const cm_record_t *other;
    int has_left;

    if (!mapping || !is_renamed_there(run, record, mapping->identity))
        return 0;
    other =
        cm_directory_get(run, record->entry->model, mapping->identity)->record;
    record->match_before = first_id(record) + 1;
    has_left =
        other && other != record && cm_match_has_left(run, other, record);
    record->match_before = 0;
    return !has_left;
}

static cm_error_t *take_row(int *found, cm_run_t *run, const looking_t *looking,
                            const cm_rows_t *rows, int row,
                            apr_hash_t *mappings)
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
    if (mappings &&
        !is_found_there(run, record,
                        apr_hash_get(mappings, cm_cell_text(rows, row, 0),
                                     APR_HASH_KEY_STRING)))
        return NULL;
    record->match_before = mappings ? first_id(record) + 1 : 0;
    record->match = CM_MATCH_FOUND;
    cm_lock_set_row(run, record, cm_cell_text(rows, row, 0), raw,
                    cm_cell_text(rows, row, 0));
    APR_ARRAY_PUSH(run->matched, cm_record_t *) = record;
    ++*found;
    return NULL;
}

/* Take those of ROWS that records of LOOKING match; FIRST: by their first
 * messages. */
static cm_error_t *take_rows(int *found, cm_run_t *run,
                             const looking_t *looking, const cm_rows_t *rows,
                             int first, apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids =
        apr_array_make(scratch_pool, rows->count + 1, sizeof(const char *));
    apr_hash_t *mappings = NULL;
    int i;

    for (i = 0; first && i < rows->count; i++)
        APR_ARRAY_PUSH(ids, const char *) = cm_cell_text(rows, i, 0);
    if (ids->nelts)
        CM_TRY(cm_mapping_by_local_id(&mappings, run->node,
                                      looking->table->model->type, ids,
                                      scratch_pool));
    for (i = 0; i < rows->count; i++)
        CM_TRY(take_row(found, run, looking, rows, i, mappings));
    return NULL;
}

static cm_error_t *find_rows(int *found, cm_run_t *run,
                             const looking_t *looking, int first,
                             apr_pool_t *scratch_pool)
{
    const char *wanted = apr_pstrcat(scratch_pool, looking->table->key_text,
                                     ", ", looking->table->capture, NULL);
    cm_rows_t *rows;

    if (!cm_bulk_rows(looking->keys))
        return NULL;
    CM_TRY(cm_bulk_select(&rows, run->node->store, wanted, looking->keys, NULL,
                          1, run->pool));
    return take_rows(found, run, looking, rows, first, scratch_pool);
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
    const apr_int64_t first = first_id(record);
    int i;

    for (i = 0; i < match->nelts; i++) {
        const char *name = APR_ARRAY_IDX(match, i, const char *);

        if (differs(match_value(run, other->table,
                                newest_attribute(run, other, name, first)),
                    match_value(run, record->table, said(run, record, name))))
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
                differs(
                    match_value(run, record->table, attribute),
                    match_value(run, record->table, said(run, record, name))))
                return 1;
        }
    }
    return 0;
}

int cm_match_is_passed(cm_run_t *run, const cm_task_t *task)
{
    const cm_record_t *record = task->record;
    const cm_task_t *last = NULL;
    const char *text, *now;
    cm_datum_t *cells;
    int i;

    if (!record->table->model->columns.match->nelts || record->row->raw ||
        task->message->from_gem || cm_match_is_dying(record))
        return 0;
    for (i = 0; i < record->tasks->nelts; i++) {
        const cm_task_t *other = CM_NTH(record->tasks, i, const cm_task_t);

        if (other->done && other->changed)
            last = other;
    }
    if (!last || last == task)
        return 0;
    text = text_of(&cells, run, record, task->message->id + 1);
    now = text_of(&cells, run, record, last->message->id + 1);
    return text && now && strcmp(text, now) != 0;
}

/* Return whether match= is to be asked about RECORD. */
static int is_open(const cm_record_t *record)
{
    return record->table->model->columns.match->nelts && record->entry &&
           !record->entry->found->mapping && !record->row->raw &&
           record->match == CM_MATCH_OPEN && !cm_match_is_dying(record);
}

/* A node that has one peer learns from it only which records others have found
 * to be the same, and the peer has found that by what the first message of the
 * record said: later ones may have given it other values. Return these first
 * ones, as text_of(), if there are others since. */
static const char *former_text(cm_datum_t **cells, cm_run_t *run,
                               const cm_record_t *record)
{
    const cm_task_t *first;
    const char *text, *last;

    if (run->node->settings->peers->nelts != 1 || record->tasks->nelts < 2 ||
        record->table->model->shared_keys || !is_open(record))
        return NULL;
    first = CM_NTH(record->tasks, 0, const cm_task_t);
    if (first->fault || first->message->action != CM_CREATE)
        return NULL;
    last = text_of(cells, run, record, 0);
    text = text_of(cells, run, record, first->message->id + 1);
    return text && (!last || strcmp(text, last) != 0) ? text : NULL;
}

/* Find the rows of such records. If the first message was parked, they were
 * looked for when it came: a row that has its values now may be one that the
 * peer has made since, when its record had others. */
static cm_error_t *find_former_rows(int *found, int *count, cm_run_t *run,
                                    apr_pool_t *scratch_pool)
{
    apr_hash_t *all = apr_hash_make(scratch_pool);
    apr_hash_index_t *index;
    int i;

    *count = 0;
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        cm_datum_t *cells;
        const char *text = former_text(&cells, run, record);
        looking_t *looking;

        if (!text)
            continue;
        ++*count;
        if (CM_NTH(record->tasks, 0, const cm_task_t)->item->attempts)
            continue;
        looking = looking_of(all, record->table, scratch_pool);
        if (apr_hash_get(looking->records, text, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(looking->records, text, APR_HASH_KEY_STRING, record);
        add_cells(looking, cells);
    }
    for (index = apr_hash_first(scratch_pool, all); index;
         index = apr_hash_next(index))
        CM_TRY(
            find_rows(found, run, apr_hash_this_val(index), 1, scratch_pool));
    return NULL;
}

/* Return whether what RECORD was called first, TEXT, is what OTHER was called
 * then, by the messages of this run. */
static int was_called(cm_run_t *run, const cm_record_t *record,
                      const cm_record_t *other, const char *text)
{
    cm_datum_t *cells;
    const char *there = text_of(&cells, run, other, first_id(record));

    return there && !strcmp(text, there) && !cm_match_is_dying(other) &&
           is_renamed_there(run, record, other->entry->identity);
}

/* Let such records wait for those of this run that they are: they get a second
 * identity when these are here. */
static void find_former_records(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_t *all = apr_hash_make(scratch_pool);
    cm_datum_t *cells;
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t), *other;
        looking_t *looking;
        const char *text;

        if (!record->table->model->columns.match->nelts || !record->entry)
            continue;
        looking = looking_of(all, record->table, scratch_pool);
        text = former_text(&cells, run, record);
        other = text ? apr_hash_get(looking->records, text, APR_HASH_KEY_STRING)
                     : NULL;
        if (other && was_called(run, record, other, text)) {
            record->match = CM_MATCH_NONE;
            record->same_as = other->entry;
            record->same = CM_FAIL(run->pool, CM_WAITS,
                                   "it is the record of message"
                                   " %" APR_INT64_T_FMT,
                                   first_id(other));
        }
        text = text_of(&cells, run, record, 0);
        if (text && !apr_hash_get(looking->records, text, APR_HASH_KEY_STRING))
            apr_hash_set(looking->records, text, APR_HASH_KEY_STRING, record);
    }
}

cm_error_t *cm_match_find(int *found, cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_t *all = apr_hash_make(scratch_pool);
    apr_hash_index_t *index;
    int i, former;

    *found = 0;
    CM_TRY(find_former_rows(found, &former, run, scratch_pool));
    if (former)
        find_former_records(run, scratch_pool);
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (is_open(record))
            look_for(run, record, looking_of(all, record->table, scratch_pool));
    }
    for (index = apr_hash_first(scratch_pool, all); index;
         index = apr_hash_next(index))
        CM_TRY(
            find_rows(found, run, apr_hash_this_val(index), 0, scratch_pool));
    return NULL;
}
