/* Reading rows back: the database may have stored something other than what was
 * written. */
#include "apply/internal.h"

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

static cm_error_t *compare_row(cm_run_t *run, const cm_record_t *record,
                               const char *local_id, const cm_datum_t *raw,
                               apr_pool_t *pool)
{
    const cm_table_t *table = record->table;
    apr_array_header_t *attributes;
    int i;

    CM_TRY(cm_captured_read(&attributes, table, *raw,
                            cm_dialect_of_store(run->node->store), pool));
    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);
        int place = cm_table_settable(table, attribute->name);
        const cm_column_t *column = &table->columns[place < 0 ? 0 : place];
        cm_value_t written, stored = attribute->value;

        if (place < 0 || record->effect->raw[place].kind == CM_ABSENT)
            continue;
        written = form_of(column, record->effect->raw[place], pool);
        stored = form_of(column, stored, pool);
        if (cm_value_compare(written, stored))
            note(run, record, local_id, column, written, stored);
    }
    return NULL;
}

cm_error_t *cm_readback_compare(cm_run_t *run, const cm_chunk_t *chunk,
                                apr_pool_t *scratch_pool)
{
    cm_keys_t *keys;
    cm_rows_t *rows;
    int i;

    if (!may_be_altered(chunk->records[0]))
        return NULL;
    keys = cm_keys_create(run->node->store, chunk->table, scratch_pool);
    for (i = 0; i < chunk->count; i++)
        cm_keys_add(keys, chunk->mappings[i].local_id, chunk->records[i], 1);
    CM_TRY(cm_keys_select(&rows, keys, chunk->table->capture, 0, scratch_pool));
    for (i = 0; i < rows->count; i++) {
        const char *id = cm_cell_text(rows, i, 0);
        const cm_record_t *record = cm_keys_find(keys, id);

        if (record)
            CM_TRY(compare_row(run, record, apr_pstrdup(run->pool, id),
                               cm_cell(rows, i, 1), scratch_pool));
    }
    return NULL;
}
