/* Steps as SQL and in words: see history.h. */
#include "history.h"

#include <string.h>

#include <apr_strings.h>

static const char *column_name(const sim_table_t *table, int column)
{
    return column == SIM_CELL_KEY   ? "id"
           : column == SIM_CELL_TAG ? "tag"
                                    : table->columns[column].name;
}

static int is_there(const sim_schema_t *schema, const sim_step_t *step,
                    const sim_cell_t *cell)
{
    const sim_table_t *table = &schema->tables[step->table];

    if (table->gone)
        return 0;
    if (cell->column < 0)
        return 1;
    return sim_schema_has(table, &table->columns[cell->column], step->node);
}

/* MariaDB does not read the table that it writes unless it takes it for
 * another one. */
static const char *plain_value(const sim_schema_t *schema,
                               const sim_step_t *step, const sim_cell_t *cell,
                               apr_pool_t *pool)
{
    const char *name, *key;

    if (cell->text) {
        int is_default = cell->column == SIM_CELL_KEY &&
                         step->kind != SIM_UPDATE &&
                         !strcmp(cell->text, "NULL") &&
                         schema->databases[step->node] == SIM_PGSQL;

        return is_default ? "DEFAULT" : cell->text;
    }
    name = schema->tables[cell->parent].name;
    if (schema->tables[cell->parent].gone)
        return "NULL";
    key = sim_schema_key(&schema->tables[cell->parent]);
    if (schema->databases[step->node] == SIM_MYSQL)
        return apr_psprintf(pool,
                            "(SELECT max(%s) FROM (SELECT %s, tag FROM %s)"
                            " AS %s WHERE tag = '%s')",
                            key, key, name, name, cell->tag);
    return apr_psprintf(pool, "(SELECT %s FROM %s WHERE tag = '%s')", key, name,
                        cell->tag);
}

static const char *value(const sim_schema_t *schema, const sim_step_t *step,
                         const sim_cell_t *cell, apr_pool_t *pool)
{
    const char *text = plain_value(schema, step, cell, pool);

    return cell->column >= 0 && cell->column < SIM_COLUMNS &&
                   schema->tables[step->table].columns[cell->column].zero
               ? apr_pstrcat(pool, "coalesce(", text, ", 0)", NULL)
               : text;
}

static const char *row(const sim_schema_t *schema, const sim_step_t *step,
                       int number, apr_pool_t *pool)
{
    const char *text = "(";
    int i;

    for (i = 0; i < step->cells[number]->nelts; i++) {
        const sim_cell_t *cell =
            &APR_ARRAY_IDX(step->cells[number], i, sim_cell_t);

        if (is_there(schema, step, cell))
            text = apr_pstrcat(pool, text, text[1] ? ", " : "",
                               value(schema, step, cell, pool), NULL);
    }
    return apr_pstrcat(pool, text, ")", NULL);
}

/* What is there already gets the new values, but not the tag, nor that of
 * match=: it stays the same record. */
static const char *on_conflict(const sim_schema_t *schema,
                               const sim_step_t *step, apr_pool_t *pool)
{
    const sim_table_t *table = &schema->tables[step->table];
    const char *key = sim_schema_key(table);
    const char *sql;
    int i, count = 0;

    if (table->joined == 2)
        key = apr_pstrcat(pool, key, ", ", table->columns[1].name, NULL);
    sql = apr_psprintf(pool, " ON CONFLICT (%s) DO UPDATE SET ", key);

    for (i = 0; i < step->cells[0]->nelts; i++) {
        const sim_cell_t *cell = &APR_ARRAY_IDX(step->cells[0], i, sim_cell_t);
        const char *name = column_name(table, cell->column);

        if (is_there(schema, step, cell) && cell->column >= table->joined &&
            cell->column != table->match)
            sql = apr_pstrcat(pool, sql, count++ ? ", " : "", name,
                              " = excluded.", name, NULL);
    }
    return count ? sql
                 : apr_psprintf(pool, " ON CONFLICT (%s) DO NOTHING", key);
}

static const char *insert(const sim_schema_t *schema, const sim_step_t *step,
                          apr_pool_t *pool)
{
    const sim_table_t *table = &schema->tables[step->table];
    int pgsql = schema->databases[step->node] == SIM_PGSQL;
    const char *sql = apr_pstrcat(
        pool, step->kind == SIM_REPLACE && !pgsql ? "REPLACE" : "INSERT",
        " INTO ", table->name, " (", NULL);
    int i, count = 0;

    for (i = 0; i < step->cells[0]->nelts; i++) {
        const sim_cell_t *cell = &APR_ARRAY_IDX(step->cells[0], i, sim_cell_t);

        if (is_there(schema, step, cell))
            sql = apr_pstrcat(pool, sql, count++ ? ", " : "",
                              column_name(table, cell->column), NULL);
    }
    sql = apr_pstrcat(pool, sql, ") VALUES ", NULL);
    for (i = 0; i < step->rows; i++)
        sql = apr_pstrcat(pool, sql, i ? ", " : "", row(schema, step, i, pool),
                          NULL);
    if (step->kind == SIM_REPLACE && pgsql)
        sql = apr_pstrcat(pool, sql, on_conflict(schema, step, pool), NULL);
    return sql;
}

static const char *update(const sim_schema_t *schema, const sim_step_t *step,
                          apr_pool_t *pool)
{
    const sim_table_t *table = &schema->tables[step->table];
    const char *sql = "";
    int i;

    for (i = 0; i < step->cells[0]->nelts; i++) {
        const sim_cell_t *cell = &APR_ARRAY_IDX(step->cells[0], i, sim_cell_t);

        if (is_there(schema, step, cell))
            sql = apr_pstrcat(pool, sql, *sql ? ", " : "",
                              column_name(table, cell->column), " = ",
                              value(schema, step, cell, pool), NULL);
    }
    return *sql ? apr_pstrcat(pool, "UPDATE ", table->name, " SET ", sql,
                              " WHERE ", step->where, NULL)
                : NULL;
}

const char *sim_history_sql(const sim_schema_t *schema, const sim_step_t *step,
                            apr_pool_t *pool)
{
    int is_work = step->kind <= SIM_DELETE;

    if (is_work && schema->tables[step->table].gone)
        return NULL;
    switch (step->kind) {
    case SIM_INSERT:
    case SIM_REPLACE:
        return insert(schema, step, pool);
    case SIM_UPDATE:
        return update(schema, step, pool);
    case SIM_DELETE:
        return apr_pstrcat(pool, "DELETE FROM ",
                           schema->tables[step->table].name, " WHERE ",
                           step->where, NULL);
    case SIM_BEGIN:
        return schema->databases[step->node] == SIM_SQLITE ? "BEGIN IMMEDIATE"
                                                           : "BEGIN";
    case SIM_COMMIT:
        return "COMMIT";
    case SIM_ROLLBACK:
        return "ROLLBACK";
    default:
        return NULL;
    }
}

static const char *sync_words(const sim_step_t *step, apr_pool_t *pool)
{
    static const char *const mishaps[] = {"",
                                          ", request %d is lost",
                                          ", reply %d is lost",
                                          ", request %d arrives twice",
                                          ", request %d is late",
                                          ", request %d is cut",
                                          ", reply %d is cut",
                                          ", request %d ends its server",
                                          ", its process ends",
                                          ", before request %d a lie arrives",
                                          ", reply %d is a lie",
                                          ", another run begins meanwhile",
                                          ", ends after batch %d"};
    const char *kind = step->kind == SIM_SYNC   ? "sync with"
                       : step->kind == SIM_PUSH ? "push to"
                                                : "pull from";

    return apr_pstrcat(
        pool, kind, " ", sim_schema_node_name(step->peer),
        apr_psprintf(pool, ", %d at a time", step->limit),
        step->bytes ? apr_psprintf(pool, ", %d bytes", step->bytes) : "",
        step->most_bytes
            ? apr_psprintf(pool, ", bodies above %d bytes are refused",
                           step->most_bytes)
            : "",
        apr_psprintf(pool, mishaps[step->mishap], step->mishap_at), NULL);
}

const char *sim_history_words(const sim_schema_t *schema,
                              const sim_step_t *step, apr_pool_t *pool)
{
    const char *sql = sim_history_sql(schema, step, pool);
    const char *text = NULL;

    switch (step->kind) {
    case SIM_SYNC:
    case SIM_PUSH:
    case SIM_PULL:
        text = sync_words(step, pool);
        break;
    case SIM_CLOCK:
        text = apr_psprintf(pool, "clock is wrong by %" APR_INT64_T_FMT " s",
                            step->number / 1000000);
        break;
    case SIM_PUBLISH:
        text = apr_psprintf(pool, "publish m%d --all", step->table);
        break;
    case SIM_PURGE:
        text = "purge --all";
        break;
    case SIM_RETRY:
        text = "retry";
        break;
    case SIM_DISCARD:
        text = "discard the first message that is parked";
        break;
    case SIM_DECIDE:
        text = "decide about the first conflict that is parked";
        break;
    case SIM_REVIVE:
        text = "revive the first record whose delete is not done";
        break;
    case SIM_PAUSE:
        text = step->number ? "pause" : "resume";
        break;
    case SIM_VERIFY:
        text = apr_pstrcat(
            pool, "verify --repair with ", sim_schema_node_name(step->peer),
            step->number < 0 ? "" : " --from ",
            step->number < 0 ? "" : sim_schema_node_name((int)step->number),
            NULL);
        break;
    case SIM_ALTER:
        text = apr_psprintf(
            pool, "ALTER TABLE t%d ADD COLUMN x%" APR_INT64_T_FMT " bigint",
            step->table, step->number);
        break;
    case SIM_DROP:
        text = apr_psprintf(
            pool, "ALTER TABLE t%d DROP COLUMN %s, or ADD it again",
            step->table,
            schema->tables[step->table].columns[step->number].name);
        break;
    case SIM_UNREAD:
        text = apr_psprintf(pool,
                            "UPDATE outbound_messages SET body ="
                            " '{\"m%d\":true}' WHERE seq IS NULL AND"
                            " action = 'create' AND model = 'm%d'",
                            step->table, step->table);
        break;
    case SIM_REOPEN:
        text = "process ends, another begins";
        break;
    case SIM_MIGRATE:
        text = "migrate";
        break;
    case SIM_SAVE:
        text = "database is saved";
        break;
    case SIM_RESTORE:
        text = step->number == SIM_RESTORE_GUIDE
                   ? "database is restored, epoch --new, there and at "
                     "its peers epoch --accept, publish --all"
               : step->number ? "database is restored, epoch --new"
                              : "database is restored";
        break;
    default:
        text = sql ? sql : "(nothing is left)";
        break;
    }
    return apr_psprintf(pool, "%-8s %s%s", sim_schema_node_name(step->node),
                        step->session ? "(second session) " : "", text);
}
