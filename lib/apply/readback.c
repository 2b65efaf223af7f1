/* Reading rows back: the database may have stored something other than what was
 * written, or a trigger may have changed a column that was not.
 *
 * What was read when the row was locked does not say what such a column held:
 * since then the row may have let go of a deleted record (release.c), a foreign
 * key may have changed it, or a trigger of another table. That is no fault of
 * this table's triggers, so the rows are read just before they are updated. */
#include "apply/readback_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "record/alike.h"
#include "record/canonical.h"
#include "record/captured.h"
#include "record/keys.h"
#include "node/altered.h"

/* Examples are for people to read: no more than this is stored. */
#define EXAMPLE_BYTES 200

struct cm_readback_t {
    const cm_datum_t **before; /* of each record of the chunk: the raw capture
                                  of its row; NULL: not read */
};

/* Return whether the database may change what is written into rows of RECORD's
 * shape. Only such rows are read back. */
static int may_be_altered(const cm_record_t *record)
{
    const cm_table_t *table = record->table;
    int i;

    if (table->own_triggers)
        return 1;
    for (i = 0; i < table->column_count; i++)
        if (record->effect->writes[i] && table->columns[i].rewrites)
            return 1;
    return 0;
}

/* Return VALUE in the form in which it is compared: reformatted JSON is equal.
 */
static cm_value_t form_of(const cm_column_t *column, cm_value_t value,
                          apr_pool_t *pool)
{
    value = cm_canonical_normalise(column, value, pool);
    return column->value_class == CM_CLASS_JSON
               ? cm_alike_form(CM_LIKE_JSON, value, pool)
               : value;
}

static const char *example_of(cm_value_t value, apr_pool_t *pool)
{
    apr_size_t size = value.size < EXAMPLE_BYTES ? value.size : EXAMPLE_BYTES;

    if (value.kind <= CM_NULL)
        return NULL;
    while (size < value.size && size > 0 && (value.data[size] & 0xC0) == 0x80)
        size--;
    /* ends at U+0000 */
    return apr_pstrmemdup(pool, value.data, size);
}

static void note(cm_run_t *run, const cm_record_t *record, const char *local_id,
                 const cm_column_t *column, cm_value_t written,
                 cm_value_t stored)
{
    const char *model = record->table->model->name;
    int i;

    for (i = 0; i < run->altered->nelts; i++) {
        const cm_altered_t *entry =
            &APR_ARRAY_IDX(run->altered, i, cm_altered_t);

        if (!strcmp(entry->model, model) &&
            !strcmp(entry->column, column->name))
            return;
    }
    APR_ARRAY_PUSH(run->altered, cm_altered_t) =
        (cm_altered_t){.model = model,
                       .column = column->name,
                       .local_id = local_id,
                       .written = example_of(written, run->pool),
                       .stored = example_of(stored, run->pool),
                       .seen_at = cm_clock_now()};
}

/* Set RAW, of each record of CHUNK, to the raw capture of its row, which is
 * found by IDS; NULL: it is not there. */
static cm_error_t *read_rows(const cm_datum_t **raw, cm_run_t *run,
                             const cm_chunk_t *chunk, const char **ids,
                             apr_pool_t *pool)
{
    cm_keys_t *keys = cm_keys_create(run->node->store, chunk->table, pool);
    cm_rows_t *rows;
    int i;

    for (i = 0; i < chunk->count; i++)
        cm_keys_add(keys, ids[i], &raw[i], 1);
    CM_TRY(cm_keys_select(&rows, keys, chunk->table->capture, 0, pool));
    for (i = 0; i < rows->count; i++) {
        const cm_datum_t **found = cm_keys_find(keys, cm_cell_text(rows, i, 0));

        if (found)
            *found = cm_cell(rows, i, 1);
    }
    return NULL;
}

/* Set *VALUES to what RAW, the capture of a row of TABLE, holds in each column,
 * in the form in which it is compared; CM_ABSENT: nothing is captured. */
static cm_error_t *read_values(cm_value_t **values, const cm_run_t *run,
                               const cm_table_t *table, const cm_datum_t *raw,
                               apr_pool_t *pool)
{
    apr_array_header_t *attributes;
    int i;

    *values = apr_pcalloc(pool, table->column_count * sizeof(**values));
    if (!raw)
        return NULL;
    CM_TRY(cm_captured_read(&attributes, table, *raw,
                            cm_dialect_of_store(run->node->store), pool));
    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);
        int place = cm_table_settable(table, attribute->name);

        if (place >= 0)
            (*values)[place] =
                form_of(&table->columns[place], attribute->value, pool);
    }
    return NULL;
}

/* Return whether column I of RECORD follows a key that the same statement
 * changes: a foreign key does that, or release.c. */
static int follows_key(const cm_record_t *record, int i)
{
    const char *reference = record->table->columns[i].reference;

    return record->effect->moves && reference &&
           !strcmp(reference, record->table->model->name);
}

/* Return what column I of RECORD is to hold: what was written, or the value
 * that it held BEFORE. CM_ABSENT: anything. */
static cm_value_t expected_of(const cm_record_t *record, cm_value_t before,
                              int i, apr_pool_t *pool)
{
    const cm_effect_t *effect = record->effect;

    if (!effect->writes[i])
        return before;
    return effect->raw[i].kind == CM_ABSENT
               ? effect->raw[i]
               : form_of(&record->table->columns[i], effect->raw[i], pool);
}

/* Note the columns of RECORD that hold something else AFTER it was written than
 * they should. */
static cm_error_t *compare_row(cm_run_t *run, const cm_record_t *record,
                               const char *local_id, const cm_datum_t *before,
                               const cm_datum_t *after, apr_pool_t *pool)
{
    const cm_table_t *table = record->table;
    cm_value_t *held, *holds;
    int i;

    CM_TRY(read_values(&held, run, table, before, pool));
    CM_TRY(read_values(&holds, run, table, after, pool));
    for (i = 0; i < table->column_count; i++) {
        const cm_value_t expected = expected_of(record, held[i], i, pool);

        if (expected.kind == CM_ABSENT || holds[i].kind == CM_ABSENT ||
            follows_key(record, i))
            continue;
        if (cm_value_compare(expected, holds[i]))
            note(run, record, local_id, &table->columns[i], expected, holds[i]);
    }
    return NULL;
}

cm_error_t *cm_readback_begin(cm_readback_t **readback, cm_run_t *run,
                              const cm_chunk_t *chunk, apr_pool_t *result_pool)
{
    const cm_datum_t **before;
    const char **ids;
    int i;

    *readback = NULL;
    if (!may_be_altered(chunk->records[0]))
        return NULL;
    *readback = apr_palloc(result_pool, sizeof(**readback));
    before = apr_pcalloc(result_pool, chunk->count * sizeof(*before));
    (*readback)->before = before;
    if (chunk->kind != CM_EFFECT_UPDATE || !chunk->table->own_triggers)
        return NULL;
    ids = apr_palloc(result_pool, chunk->count * sizeof(*ids));
    for (i = 0; i < chunk->count; i++)
        ids[i] = chunk->records[i]->here->local_id;
    return read_rows(before, run, chunk, ids, result_pool);
}

cm_error_t *cm_readback_compare(const cm_readback_t *readback, cm_run_t *run,
                                const cm_chunk_t *chunk,
                                apr_pool_t *scratch_pool)
{
    const cm_datum_t **after;
    apr_pool_t *iterpool;
    const char **ids;
    int i;

    if (!readback)
        return NULL;
    ids = apr_palloc(scratch_pool, chunk->count * sizeof(*ids));
    after = apr_pcalloc(scratch_pool, chunk->count * sizeof(*after));
    for (i = 0; i < chunk->count; i++)
        ids[i] = chunk->mappings[i].local_id;
    CM_TRY(read_rows(after, run, chunk, ids, scratch_pool));
    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < chunk->count; i++) {
        apr_pool_clear(iterpool);
        CM_TRY(compare_row(run, chunk->records[i], ids[i], readback->before[i],
                           after[i], iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}
