/* See message.h. */
#include "message.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "record/tuple.h"

const char *sim_message_unquote(const char *text, apr_pool_t *pool)
{
    char *plain = apr_palloc(pool, strlen(text) + 1), *out = plain;

    for (text++; *text && *text != '"'; text++) {
        if (*text != '\\') {
            *out++ = *text;
            continue;
        }
        text++;
        if (*text == 'u') {
            *out++ = (char)strtol(apr_pstrndup(pool, text + 1, 4), NULL, 16);
            text += 4;
        }
        else {
            *out++ = *text == 'n'   ? '\n'
                     : *text == 't' ? '\t'
                     : *text == 'r' ? '\r'
                                    : *text;
        }
    }
    *out = '\0';
    return plain;
}

const char *sim_message_find(const char *json, const char *key,
                             apr_pool_t *pool)
{
    const char *at =
        json ? strstr(json, apr_pstrcat(pool, "\"", key, "\":", NULL)) : NULL;

    if (!at)
        return NULL;
    at += strlen(key) + 3;
    if (*at == '"')
        return sim_message_unquote(at, pool);
    return strncmp(at, "null", 4) ? apr_pstrndup(pool, at, strcspn(at, ",}"))
                                  : NULL;
}

const char *sim_message_key(const sim_table_t *table, const char *id,
                            apr_pool_t *pool)
{
    const char *parts[2];

    if (!id || (!table->paired && table->joined < 2) ||
        !cm_tuple_read(parts, 2, id, pool))
        return id;
    return table->paired ? parts[1]
                         : apr_pstrcat(pool, parts[0], ",", parts[1], NULL);
}

const sim_row_t *sim_message_row(const sim_message_t *parked, int table,
                                 const char *origin, const char *id)
{
    const char *key = sim_node_value(
        parked->session,
        apr_psprintf(parked->pool,
                     "SELECT coalesce(s.local_record_id, m.local_record_id)"
                     " FROM communicator_mappings AS m LEFT JOIN"
                     " communicator_mappings AS s ON s.origin = m.same_origin"
                     " AND s.original_id = m.same_id AND s.local_record_type ="
                     " m.local_record_type AND s.deleted_at = 0 WHERE"
                     " m.origin = '%s' AND m.original_id = '%s' AND"
                     " m.local_record_type = 'M%d' AND m.deleted_at = 0",
                     origin, id, table),
        parked->pool);
    int i;

    key = sim_message_key(&parked->world->schema->tables[table], key,
                          parked->pool);
    for (i = 0; key && i < parked->rows->nelts; i++) {
        const sim_row_t *row = &APR_ARRAY_IDX(parked->rows, i, sim_row_t);

        if (row->table == table && !strcmp(row->key, key))
            return row;
    }
    return NULL;
}

int sim_message_refers(int *table, const char **origin, const char **id,
                       const sim_message_t *parked, const sim_column_t *column)
{
    const char *model;
    const char *at =
        parked->refs && column->kind == SIM_REFERENCE
            ? strstr(parked->refs,
                     apr_pstrcat(parked->pool, "\"", column->name, "\":", NULL))
            : NULL;

    if (!at || !strncmp(at + strlen(column->name) + 3, "null", 4))
        return 0;
    *origin = sim_message_find(at, "origin", parked->pool);
    *id = sim_message_find(at, "original_id", parked->pool);
    model = sim_message_find(at, "model", parked->pool);
    *table = model ? (int)strtol(model + 1, NULL, 10) : column->parent;
    return 1;
}

const char *sim_message_joined_name(const sim_message_t *parked,
                                    const sim_table_t *table)
{
    const char *name = NULL, *origin, *id;
    int i, number;

    for (i = 0; i < table->joined; i++) {
        const sim_column_t *column = &table->columns[i];
        const sim_row_t *parent =
            sim_message_refers(&number, &origin, &id, parked, column)
                ? sim_message_row(parked, number, origin, id)
                : NULL;
        const char *part = parent ? parent->name : "?";

        name = name ? apr_pstrcat(parked->pool, name, ",", part, NULL) : part;
    }
    return name;
}

const char *sim_message_name(const sim_message_t *parked)
{
    const sim_table_t *table = &parked->world->schema->tables[parked->table];

    if (table->joined)
        return sim_message_joined_name(parked, table);
    if (sim_schema_is_shared(table))
        return sim_message_key(
            table,
            apr_pstrndup(parked->pool, parked->original_id,
                         strcspn(parked->original_id, "\x1f")),
            parked->pool);
    return sim_message_find(parked->body, sim_schema_name(table), parked->pool);
}

/* The name of the record that PARKED is about. */
static const char *name_of(const sim_message_t *parked)
{
    return parked->row ? parked->row->name : sim_message_name(parked);
}

void sim_message_take(sim_message_t *parked, const char **cells)
{
    parked->peer = cells[0];
    parked->id = cells[1];
    parked->model = cells[2];
    parked->table = (int)strtol(cells[2] + 1, NULL, 10);
    parked->origin = cells[3];
    parked->original_id = cells[4];
    parked->action = cells[5];
    parked->body = cells[6];
    parked->refs = cells[7];
    parked->error = cells[8];
    parked->clock = cells[9];
    parked->clocks = cells[10];
    parked->row = sim_message_row(parked, parked->table, parked->origin,
                                  parked->original_id);
    parked->name = name_of(parked);
}
