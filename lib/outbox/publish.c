/* The present state of records as messages: see publish.h. */
#include "outbox/publish.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "store/dialect.h"
#include "store/sql.h"
#include "schema/expression.h"
#include "record/tuple.h"
#include "outbox/internal.h"
#include "outbox/stamp.h"

#define CHUNK_ROWS  500
#define TRIES       5
#define TRIES_PAUSE apr_time_from_msec(100)

/* One run of publish. */
typedef struct publication_t {
    cm_node_t *node;
    const cm_table_t *table;
    const char *where;   /* SQL with "%%" for a percent sign, both the row
                            filter's and the operator's; NULL: neither */
    const char *renewed; /* the column whose clock moves on; NULL: none */
} publication_t;

/* A condition on the records, and the values for its "%s". */
typedef struct condition_t {
    const char *sql;
    apr_array_header_t *arguments; /* cm_datum_t */
} condition_t;

static int is_integer(const char *text)
{
    text += *text == '-';
    return *text && !text[strspn(text, "0123456789")];
}

/* Return the SQL for KEY, a value of COLUMN as text. Integers are not quoted:
 * MariaDB would compare them as floats. */
static const char *key_sql(condition_t *condition, const cm_column_t *column,
                           const cm_datum_t *key)
{
    cm_datum_t argument = *key;

    if (column->value_class == CM_CLASS_INTEGER && is_integer(key->data))
        return key->data;
    argument.binary = column->value_class == CM_CLASS_BINARY;
    APR_ARRAY_PUSH(condition->arguments, cm_datum_t) = argument;
    return "%s";
}

/* Return the SQL for the value of KEY that the section "bound" has found: a
 * literal already, where columns hold values of any type. */
static const char *bound_sql(condition_t *condition, const cm_column_t *key,
                             const cm_datum_t *bound, apr_pool_t *pool)
{
    return key->loose ? cm_dialect_doubled(bound->data, '%', pool)
                      : key_sql(condition, key, bound);
}

/* Return SQL that compares the key, column by column, with BOUND. STRICT is the
 * operator for the columns before the last one. */
static const char *compare_columns(condition_t *condition,
                                   const cm_table_t *table, const char *strict,
                                   const char *operator,
                                   const cm_datum_t * bound, apr_pool_t *pool)
{
    const int last = table->key_count - 1;
    const char *sql = "", *value;
    int i;

    for (i = 0; i < last; i++) {
        const char *name = table->keys[i]->quoted;

        value = bound_sql(condition, table->keys[i], &bound[i], pool);
        sql =
            apr_pstrcat(pool, sql, "(t.", name, " ", strict, " ", value, NULL);
        value = bound_sql(condition, table->keys[i], &bound[i], pool);
        sql = apr_pstrcat(pool, sql, " OR (t.", name, " = ", value, " AND ",
                          NULL);
    }
    value = bound_sql(condition, table->keys[last], &bound[last], pool);
    return apr_pstrcat(pool, sql, "t.", table->keys[last]->quoted,
                       " ", operator, " ", value,
                       cm_dialect_repeat("))", "", last, pool), NULL);
}

/* Return SQL that compares the key with BOUND: keys of several columns at once
 * where the database finds these by an index. */
static const char *compare(condition_t *condition,
                           const publication_t *publication, const char *strict,
                           const char *operator, const cm_datum_t * bound,
                           apr_pool_t *pool)
{
    const cm_table_t *table = publication->table;
    const char *values = "";
    int i;

    if (table->key_count == 1 ||
        !cm_dialect_of_store(publication->node->store)->compares_rows)
        return compare_columns(condition, table, strict, operator, bound, pool);
    for (i = 0; i < table->key_count; i++)
        values = apr_pstrcat(
            pool, values, i ? ", " : "",
            bound_sql(condition, table->keys[i], &bound[i], pool), NULL);
    return apr_pstrcat(pool, "(", cm_expression_keys(table, "t.", pool),
                       ") ", operator, " (", values, ")", NULL);
}

static condition_t *condition_create(apr_pool_t *pool)
{
    condition_t *condition = apr_palloc(pool, sizeof(*condition));

    condition->sql = "1 = 1";
    condition->arguments = apr_array_make(pool, 2, sizeof(cm_datum_t));
    return condition;
}

/* Return the condition for the records after AFTER (NULL: from the first) up to
 * UP_TO (NULL: to the last). */
static condition_t *between(const publication_t *publication,
                            const cm_datum_t *after, const cm_datum_t *up_to,
                            apr_pool_t *pool)
{
    condition_t *condition = condition_create(pool);

    if (after)
        condition->sql = apr_pstrcat(
            pool, condition->sql, " AND ",
            compare(condition, publication, ">", ">", after, pool), NULL);
    if (up_to)
        condition->sql = apr_pstrcat(
            pool, condition->sql, " AND ",
            compare(condition, publication, "<", "<=", up_to, pool), NULL);
    return condition;
}

/* Return TEXT as a literal for SQL with parameters. */
static const char *literal(const cm_store_t *store, const char *text,
                           apr_pool_t *pool)
{
    return cm_dialect_doubled(cm_store_literal(store, text, pool), '%', pool);
}

/* Return the SQL of the columns of the key: as literals, where they hold values
 * of any type. */
static const char *bounds_sql(const cm_table_t *table, apr_pool_t *pool)
{
    const char *list = "";
    int i;

    for (i = 0; i < table->key_count; i++)
        list = apr_pstrcat(pool, list, i ? ", " : "",
                           table->keys[i]->loose ? "quote(t." : "t.",
                           table->keys[i]->quoted,
                           table->keys[i]->loose ? ")" : "", NULL);
    return list;
}

/* Return what stands in "changed": with the clock 0, only that column moves
 * (stamp_record.c). */
static const char *changed_sql(const publication_t *publication,
                               apr_pool_t *pool)
{
    cm_buffer_t *json = cm_buffer_create(64, pool);

    cm_json_write_open(json, NULL, '[');
    if (publication->renewed)
        cm_json_write_text(json, NULL, publication->renewed);
    cm_buffer_append(json, "]", 2);
    return literal(publication->node->store, json->data, pool);
}

/* Return the SQL of CONDITION, and of what else PUBLICATION asks for. */
static const char *condition_sql(const publication_t *publication,
                                 const condition_t *condition, apr_pool_t *pool)
{
    return publication->where ? apr_pstrcat(pool, condition->sql, " AND (",
                                            publication->where, "\n)", NULL)
                              : condition->sql;
}

/* Return the section NAME of publish.sql for CONDITION. */
static const char *section(const publication_t *publication, const char *name,
                           const condition_t *condition, apr_pool_t *pool)
{
    const cm_store_t *store = publication->node->store;
    const cm_table_t *table = publication->table;
    const char *model = table->model->name;
    const struct {
        const char *name, *value;
    } values[] = {
        {"table", table->quoted},
        {"keys", cm_expression_keys(table, "t.", pool)},
        {"bounds", bounds_sql(table, pool)},
        {"key_text", table->key_text},
        {"capture", table->capture},
        {"model", literal(store, model, pool)},
        {"changed", changed_sql(publication, pool)},
        {"begin",
         literal(store, apr_pstrcat(pool, "{\"", model, "\":", NULL), pool)},
        {"offset", apr_psprintf(pool, "%d", CHUNK_ROWS - 1)},
        {"condition", condition_sql(publication, condition, pool)},
    };
    apr_hash_t *hash = apr_hash_make(pool);
    const char *text;
    apr_size_t i;

    for (i = 0; i < sizeof(values) / sizeof(*values); i++)
        apr_hash_set(hash, values[i].name, APR_HASH_KEY_STRING,
                     values[i].value);
    text = cm_sql_section(cm_dialect_of_store(store)->driver, "publish.sql",
                          name, pool);
    return cm_sql_fill(text, hash, pool);
}

static cm_error_t *queue_once(apr_int64_t *count,
                              const publication_t *publication,
                              const condition_t *condition, apr_pool_t *pool)
{
    cm_store_t *store = publication->node->store;

    CM_TRY(cm_transaction_begin(store, pool));
    return cm_transaction_end(
        store,
        cm_statement_run(count, store,
                         section(publication, "enqueue", condition, pool),
                         (const cm_datum_t *)condition->arguments->elts,
                         condition->arguments->nelts, pool),
        pool);
}

/* Queue the records of CONDITION in a transaction of their own; try again while
 * the application has them locked. */
static cm_error_t *queue(apr_int64_t *count, const publication_t *publication,
                         const condition_t *condition, apr_pool_t *pool)
{
    cm_error_t *err = queue_once(count, publication, condition, pool);
    int i;

    for (i = 1; err && err->code == CM_BUSY && i < TRIES; i++) {
        cm_clock_sleep(i * TRIES_PAUSE);
        err = queue_once(count, publication, condition, pool);
    }
    return err;
}

/* Select the one row of section NAME; *FOUND is NULL when there is none. */
static cm_error_t *select_one(const cm_datum_t **found,
                              const publication_t *publication,
                              const char *name, const condition_t *condition,
                              apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(&rows, publication->node->store,
                               section(publication, name, condition, pool),
                               (const cm_datum_t *)condition->arguments->elts,
                               condition->arguments->nelts, pool));
    *found = rows->count ? cm_cell(rows, 0, 0) : NULL;
    return NULL;
}

/* Leave out what is a record already, here and so at the peers. */
static cm_error_t *only_unsent(publication_t *publication, apr_pool_t *pool)
{
    const cm_table_t *table = publication->table;
    const cm_records_t *records;
    const char *lack;

    CM_TRY(
        cm_node_records(&records, publication->node, table->model->type, pool));
    lack = cm_records_lack(table, records, pool);
    publication->where =
        publication->where
            ? apr_pstrcat(pool, lack, " AND (", publication->where, "\n)", NULL)
            : lack;
    return NULL;
}

/* Return CONDITION as SQL with parameters; NULL: "1 = 1". */
static const char *given(const char *condition, apr_pool_t *pool)
{
    return condition ? cm_dialect_doubled(condition, '%', pool) : "1 = 1";
}

static cm_error_t *open_publication(publication_t *publication, cm_node_t *node,
                                    const cm_model_t *model,
                                    const cm_publish_which_t *which,
                                    apr_pool_t *pool)
{
    const char *where = which ? which->where : NULL;

    if (!model->publishes)
        return CM_FAIL(pool, CM_CONFIG,
                       "model '%s' is not published here (direction=receive)",
                       model->name);
    publication->node = node;
    publication->where = NULL;
    if (where || model->where)
        publication->where = apr_pstrcat(pool, given(where, pool), "\n) AND (",
                                         given(model->where, pool), NULL);
    publication->renewed = NULL;
    CM_TRY(cm_node_table(&publication->table, node, model));
    return which && which->unsent ? only_unsent(publication, pool) : NULL;
}

/* Set *SQL to that of ID, a value of COLUMN. */
static cm_error_t *value_sql(const char **sql, condition_t *condition,
                             const cm_table_t *table, const cm_column_t *column,
                             const char *id, apr_pool_t *pool)
{
    const cm_datum_t key = cm_datum_text(id);

    if (column->value_class == CM_CLASS_INTEGER && !is_integer(id))
        return CM_FAIL(pool, CM_REJECTED, "'%s' is not a %s of table '%s'", id,
                       column->name, table->model->table);
    *sql = key_sql(condition, column, &key);
    return NULL;
}

/* Make the condition for the records whose COLUMN holds one of COUNT LOCAL_IDS
 * from FIRST on. */
static cm_error_t *named(condition_t **condition, const cm_table_t *table,
                         const cm_column_t *column,
                         const apr_array_header_t *local_ids, int first,
                         int count, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, count, sizeof(char *));
    int i;

    *condition = condition_create(pool);
    for (i = first; i < first + count; i++)
        CM_TRY(value_sql(apr_array_push(list), *condition, table, column,
                         APR_ARRAY_IDX(local_ids, i, const char *), pool));
    (*condition)->sql =
        apr_pstrcat(pool, "t.", column->quoted, " IN (",
                    apr_array_pstrcat(pool, list, ','), ")", NULL);
    return NULL;
}

/* The same for records of TABLE whose key has several columns. */
static cm_error_t *named_by_tuples(condition_t **condition,
                                   const cm_table_t *table,
                                   const apr_array_header_t *local_ids,
                                   int first, int count, apr_pool_t *pool)
{
    const char **parts = apr_palloc(pool, table->key_count * sizeof(*parts));
    apr_array_header_t *pieces = apr_array_make(pool, count, sizeof(char *));
    const char *sql;
    int i, j;

    *condition = condition_create(pool);
    for (i = first; i < first + count; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);

        if (!cm_tuple_read(parts, table->key_count, id, pool))
            return CM_FAIL(pool, CM_REJECTED,
                           "'%s' is not a key of table '%s' (%s)", id,
                           table->model->table, table->model->key);
        APR_ARRAY_PUSH(pieces, const char *) = i > first ? " OR (" : "(";
        for (j = 0; j < table->key_count; j++) {
            CM_TRY(value_sql(&sql, *condition, table, table->keys[j], parts[j],
                             pool));
            APR_ARRAY_PUSH(pieces, const char *) =
                apr_pstrcat(pool, j ? " AND t." : "t.", table->keys[j]->quoted,
                            " = ", sql, NULL);
        }
        APR_ARRAY_PUSH(pieces, const char *) = ")";
    }
    (*condition)->sql =
        apr_pstrcat(pool, "(", apr_array_pstrcat(pool, pieces, 0), ")", NULL);
    return NULL;
}

/* Queue the records whose COLUMN holds one of LOCAL_IDS; NULL: whose key does.
 */
static cm_error_t *publish_named(apr_int64_t *published,
                                 const publication_t *publication,
                                 const cm_column_t *column,
                                 const apr_array_header_t *local_ids,
                                 apr_pool_t *scratch_pool)
{
    const cm_table_t *table = publication->table;
    condition_t *condition;
    apr_pool_t *iterpool;
    apr_int64_t count;
    int i, size;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < local_ids->nelts; i += size) {
        apr_pool_clear(iterpool);
        size = local_ids->nelts - i;
        if (size > CHUNK_ROWS)
            size = CHUNK_ROWS;
        if (!column && table->key_count > 1)
            CM_TRY(named_by_tuples(&condition, table, local_ids, i, size,
                                   iterpool));
        else
            CM_TRY(named(&condition, table, column ? column : table->keys[0],
                         local_ids, i, size, iterpool));
        CM_TRY_FOR(queue(&count, publication, condition, iterpool),
                   scratch_pool, "cannot publish records of model '%s'",
                   table->model->name);
        *published += count;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_publish_records(apr_int64_t *published, cm_node_t *node,
                               const cm_model_t *model,
                               const apr_array_header_t *local_ids,
                               apr_pool_t *scratch_pool)
{
    publication_t publication;

    *published = 0;
    CM_TRY(open_publication(&publication, node, model, NULL, scratch_pool));
    return publish_named(published, &publication, NULL, local_ids,
                         scratch_pool);
}

cm_error_t *cm_publish_referring(apr_int64_t *published, cm_node_t *node,
                                 const cm_model_t *model, const char *name,
                                 const apr_array_header_t *local_ids,
                                 apr_pool_t *scratch_pool)
{
    publication_t publication;
    const cm_column_t *column;

    *published = 0;
    CM_TRY(open_publication(&publication, node, model, NULL, scratch_pool));
    column = cm_table_column(publication.table, name);
    if (!column)
        return NULL;
    publication.renewed = column->name;
    return publish_named(published, &publication, column, local_ids,
                         scratch_pool);
}

cm_error_t *cm_publish_count(apr_int64_t *total, cm_node_t *node,
                             const cm_model_t *model,
                             const cm_publish_which_t *which,
                             apr_pool_t *scratch_pool)
{
    publication_t publication;
    const cm_datum_t *count;
    apr_int64_t stamped;

    if (which->unsent)
        CM_TRY(cm_stamp_all(&stamped, node, scratch_pool));
    CM_TRY(open_publication(&publication, node, model, which, scratch_pool));
    CM_TRY_FOR(select_one(&count, &publication, "count",
                          between(&publication, NULL, NULL, scratch_pool),
                          scratch_pool),
               scratch_pool, "cannot count the records of model '%s'",
               model->name);
    *total += apr_atoi64(count->data);
    return NULL;
}

/* Queue the records of PUBLICATION, chunk by chunk. */
static cm_error_t *queue_chunks(apr_int64_t *published,
                                const publication_t *publication,
                                cm_publish_progress_t *progress,
                                apr_pool_t *scratch_pool)
{
    const cm_datum_t *after, *last = NULL;
    apr_pool_t *iterpool, *last_pool, *swap;
    apr_int64_t count;

    apr_pool_create(&iterpool, scratch_pool);
    apr_pool_create(&last_pool, scratch_pool); /* LAST lives here */
    do {
        apr_pool_clear(iterpool);
        after = last;
        CM_TRY(select_one(&last, publication, "bound",
                          between(publication, after, NULL, iterpool),
                          iterpool));
        CM_TRY(queue(&count, publication,
                     between(publication, after, last, iterpool), iterpool));
        *published += count;
        if (progress) {
            progress->done += count;
            progress->report(progress->baton, progress->done, progress->total);
        }
        swap = iterpool;
        iterpool = last_pool;
        last_pool = swap;
    } while (last);
    apr_pool_destroy(iterpool);
    apr_pool_destroy(last_pool);
    return NULL;
}

cm_error_t *cm_publish_all(apr_int64_t *published, cm_node_t *node,
                           const cm_model_t *model,
                           const cm_publish_which_t *which,
                           cm_publish_progress_t *progress,
                           apr_pool_t *scratch_pool)
{
    publication_t publication;

    *published = 0;
    CM_TRY(open_publication(&publication, node, model, which, scratch_pool));
    CM_TRY_FOR(queue_chunks(published, &publication, progress, scratch_pool),
               scratch_pool, "cannot publish model '%s'", model->name);
    if (!publication.where)
        CM_TRY_FOR(cm_publish_deletes(node, model, scratch_pool), scratch_pool,
                   "cannot publish the deletes of model '%s'", model->name);
    return NULL;
}

cm_error_t *cm_publish_identities(apr_int64_t *published, cm_node_t *node,
                                  const cm_model_t *model,
                                  const apr_array_header_t *identities,
                                  apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids = apr_array_make(
        scratch_pool, identities->nelts + 1, sizeof(const char *));
    apr_array_header_t *deleted =
        apr_array_make(scratch_pool, 4, sizeof(cm_mapping_t *));
    apr_int64_t deletes = 0;
    apr_hash_index_t *at;
    apr_hash_t *found;

    CM_TRY(cm_mapping_by_identity(&found, node, model->type, identities,
                                  scratch_pool));
    for (at = apr_hash_first(scratch_pool, found); at; at = apr_hash_next(at)) {
        cm_mapping_t *mapping = apr_hash_this_val(at);

        if (mapping->local_id && !mapping->deleted_at)
            APR_ARRAY_PUSH(ids, const char *) = mapping->local_id;
        else if (mapping->deleted_at && model->deletes)
            APR_ARRAY_PUSH(deleted, cm_mapping_t *) = mapping;
    }
    CM_TRY(cm_publish_records(published, node, model, ids, scratch_pool));
    if (deleted->nelts)
        CM_TRY_FOR(
            cm_publish_deletes_of(&deletes, node, model, deleted, scratch_pool),
            scratch_pool, "cannot publish the deletes of model '%s'",
            model->name);
    *published += deletes;
    return NULL;
}
