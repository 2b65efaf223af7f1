/* Reading the values of many records at a time: see verify.h. */
#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"
#include "record/alike.h"
#include "record/captured.h"
#include "record/keys.h"
#include "record/reference.h"
#include "outbox/missing.h"
#include "outbox/spelled.h"
#include "verify/verify.h"

/* Records are read in steps of about so many bytes, at most so many records. */
#define STEP_BYTES   (1024 * 1024)
#define STEP_FIRST   16
#define STEP_RECORDS 512

int cm_verify_values_pace(int count, apr_size_t bytes)
{
    apr_size_t fit;

    if (!count)
        return STEP_FIRST;
    fit = STEP_BYTES / (bytes / count + 1);
    if (fit < 1)
        return 1;
    if (fit > STEP_RECORDS)
        fit = STEP_RECORDS;
    return (int)fit < 4 * count ? (int)fit : 4 * count;
}

/* Let LOCAL_IDS that stand there twice share their values: a record may be
 * asked for by several identities. */
static void share_values(cm_value_t **values, const char *const *local_ids,
                         int count, apr_pool_t *pool)
{
    apr_hash_t *first = apr_hash_make(pool);
    int i;

    for (i = 0; i < count; i++) {
        cm_value_t *const *known =
            apr_hash_get(first, local_ids[i], APR_HASH_KEY_STRING);

        if (known)
            values[i] = *known;
        else
            apr_hash_set(first, local_ids[i], APR_HASH_KEY_STRING, &values[i]);
    }
}

static cm_error_t *read_capture(cm_value_t **values, const cm_verify_t *verify,
                                const cm_datum_t *raw, apr_pool_t *pool)
{
    apr_array_header_t *attributes;
    int i;

    CM_TRY(cm_captured_read(&attributes, verify->table, *raw,
                            cm_dialect_of_store(verify->node->store), pool));
    *values =
        apr_pcalloc(pool, (verify->columns->nelts + 1) * sizeof(**values));
    for (i = 0; i < verify->columns->nelts; i++)
        (*values)[i].kind = CM_NULL;
    for (i = 0; i < attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(attributes, i, cm_attribute_t);
        const int *place =
            apr_hash_get(verify->places, attribute->name, APR_HASH_KEY_STRING);

        if (place)
            (*values)[*place] = attribute->value;
    }
    return NULL;
}

/* Find the identities of the records IDS of MODEL: id -> cm_identity_key(). A
 * record without a mapping has the identity that it will get. One that is not
 * here has none: a reference to it is sent as null. */
static cm_error_t *identify_records(apr_hash_t **keys,
                                    const cm_verify_t *verify,
                                    const cm_model_t *model,
                                    const apr_array_header_t *ids,
                                    apr_pool_t *pool)
{
    apr_array_header_t *unmapped = apr_array_make(pool, 4, sizeof(char *));
    apr_array_header_t *present;
    apr_hash_t *found;
    int i;

    *keys = apr_hash_make(pool);
    CM_TRY(cm_spelled_mappings(&found, verify->node, model, ids, pool));
    for (i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);
        const cm_mapping_t *mapping =
            apr_hash_get(found, id, APR_HASH_KEY_STRING);

        if (mapping)
            apr_hash_set(*keys, id, APR_HASH_KEY_STRING,
                         cm_identity_key(mapping->identity, pool));
        else
            APR_ARRAY_PUSH(unmapped, const char *) = id;
    }
    if (!unmapped->nelts)
        return NULL;
    CM_TRY(cm_missing_present(&present, verify->node, model, unmapped, pool));
    for (i = 0; i < present->nelts; i++) {
        const char *id = APR_ARRAY_IDX(present, i, const char *);

        apr_hash_set(*keys, id, APR_HASH_KEY_STRING,
                     cm_identity_key(
                         cm_mapping_identity_of_local(
                             verify->node, model, id,
                             cm_mapping_first_life(verify->node, model), pool),
                         pool));
    }
    return NULL;
}

/* Replace the ids in column PLACE of ROWS by identities. NULL in ROWS: not to
 * be replaced. */
static cm_error_t *identify_references(cm_value_t **rows, int count,
                                       const cm_verify_t *verify,
                                       const cm_model_t *model, int place,
                                       apr_pool_t *pool)
{
    cm_id_set_t *ids = cm_id_set_create(count, pool);
    apr_hash_t *keys;
    int i;

    for (i = 0; i < count; i++) {
        const char *id = rows[i] && rows[i][place].kind > CM_NULL
                             ? rows[i][place].data
                             : NULL;

        if (id)
            cm_id_set_add(ids, id);
    }
    CM_TRY(identify_records(&keys, verify, model, ids->ids, pool));
    for (i = 0; i < count; i++) {
        cm_value_t *value = rows[i] ? &rows[i][place] : NULL;
        const char *key;

        if (!value || value->kind <= CM_NULL)
            continue;
        key = apr_hash_get(keys, value->data, APR_HASH_KEY_STRING);
        *value = key ? (cm_value_t){CM_TEXT, key, strlen(key)}
                     : (cm_value_t){.kind = CM_NULL};
    }
    return NULL;
}

const cm_model_t *cm_verify_values_model(const cm_verify_t *verify,
                                         const cm_column_t *column,
                                         const cm_value_t *values)
{
    const cm_value_t none = {.kind = CM_ABSENT};
    const int *name = column->named_by
                          ? apr_hash_get(verify->places, column->named_by->name,
                                         APR_HASH_KEY_STRING)
                          : NULL;

    return cm_reference_model(verify->node->settings, column,
                              name ? values[*name] : none);
}

/* Return those of ROWS in which COLUMN refers to a record of MODEL; NULL for
 * the others. */
static cm_value_t **rows_of_model(cm_value_t **rows, int count,
                                  const cm_verify_t *verify,
                                  const cm_column_t *column,
                                  const cm_model_t *model, apr_pool_t *pool)
{
    cm_value_t **chosen = apr_pcalloc(pool, (count + 1) * sizeof(*chosen));
    int i;

    for (i = 0; i < count; i++)
        if (rows[i] && cm_verify_values_model(verify, column, rows[i]) == model)
            chosen[i] = rows[i];
    return chosen;
}

/* Replace the ids in the references of ROWS, all of which still have their raw
 * values, by identities. */
static cm_error_t *identify_all(cm_value_t **rows, int count,
                                const cm_verify_t *verify,
                                const cm_column_t *column, int place,
                                apr_pool_t *pool)
{
    const cm_settings_t *settings = verify->node->settings;
    int i;

    if (column->reference)
        return identify_references(
            rows, count, verify, cm_settings_model(settings, column->reference),
            place, pool);
    for (i = 0; i < settings->models->nelts; i++) {
        const cm_model_t *model =
            APR_ARRAY_IDX(settings->models, i, const cm_model_t *);

        CM_TRY(identify_references(
            rows_of_model(rows, count, verify, column, model, pool), count,
            verify, model, place, pool));
    }
    return NULL;
}

/* What refers to nothing in COLUMN, at PLACE in ROWS, is null. */
static void clear_none(cm_value_t **rows, int count, int place,
                       const cm_column_t *column, apr_pool_t *pool)
{
    int i;

    for (i = 0; column->none && i < count; i++)
        if (rows[i] && cm_reference_is_none(column, rows[i][place], pool))
            rows[i][place] = (cm_value_t){.kind = CM_NULL};
}

/* Bring the values of ROWS into the form in which they are compared. */
static cm_error_t *form_values(cm_value_t **rows, int count,
                               const cm_verify_t *verify, apr_pool_t *pool)
{
    int place, i;

    for (place = 0; place < verify->columns->nelts; place++) {
        const cm_verify_column_t *column =
            &APR_ARRAY_IDX(verify->columns, place, cm_verify_column_t);
        const cm_column_t *here = cm_table_column(verify->table, column->name);

        if (here && cm_reference_is(here)) {
            clear_none(rows, count, place, here, pool);
            CM_TRY(identify_all(rows, count, verify, here, place, pool));
            continue;
        }
        for (i = 0; i < count; i++)
            if (rows[i])
                rows[i][place] =
                    cm_alike_form(column->like, rows[i][place], pool);
    }
    return NULL;
}

cm_error_t *cm_verify_values(const cm_value_t ***rows_out, apr_size_t *bytes,
                             const cm_verify_t *verify,
                             const char *const *local_ids, int count,
                             apr_pool_t *pool)
{
    cm_value_t **values = apr_pcalloc(pool, (count + 1) * sizeof(*values));
    cm_keys_t *keys = cm_keys_create(verify->node->store, verify->table, pool);
    cm_rows_t *rows;
    int i;

    *bytes = 0;
    for (i = 0; i < count; i++)
        cm_keys_add(keys, local_ids[i], &values[i], 0);
    CM_TRY_FOR(cm_keys_select(&rows, keys, verify->table->capture, 0, pool),
               pool, "cannot read the records of model '%s'",
               verify->table->model->name);
    for (i = 0; i < rows->count; i++) {
        cm_value_t **place = cm_keys_find(keys, cm_cell_text(rows, i, 0));
        const cm_datum_t *raw = cm_cell(rows, i, 1);

        CM_TRY(cm_captured_complete(&raw, verify->node->store, verify->table,
                                    cm_cell_text(rows, i, 0), pool));
        *bytes += raw->size;
        if (place)
            CM_TRY(read_capture(place, verify, raw, pool));
    }
    CM_TRY(form_values(values, count, verify, pool));
    share_values(values, local_ids, count, pool);
    *rows_out = (const cm_value_t **)values;
    return NULL;
}
