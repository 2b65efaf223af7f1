/* Rows that have the unique values of a parked message: see taken.h. */
#include "operate/taken.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"
#include "store/dialect.h"
#include "node/mapping.h"
#include "record/fit.h"
#include "record/message.h"

/* A refused message, and what it is about. */
typedef struct search_t {
    cm_node_t *node;
    const cm_table_t *table;
    cm_message_t *message;
    const char *own_id; /* of the row of its record; NULL: it has none */
    apr_pool_t *pool;
} search_t;

/* Read the body of the parked message ROW; *MESSAGE is NULL if it is gone, or
 * cannot be read. */
static cm_error_t *read_message(cm_message_t **message, cm_node_t *node,
                                const cm_parked_row_t *row, apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(row->peer),
                                    cm_datum_number(row->message.id, pool)};
    const cm_datum_t *body;
    cm_rows_t *rows;

    *message = NULL;
    CM_TRY(cm_statement_select(
        &rows, node->store,
        "SELECT body, clock, clocks, base, refs FROM inbound_messages"
        " WHERE peer = %s AND id = %s AND processed_at IS NULL",
        arguments, 2, pool));
    if (!rows->count || !cm_cell(rows, 0, 0)->data)
        return NULL;
    body = cm_cell(rows, 0, 0);
    *message = apr_pcalloc(pool, sizeof(**message));
    (*message)->identity = row->message.identity;
    (*message)->action = CM_UPDATE;
    (*message)->clocks.clock = cm_cell_number(rows, 0, 1);
    if (cm_message_read_stored(
            *message, body->data, body->size, cm_cell_text(rows, 0, 2),
            cm_cell_text(rows, 0, 3), cm_cell_text(rows, 0, 4), pool))
        *message = NULL;
    return NULL;
}

/* Find the local id of the record IDENTITY of MODEL; NULL: it has none here. */
static cm_error_t *find_local_id(const char **local_id, cm_node_t *node,
                                 const cm_model_t *model,
                                 cm_identity_t identity, apr_pool_t *pool)
{
    cm_mapping_t *mapping;

    CM_TRY(cm_mapping_of_identity(&mapping, node, model->type, identity, pool));
    *local_id = mapping ? mapping->local_id : NULL;
    return NULL;
}

static const cm_attribute_t *attribute_of(const cm_message_t *message,
                                          const char *name)
{
    int i;

    for (i = 0; message->attributes && i < message->attributes->nelts; i++) {
        const cm_attribute_t *attribute =
            &APR_ARRAY_IDX(message->attributes, i, cm_attribute_t);

        if (!strcmp(attribute->name, name))
            return attribute;
    }
    return NULL;
}

/* Set *VALUE to what SEARCH's message would write into COLUMN; its kind is not
 * above CM_NULL where that can be the value of several rows, or is not known.
 */
static cm_error_t *find_value(cm_value_t *value, const search_t *search,
                              const cm_column_t *column)
{
    const cm_attribute_t *attribute =
        attribute_of(search->message, column->name);
    const cm_model_t *model;
    const char *local_id = NULL;

    *value = attribute ? attribute->value : (cm_value_t){.kind = CM_ABSENT};
    if (!attribute || !attribute->reference_model)
        return NULL;
    model =
        cm_settings_model(search->node->settings, attribute->reference_model);
    if (model)
        CM_TRY(find_local_id(&local_id, search->node, model,
                             attribute->reference, search->pool));
    *value = local_id ? cm_value_of(CM_TEXT, local_id)
                      : (cm_value_t){.kind = CM_ABSENT};
    return NULL;
}

/* Add the values of the columns of UNIQUE to KEYS. *KNOWN: all are. */
static cm_error_t *add_values(int *known, cm_bulk_t *keys,
                              cm_bulk_column_t *columns, const search_t *search,
                              const cm_catalog_unique_t *unique)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(search->node->store);
    int i;

    *known = 0;
    for (i = 0; i < unique->columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(unique->columns, i, const char *);
        const cm_column_t *column =
            name ? cm_table_column(search->table, name) : NULL;
        cm_value_t value;
        cm_datum_t datum;

        if (!column)
            return NULL;
        CM_TRY(find_value(&value, search, column));
        if (value.kind <= CM_NULL ||
            cm_fit_value(&datum, column, value, dialect, search->pool))
            return NULL;
        columns[i] = (cm_bulk_column_t){column->quoted, column->type};
        cm_bulk_add(keys, datum);
    }
    *known = 1;
    return NULL;
}

/* Find the row that has the values of UNIQUE. */
static cm_error_t *find_owner(const char **key, const search_t *search,
                              const cm_catalog_unique_t *unique)
{
    const int count = unique->columns->nelts;
    cm_bulk_column_t *columns =
        apr_palloc(search->pool, count * sizeof(*columns));
    cm_bulk_t *keys = cm_bulk_create(search->table->quoted, columns, count,
                                     count, search->pool);
    cm_rows_t *rows;
    int i, known;

    *key = NULL;
    CM_TRY(add_values(&known, keys, columns, search, unique));
    if (!known)
        return NULL;
    CM_TRY(cm_bulk_select(&rows, search->node->store, search->table->key_text,
                          keys, NULL, 0, search->pool));
    for (i = 0; i < rows->count && !*key; i++)
        if (!search->own_id || strcmp(cm_cell_text(rows, i, 0), search->own_id))
            *key = cm_cell_text(rows, i, 0);
    return NULL;
}

cm_error_t *cm_taken_find(const char **holder, cm_node_t *node,
                          const cm_catalog_t *catalog,
                          const cm_parked_row_t *row, apr_pool_t *pool)
{
    const cm_model_t *model =
        cm_settings_model(node->settings, row->message.model);
    const cm_catalog_table_t *table =
        model ? cm_catalog_table(catalog, model->table) : NULL;
    search_t search = {.node = node, .pool = pool};
    const char *key = NULL;
    int i;

    *holder = NULL;
    if (!table)
        return NULL;
    CM_TRY(cm_node_table(&search.table, node, model, pool));
    CM_TRY(read_message(&search.message, node, row, pool));
    CM_TRY(find_local_id(&search.own_id, node, model, row->message.identity,
                         pool));
    for (i = 0; search.message && i < table->uniques->nelts && !key; i++)
        CM_TRY(
            find_owner(&key, &search,
                       &APR_ARRAY_IDX(table->uniques, i, cm_catalog_unique_t)));
    if (key)
        *holder = apr_pstrcat(pool, table->name, " ", key, NULL);
    return NULL;
}
