/* Writing effects: many records in one statement, and the faulty ones alone. */
#include "apply/heirs_internal.h"
#include "apply/readback_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "record/keys.h"
#include "record/tuple.h"

/* A batch, as large as it is by default. */
#define CHUNK_ROWS  1200
#define CHUNK_BYTES (4 * 1024 * 1024)

int cm_write_is_fatal(const cm_run_t *run, const cm_error_t *err)
{
    return err->code == CM_BUSY || err->code == CM_UNAVAILABLE ||
           (err->code == CM_SCHEMA && !run->apply.isolate_schema);
}

/* Return an empty bulk of the columns that the shape of CHUNK writes; WITH_KEY:
 * and of the key, before them. */
static cm_bulk_t *begin_rows(const cm_chunk_t *chunk, int with_key,
                             apr_pool_t *pool)
{
    const cm_table_t *table = chunk->table;
    cm_bulk_column_t *columns =
        cm_keys_columns(table, table->column_count, pool);
    int keys = with_key ? table->key_count : 0, count = keys, i;

    for (i = 0; i < table->column_count; i++)
        if (chunk->records[0]->effect->writes[i])
            columns[count++] = (cm_bulk_column_t){table->columns[i].quoted,
                                                  table->columns[i].type};
    if (!count) /* new rows of default values */
        return cm_bulk_create_defaults(table->quoted, columns, chunk->count,
                                       pool);
    return cm_bulk_create(table->quoted, columns, count, keys, pool);
}

/* Add the cells of the key of RECORD. */
static cm_error_t *add_key(cm_bulk_t *bulk, cm_run_t *run,
                           const cm_record_t *record, apr_pool_t *pool)
{
    const cm_table_t *table = record->table;
    const char *id = record->here->local_id;
    cm_datum_t *cells;
    int i;

    if (table->key_count == 1) {
        cm_bulk_row(bulk, "t", id);
        return NULL;
    }
    cells = apr_palloc(pool, table->key_count * sizeof(*cells));
    if (!cm_keys_cells(cells, table, id, cm_dialect_of_store(run->node->store),
                       pool))
        return CM_FAIL(pool, CM_REJECTED, "'%s' is not a key of table '%s'", id,
                       table->model->table);
    for (i = 0; i < table->key_count; i++)
        cm_bulk_add(bulk, cells[i]);
    return NULL;
}

static cm_error_t *fill_rows(cm_bulk_t **rows, cm_run_t *run,
                             const cm_chunk_t *chunk, int with_key,
                             apr_pool_t *pool)
{
    cm_bulk_t *bulk = begin_rows(chunk, with_key, pool);
    int i, j;

    *rows = bulk;
    for (i = 0; i < chunk->count; i++) {
        const cm_record_t *record = chunk->records[i];

        if (with_key)
            CM_TRY(add_key(bulk, run, record, pool));
        for (j = 0; j < chunk->table->column_count; j++)
            if (record->effect->writes[j])
                cm_bulk_add(bulk, record->effect->cells[j]);
    }
    return NULL;
}

/* A row without a key cannot be a record: nothing could refer to it. */
static cm_error_t *no_key(const cm_table_t *table, apr_pool_t *pool)
{
    return cm_error_hint(
        CM_FAIL(pool, CM_REJECTED,
                "the new row of table '%s' has no key: '%s' is NULL",
                table->model->table, table->model->key),
        pool,
        "make the key NOT NULL, with a default if the messages bring "
        "none: `communicator-sync check` says how");
}

/* Where no index does it, keep the new rows of CHUNK from having the key of
 * another row. */
static cm_error_t *check_alone(cm_run_t *run, const cm_chunk_t *chunk,
                               apr_pool_t *pool)
{
    const cm_table_t *table = chunk->table;
    apr_hash_t *seen = apr_hash_make(pool);
    cm_keys_t *keys;
    cm_rows_t *rows;
    int i;

    if (table->key_is_unique)
        return NULL;
    keys = cm_keys_create(run->node->store, table, pool);
    for (i = 0; i < chunk->count; i++)
        cm_keys_add(keys, chunk->mappings[i].local_id, "", 0);
    CM_TRY(cm_keys_select(&rows, keys, NULL, 0, pool));
    for (i = 0; i < rows->count; i++) {
        const char *key = cm_cell_text(rows, i, 0);

        if (apr_hash_get(seen, key, APR_HASH_KEY_STRING))
            return CM_FAIL(pool, CM_REJECTED,
                           "another row of table '%s' is %s in '%s'",
                           table->model->table, key, table->model->key);
        apr_hash_set(seen, key, APR_HASH_KEY_STRING, "");
    }
    return NULL;
}

static cm_bulk_key_t bulk_key(const cm_table_t *table, apr_pool_t *pool)
{
    cm_bulk_column_t *columns =
        apr_palloc(pool, table->key_count * sizeof(*columns));
    int i;

    for (i = 0; i < table->key_count; i++)
        columns[i] =
            (cm_bulk_column_t){table->keys[i]->quoted, table->keys[i]->type};
    return (cm_bulk_key_t){table->key_given, table->key_text, columns,
                           table->key_count};
}

/* Create rows; the mappings get the keys that the database has assigned. */
static cm_error_t *create_rows(cm_run_t *run, const cm_chunk_t *chunk,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *keys;
    cm_bulk_key_t column;
    cm_bulk_t *bulk;
    int i;

    CM_TRY(fill_rows(&bulk, run, chunk, 0, scratch_pool));
    column = bulk_key(chunk->table, scratch_pool);
    CM_TRY(cm_bulk_insert_keys(&keys, run->node->store, bulk, &column,
                               scratch_pool));
    for (i = 0; i < chunk->count; i++) {
        const char *key = APR_ARRAY_IDX(keys, i, const char *);

        if (!key)
            return no_key(chunk->table, scratch_pool);
        chunk->mappings[i].local_id = apr_pstrdup(run->pool, key);
    }
    return check_alone(run, chunk, scratch_pool);
}

/* A trigger of the application may skip a row without an error: then the
 * message has not been applied. write_isolated() finds out which row it was. */
static cm_error_t *held_back(const cm_chunk_t *chunk, apr_int64_t rows,
                             const char *done, apr_pool_t *pool)
{
    return cm_error_hint(
        CM_FAIL(pool, CM_REJECTED,
                "%" APR_INT64_T_FMT " of %d rows of table '%s' were %s: a "
                "trigger or rule of the application keeps the others as they "
                "are",
                rows, chunk->count, chunk->table->model->table, done),
        pool,
        "let it ask whether messages are being applied "
        "(communicator_applying)");
}

/* Return the key that the row of RECORD has now. */
static const char *moved_key(const cm_record_t *record, apr_pool_t *pool)
{
    const cm_table_t *table = record->table;
    const char **parts = apr_palloc(pool, table->key_count * sizeof(*parts));
    int i;

    for (i = 0; i < table->key_count; i++)
        parts[i] = record->effect->raw[table->keys[i] - table->columns].data;
    return cm_tuple_write(parts, table->key_count, pool);
}

/* Let the mappings of CHUNK follow the keys of its rows, as the database writes
 * them. */
static cm_error_t *follow_keys(cm_run_t *run, const cm_chunk_t *chunk,
                               apr_pool_t *scratch_pool)
{
    cm_keys_t *keys =
        cm_keys_create(run->node->store, chunk->table, scratch_pool);
    cm_rows_t *rows;
    int i;

    for (i = 0; i < chunk->count; i++) {
        cm_mapping_t *mapping = &chunk->mappings[i];

        mapping->local_id = moved_key(chunk->records[i], run->pool);
        cm_keys_add(keys, mapping->local_id, mapping, 1);
    }
    CM_TRY(cm_keys_select(&rows, keys, NULL, 0, scratch_pool));
    for (i = 0; i < rows->count; i++) {
        const char *key = cm_cell_text(rows, i, 0);
        cm_mapping_t *mapping = cm_keys_find(keys, key);

        if (mapping)
            mapping->local_id = apr_pstrdup(run->pool, key);
    }
    return check_alone(run, chunk, scratch_pool);
}

static cm_error_t *update_rows(cm_run_t *run, const cm_chunk_t *chunk,
                               apr_pool_t *scratch_pool)
{
    apr_int64_t changed;
    cm_bulk_t *bulk;

    CM_TRY(fill_rows(&bulk, run, chunk, 1, scratch_pool));
    CM_TRY(cm_bulk_update(&changed, run->node->store, bulk, scratch_pool));
    if (changed < chunk->count)
        return held_back(chunk, changed, "changed", scratch_pool);
    return chunk->records[0]->effect->moves
               ? follow_keys(run, chunk, scratch_pool)
               : NULL;
}

/* The key of the record of CHUNK changes; what refers to it lets go of it until
 * then. */
static cm_error_t *update_released(cm_run_t *run, const cm_chunk_t *chunk,
                                   apr_pool_t *scratch_pool)
{
    const cm_record_t *record = chunk->records[0];
    apr_array_header_t *released;

    CM_TRY(cm_release_references(&released, run, record, scratch_pool));
    CM_TRY(cm_node_applying(run->node, chunk->table, scratch_pool));
    CM_TRY(update_rows(run, chunk, scratch_pool));
    return cm_release_return(released, run, record, chunk->mappings[0].local_id,
                             scratch_pool);
}

/* Fewer rows than expected are deleted when a foreign key has deleted some of
 * them together with others. That is fine if they are gone. */
static cm_error_t *delete_rows(cm_run_t *run, const cm_chunk_t *chunk,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *keys =
        apr_array_make(scratch_pool, chunk->count, sizeof(const char *));
    apr_array_header_t *released;
    apr_int64_t deleted;
    cm_bulk_t *bulk;
    cm_rows_t *left;
    int i;

    CM_TRY(fill_rows(&bulk, run, chunk, 1, scratch_pool));
    for (i = 0; i < chunk->count; i++) {
        CM_TRY(cm_heirs_adopt(run, chunk->records[i], scratch_pool));
        APR_ARRAY_PUSH(keys, const char *) = chunk->records[i]->here->local_id;
    }
    if (chunk->records[0]->releases)
        CM_TRY(cm_release_references(&released, run, chunk->records[0],
                                     scratch_pool));
    CM_TRY(cm_node_deleting(run->node, chunk->table, keys, scratch_pool));
    CM_TRY(cm_bulk_delete(&deleted, run->node->store, bulk, scratch_pool));
    if (deleted >= chunk->count)
        return NULL;
    CM_TRY(cm_bulk_select(&left, run->node->store, chunk->table->key_text, bulk,
                          NULL, 0, scratch_pool));
    return left->count ? held_back(chunk, chunk->count - left->count, "deleted",
                                   scratch_pool)
                       : NULL;
}

static cm_error_t *write_rows(cm_run_t *run, const cm_chunk_t *chunk,
                              apr_pool_t *scratch_pool)
{
    cm_readback_t *readback;

    if (chunk->kind == CM_EFFECT_NONE)
        return NULL;
    if (chunk->kind == CM_EFFECT_DELETE)
        return delete_rows(run, chunk, scratch_pool);
    CM_TRY(cm_readback_begin(&readback, run, chunk, scratch_pool));
    CM_TRY(cm_node_applying(run->node, chunk->table, scratch_pool));
    if (chunk->kind == CM_EFFECT_CREATE)
        CM_TRY(create_rows(run, chunk, scratch_pool));
    else if (chunk->records[0]->releases)
        CM_TRY(update_released(run, chunk, scratch_pool));
    else
        CM_TRY(update_rows(run, chunk, scratch_pool));
    return cm_readback_compare(readback, run, chunk, scratch_pool);
}

static cm_error_t *write_chunk(cm_run_t *run, const cm_chunk_t *chunk,
                               apr_pool_t *scratch_pool)
{
    CM_TRY(write_rows(run, chunk, scratch_pool));
    CM_TRY(cm_mappings_write(run, chunk, scratch_pool));
    if (!run->strict)
        return NULL;
    return cm_transaction_check_deferred(&run->deferred, run->node->store,
                                         run->pool, scratch_pool);
}

/* Return COUNT RECORDS as a chunk, with copies of their mappings. */
static cm_chunk_t chunk_of(cm_record_t **records, int count, apr_pool_t *pool)
{
    cm_chunk_t chunk = {records[0]->table, records[0]->effect->kind, records,
                        apr_palloc(pool, count * sizeof(cm_mapping_t)), count};
    int i;

    for (i = 0; i < count; i++)
        chunk.mappings[i] = records[i]->effect->mapping;
    return chunk;
}

/* Write COUNT records of one shape under a savepoint. When that fails, halve
 * them until each faulty one is alone. */
static cm_error_t *write_isolated(cm_run_t *run, cm_record_t **records,
                                  int count, apr_pool_t *scratch_pool)
{
    const int burials = run->burials->nelts, graves = run->graves->nelts;
    cm_store_t *store = run->node->store;
    cm_chunk_t chunk;
    apr_pool_t *pool;
    cm_error_t *err;
    int i;

    apr_pool_create(&pool, scratch_pool);
    chunk = chunk_of(records, count, pool);
    CM_TRY(cm_transaction_savepoint(store, "chunk", pool));
    err = write_chunk(run, &chunk, pool);
    if (err && cm_write_is_fatal(run, err))
        return err;
    if (err) {
        CM_TRY(cm_transaction_rollback_to(store, "chunk", pool));
        run->burials->nelts = burials;
        run->graves->nelts = graves;
    }
    CM_TRY(cm_transaction_release(store, "chunk", pool));
    for (i = 0; !err && i < count; i++)
        cm_written_note(run, records[i], &chunk.mappings[i]);
    if (err && count == 1)
        records[0]->error = cm_error_copy(err, run->pool);
    apr_pool_destroy(pool);
    if (!err || count == 1)
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

/* Writes COUNT records of one shape. */
typedef cm_error_t *(*write_t)(cm_run_t *run, cm_record_t **records, int count,
                               apr_pool_t *scratch_pool);

static cm_error_t *write_shape(cm_run_t *run, apr_array_header_t *records,
                               write_t write, apr_pool_t *scratch_pool)
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
        CM_TRY(write(run, all + begin, end - begin, scratch_pool));
        begin = end;
    }
    return NULL;
}

static cm_error_t *write_shapes(cm_run_t *run,
                                const apr_array_header_t *records,
                                write_t write, apr_pool_t *scratch_pool)
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
        CM_TRY(write_shape(run, CM_NTH(shapes, i, apr_array_header_t), write,
                           scratch_pool));
    return NULL;
}

cm_error_t *cm_write_records(cm_run_t *run, const apr_array_header_t *records,
                             apr_pool_t *scratch_pool)
{
    return write_shapes(run, records, write_isolated, scratch_pool);
}

static cm_error_t *update_unread(cm_run_t *run, cm_record_t **records,
                                 int count, apr_pool_t *scratch_pool)
{
    const cm_chunk_t chunk = {records[0]->table, CM_EFFECT_UPDATE, records,
                              NULL, count};

    CM_TRY(cm_node_applying(run->node, chunk.table, scratch_pool));
    return update_rows(run, &chunk, scratch_pool);
}

cm_error_t *cm_write_unread(cm_run_t *run, const apr_array_header_t *records,
                            apr_pool_t *scratch_pool)
{
    return write_shapes(run, records, update_unread, scratch_pool);
}
