/* Writing effects: many records in one statement, and the faulty ones alone. */
#include "apply/internal.h"

#include <string.h>

#include <apr_strings.h>

/* About 500 rows cost the least per row; more gain nothing. */
#define CHUNK_ROWS  500
#define CHUNK_BYTES (4 * 1024 * 1024)

int cm_write_is_fatal(const cm_run_t *run, const cm_error_t *err)
{
    return err->code == CM_BUSY || err->code == CM_UNAVAILABLE ||
           (err->code == CM_SCHEMA && !run->apply.isolate_schema);
}

/* Begin the rows of a statement that sets the columns that the shape of
 * FIRST writes; WITH_KEY puts the key before them. */
static cm_bulk_t *begin_rows(const cm_record_t *first, int with_key,
                             apr_pool_t *pool)
{
    const cm_table_t *table = first->table;
    cm_bulk_column_t *columns =
        apr_palloc(pool, sizeof(*columns) * (table->column_count + 1));
    int count = 0, i;

    if (with_key)
        columns[count++] =
            (cm_bulk_column_t){table->key->quoted, table->key->type};
    for (i = 0; i < table->column_count; i++) {
        if (first->effect->writes[i])
            columns[count++] = (cm_bulk_column_t){table->columns[i].quoted,
                                                  table->columns[i].type};
    }
    return cm_bulk_create(table->quoted, columns, count, with_key, pool);
}

/* New rows that consist of default values. */
static cm_bulk_t *defaults(const cm_table_t *table, int count, apr_pool_t *pool)
{
    cm_bulk_column_t *key = apr_palloc(pool, sizeof(*key));

    *key = (cm_bulk_column_t){table->key->quoted, table->key->type};
    return cm_bulk_create_defaults(table->quoted, key, count, pool);
}

static cm_bulk_t *fill_rows(cm_record_t **records, int count, int with_key,
                            apr_pool_t *pool)
{
    cm_bulk_t *bulk = begin_rows(records[0], with_key, pool);
    int i, j;

    if (!bulk->column_count)
        return defaults(records[0]->table, count, pool);
    for (i = 0; i < count; i++) {
        const cm_effect_t *effect = records[i]->effect;

        if (with_key)
            cm_bulk_row(bulk, "t", records[i]->here->local_id);
        for (j = 0; j < records[i]->table->column_count; j++) {
            if (effect->writes[j])
                cm_bulk_add(bulk, effect->cells[j]);
        }
    }
    return bulk;
}

/* A row without a key cannot be a record: nothing could refer to it. */
static cm_error_t *no_key(const cm_table_t *table, apr_pool_t *pool)
{
    return cm_error_hint(
        CM_FAIL(pool, CM_REJECTED,
                "the new row of table '%s' has no key: '%s' is NULL",
                table->model->table, table->key->name),
        pool,
        "make the key NOT NULL, with a default if the messages bring "
        "none: `communicator-sync check` says how");
}

/* Create rows; MAPPINGS get the keys that the database has given. */
static cm_error_t *create_rows(cm_run_t *run, cm_record_t **records,
                               cm_mapping_t *mappings, int count,
                               apr_pool_t *scratch_pool)
{
    const cm_table_t *table = records[0]->table;
    cm_bulk_t *bulk = fill_rows(records, count, 0, scratch_pool);
    apr_array_header_t *keys;
    int i;

    CM_TRY(cm_bulk_insert_keys(&keys, run->node->store, bulk, table->key_given,
                               scratch_pool));
    for (i = 0; i < count; i++) {
        const char *key = APR_ARRAY_IDX(keys, i, const char *);

        if (!key)
            return no_key(table, scratch_pool);
        mappings[i].local_id = apr_pstrdup(run->pool, key);
    }
    return NULL;
}

/* A trigger of the application may skip a row without an error: then the
 * message has not been applied. write_isolated() finds out which row it was. */
static cm_error_t *held_back(const cm_table_t *table, apr_int64_t rows,
                             int count, const char *done, apr_pool_t *pool)
{
    return cm_error_hint(
        CM_FAIL(pool, CM_REJECTED,
                "%" APR_INT64_T_FMT " of %d rows of table '%s' were %s: a "
                "trigger or rule of the application keeps the others as they "
                "are",
                rows, count, table->model->table, done),
        pool,
        "let it ask whether messages are being applied "
        "(communicator_applying)");
}

static cm_error_t *update_rows(cm_run_t *run, cm_record_t **records, int count,
                               apr_pool_t *scratch_pool)
{
    apr_int64_t changed;

    CM_TRY(cm_bulk_update(&changed, run->node->store,
                          fill_rows(records, count, 1, scratch_pool),
                          scratch_pool));
    if (changed >= count)
        return NULL;
    return held_back(records[0]->table, changed, count, "changed",
                     scratch_pool);
}

/* Fewer rows than expected are deleted when a foreign key has deleted some of
 * them together with others. That is fine if they are gone. */
static cm_error_t *check_gone(cm_run_t *run, const cm_table_t *table,
                              const cm_bulk_t *keys, apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;
    int count = cm_bulk_rows(keys);

    CM_TRY(cm_bulk_select(&rows, run->node->store, table->key_text, keys, NULL,
                          0, scratch_pool));
    if (!rows->count)
        return NULL;
    return held_back(table, count - rows->count, count, "deleted",
                     scratch_pool);
}

static cm_error_t *delete_rows(cm_run_t *run, cm_record_t **records, int count,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *keys =
        apr_array_make(scratch_pool, count, sizeof(const char *));
    cm_bulk_t *rows = fill_rows(records, count, 1, scratch_pool);
    apr_int64_t deleted;
    int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(keys, const char *) = records[i]->here->local_id;
    CM_TRY(cm_node_deleting(run->node, records[0]->table, keys, scratch_pool));
    CM_TRY(cm_bulk_delete(&deleted, run->node->store, rows, scratch_pool));
    if (deleted >= count)
        return NULL;
    return check_gone(run, records[0]->table, rows, scratch_pool);
}

static cm_error_t *write_rows(cm_run_t *run, cm_record_t **records,
                              cm_mapping_t *mappings, int count,
                              apr_pool_t *scratch_pool)
{
    if (records[0]->effect->kind == CM_EFFECT_NONE)
        return NULL;
    if (records[0]->effect->kind == CM_EFFECT_DELETE)
        return delete_rows(run, records, count, scratch_pool);
    CM_TRY(cm_node_applying(run->node, records[0]->table, scratch_pool));
    if (records[0]->effect->kind == CM_EFFECT_CREATE)
        return create_rows(run, records, mappings, count, scratch_pool);
    return update_rows(run, records, count, scratch_pool);
}

static cm_error_t *write_chunk(cm_run_t *run, cm_record_t **records,
                               cm_mapping_t *mappings, int count,
                               apr_pool_t *scratch_pool)
{
    CM_TRY(write_rows(run, records, mappings, count, scratch_pool));
    CM_TRY(cm_readback_compare(run, records, mappings, count, scratch_pool));
    CM_TRY(cm_mappings_write(run, records, mappings, count, scratch_pool));
    if (!run->strict)
        return NULL;
    return cm_transaction_check_deferred(&run->deferred, run->node->store,
                                         run->pool, scratch_pool);
}

/* Return copies of the mappings of COUNT effects, for writing to complete. */
static cm_mapping_t *mappings_of(cm_record_t **records, int count,
                                 apr_pool_t *pool)
{
    cm_mapping_t *mappings = apr_palloc(pool, count * sizeof(*mappings));
    int i;

    for (i = 0; i < count; i++)
        mappings[i] = records[i]->effect->mapping;
    return mappings;
}

/* Write COUNT records of one shape under a savepoint. When that fails, halve
 * them until each faulty one is alone. */
static cm_error_t *write_isolated(cm_run_t *run, cm_record_t **records,
                                  int count, apr_pool_t *scratch_pool)
{
    cm_store_t *store = run->node->store;
    cm_mapping_t *mappings;
    apr_pool_t *pool;
    cm_error_t *err;
    int i;

    apr_pool_create(&pool, scratch_pool);
    mappings = mappings_of(records, count, pool);
    CM_TRY(cm_transaction_savepoint(store, "chunk", pool));
    err = write_chunk(run, records, mappings, count, pool);
    if (!err) {
        CM_TRY(cm_transaction_release(store, "chunk", pool));
        for (i = 0; i < count; i++)
            cm_written_note(run, records[i], &mappings[i]);
        apr_pool_destroy(pool);
        return NULL;
    }
    if (cm_write_is_fatal(run, err))
        return err;
    CM_TRY(cm_transaction_rollback_to(store, "chunk", pool));
    CM_TRY(cm_transaction_release(store, "chunk", pool));
    if (count == 1)
        records[0]->error = cm_error_copy(err, run->pool);
    apr_pool_destroy(pool);
    if (count == 1)
        return NULL;
    CM_TRY(write_isolated(run, records, count / 2, scratch_pool));
    return write_isolated(run, records + count / 2, count - count / 2,
                          scratch_pool);
}

static apr_size_t size_of(const cm_record_t *record)
{
    apr_size_t size = 0;
    int i;

    for (i = 0; i < record->table->column_count; i++)
        size += record->effect->cells[i].size;
    return size;
}

static cm_error_t *write_shape(cm_run_t *run, apr_array_header_t *records,
                               apr_pool_t *scratch_pool)
{
    cm_record_t **all = (cm_record_t **)(void *)records->elts;
    int begin = 0, end;

    while (begin < records->nelts) {
        apr_size_t size = size_of(all[begin]);

        for (end = begin + 1; end < records->nelts && end - begin < CHUNK_ROWS;
             end++) {
            size += size_of(all[end]);
            if (size > CHUNK_BYTES)
                break;
        }
        CM_TRY(write_isolated(run, all + begin, end - begin, scratch_pool));
        begin = end;
    }
    return NULL;
}

cm_error_t *cm_write_records(cm_run_t *run, const apr_array_header_t *records,
                             apr_pool_t *scratch_pool)
{
    apr_hash_t *by_shape = apr_hash_make(scratch_pool);
    apr_array_header_t *shapes =
        apr_array_make(scratch_pool, 8, sizeof(apr_array_header_t *));
    int i;

    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);
        apr_array_header_t *shape =
            apr_hash_get(by_shape, record->effect->shape, APR_HASH_KEY_STRING);

        if (!shape) {
            shape = apr_array_make(scratch_pool, 16, sizeof(cm_record_t *));
            apr_hash_set(by_shape, record->effect->shape, APR_HASH_KEY_STRING,
                         shape);
            APR_ARRAY_PUSH(shapes, apr_array_header_t *) = shape;
        }
        APR_ARRAY_PUSH(shape, cm_record_t *) = record;
    }
    for (i = 0; i < shapes->nelts; i++)
        CM_TRY(write_shape(run, CM_NTH(shapes, i, apr_array_header_t),
                           scratch_pool));
    return NULL;
}
