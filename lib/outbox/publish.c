/* The present state of records as messages: see publish.h. */
#include "outbox/publish.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "store/dialect.h"
#include "store/sql.h"
#include "outbox/append.h"

#define CHUNK_ROWS  500
#define TRIES       5
#define TRIES_PAUSE apr_time_from_msec(100)

/* One run of publish. */
typedef struct publication_t {
    cm_node_t *node;
    const cm_table_t *table;
    const char *where; /* SQL with "%%" for a percent sign */
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

/* Return the SQL for a key that the section "bound" has found: a literal
 * already, where columns hold values of any type. */
static const char *bound_sql(condition_t *condition,
                             const publication_t *publication,
                             const cm_datum_t *bound, apr_pool_t *pool)
{
    const cm_column_t *key = publication->table->key;

    return key->loose ? cm_dialect_doubled(bound->data, '%', pool)
                      : key_sql(condition, key, bound);
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
    const char *key = publication->table->key->quoted;

    if (after)
        condition->sql =
            apr_pstrcat(pool, condition->sql, " AND t.", key, " > ",
                        bound_sql(condition, publication, after, pool), NULL);
    if (up_to)
        condition->sql = apr_pstrcat(
            pool, condition->sql, " AND t.", key,
            " <= ", bound_sql(condition, publication, up_to, pool), NULL);
    if (publication->where)
        condition->sql = apr_pstrcat(pool, condition->sql, " AND (",
                                     publication->where, "\n)", NULL);
    return condition;
}

/* Return TEXT as a literal for SQL with parameters. */
static const char *literal(const cm_store_t *store, const char *text,
                           apr_pool_t *pool)
{
    return cm_dialect_doubled(cm_store_literal(store, text, pool), '%', pool);
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
        {"key", table->key->quoted},
        {"key_text", table->key_text},
        {"capture", table->capture},
        {"model", literal(store, model, pool)},
        {"begin",
         literal(store, apr_pstrcat(pool, "{\"", model, "\":", NULL), pool)},
        {"offset", apr_psprintf(pool, "%d", CHUNK_ROWS - 1)},
        {"condition", condition->sql},
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

/* Select the one value of section NAME; *FOUND is NULL when there is none. */
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

static cm_error_t *open_publication(publication_t *publication, cm_node_t *node,
                                    const cm_model_t *model, const char *where,
                                    apr_pool_t *pool)
{
    if (!model->publishes)
        return CM_FAIL(pool, CM_CONFIG,
                       "model '%s' is not published here (direction=receive)",
                       model->name);
    publication->node = node;
    publication->where = where ? cm_dialect_doubled(where, '%', pool) : NULL;
    return cm_node_table(&publication->table, node, model);
}

/* Make the condition for the records whose COLUMN holds one of COUNT LOCAL_IDS
 * from FIRST on. */
static cm_error_t *named(condition_t **condition,
                         const publication_t *publication,
                         const cm_column_t *column,
                         const apr_array_header_t *local_ids, int first,
                         int count, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, count, sizeof(char *));
    int i;

    *condition = condition_create(pool);
    for (i = first; i < first + count; i++) {
        const char *id = APR_ARRAY_IDX(local_ids, i, const char *);
        cm_datum_t key = cm_datum_text(id);

        if (column->value_class == CM_CLASS_INTEGER && !is_integer(id))
            return CM_FAIL(pool, CM_REJECTED, "'%s' is not a %s of table '%s'",
                           id, column->name, publication->table->model->table);
        APR_ARRAY_PUSH(list, const char *) = key_sql(*condition, column, &key);
    }
    (*condition)->sql =
        apr_pstrcat(pool, "t.", column->quoted, " IN (",
                    apr_array_pstrcat(pool, list, ','), ")", NULL);
    return NULL;
}

cm_error_t *cm_publish_records(apr_int64_t *published, cm_node_t *node,
                               const cm_model_t *model, const char *name,
                               const apr_array_header_t *local_ids,
                               apr_pool_t *scratch_pool)
{
    publication_t publication;
    const cm_column_t *column;
    condition_t *condition;
    apr_pool_t *iterpool;
    apr_int64_t count;
    int i, size;

    *published = 0;
    CM_TRY(open_publication(&publication, node, model, NULL, scratch_pool));
    column = name ? cm_table_column(publication.table, name)
                  : publication.table->key;
    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; column && i < local_ids->nelts; i += size) {
        apr_pool_clear(iterpool);
        size = local_ids->nelts - i;
        if (size > CHUNK_ROWS)
            size = CHUNK_ROWS;
        CM_TRY(named(&condition, &publication, column, local_ids, i, size,
                     iterpool));
        CM_TRY_FOR(queue(&count, &publication, condition, iterpool),
                   scratch_pool, "cannot publish records of model '%s'",
                   model->name);
        *published += count;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Queue all deletes of the model once more: a peer that was restored from a
 * backup may have lost them, and no row here would show it. */
static cm_error_t *publish_deletes(const publication_t *publication,
                                   apr_pool_t *scratch_pool)
{
    const cm_model_t *model = publication->table->model;
    const cm_datum_t type = cm_datum_text(model->type);
    cm_node_t *node = publication->node;
    apr_int64_t after = 0, last = 0;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, scratch_pool);
    while (model->deletes && last != APR_INT64_MAX) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_statement_number(
            &last, node->store,
            apr_psprintf(iterpool,
                         "SELECT id FROM communicator_mappings WHERE"
                         " local_record_type = %%s AND deleted_at > 0"
                         " AND id > %" APR_INT64_T_FMT
                         " ORDER BY id LIMIT 1 OFFSET %d",
                         after, CHUNK_ROWS - 1),
            &type, 1, iterpool));
        if (!last)
            last = APR_INT64_MAX;
        CM_TRY(cm_transaction_begin(node->store, iterpool));
        CM_TRY(cm_transaction_end(
            node->store,
            cm_append_tombstones(node, model, after, last, iterpool),
            iterpool));
        after = last;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_publish_all(apr_int64_t *published, cm_node_t *node,
                           const cm_model_t *model, const char *where,
                           cm_progress_t progress, void *baton,
                           apr_pool_t *scratch_pool)
{
    const cm_datum_t *after, *last = NULL, *total = NULL;
    apr_pool_t *iterpool, *last_pool, *swap;
    publication_t publication;
    apr_int64_t count;

    *published = 0;
    CM_TRY(open_publication(&publication, node, model, where, scratch_pool));
    if (progress)
        CM_TRY_FOR(select_one(&total, &publication, "count",
                              between(&publication, NULL, NULL, scratch_pool),
                              scratch_pool),
                   scratch_pool, "cannot count the records of model '%s'",
                   model->name);
    apr_pool_create(&iterpool, scratch_pool);
    apr_pool_create(&last_pool, scratch_pool); /* LAST lives here */
    do {
        apr_pool_clear(iterpool);
        after = last;
        CM_TRY_FOR(select_one(&last, &publication, "bound",
                              between(&publication, after, NULL, iterpool),
                              iterpool),
                   scratch_pool, "cannot publish model '%s'", model->name);
        CM_TRY_FOR(queue(&count, &publication,
                         between(&publication, after, last, iterpool),
                         iterpool),
                   scratch_pool, "cannot publish model '%s'", model->name);
        *published += count;
        if (progress)
            progress(baton, *published, apr_atoi64(total->data));
        swap = iterpool;
        iterpool = last_pool;
        last_pool = swap;
    } while (last);
    apr_pool_destroy(iterpool);
    apr_pool_destroy(last_pool);
    if (!where)
        CM_TRY_FOR(publish_deletes(&publication, scratch_pool), scratch_pool,
                   "cannot publish the deletes of model '%s'", model->name);
    return NULL;
}

/* Queue the deletes of MAPPINGS (cm_mapping_t *) once more. */
static cm_error_t *queue_tombstones(apr_int64_t *count, cm_node_t *node,
                                    const cm_model_t *model,
                                    const apr_array_header_t *mappings,
                                    apr_pool_t *pool)
{
    cm_bulk_t *list = cm_append_create(pool);
    int i;

    for (i = 0; i < mappings->nelts; i++) {
        const cm_append_t message = cm_append_delete(
            model, APR_ARRAY_IDX(mappings, i, cm_mapping_t *)->identity, pool);

        cm_append_add(list, &message);
    }
    CM_TRY(cm_transaction_begin(node->store, pool));
    return cm_transaction_end(node->store,
                              cm_append_write(count, node, list, pool), pool);
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

        if (mapping->local_id)
            APR_ARRAY_PUSH(ids, const char *) = mapping->local_id;
        else if (mapping->deleted_at && model->deletes)
            APR_ARRAY_PUSH(deleted, cm_mapping_t *) = mapping;
    }
    CM_TRY(cm_publish_records(published, node, model, NULL, ids, scratch_pool));
    if (deleted->nelts)
        CM_TRY_FOR(
            queue_tombstones(&deletes, node, model, deleted, scratch_pool),
            scratch_pool, "cannot publish the deletes of model '%s'",
            model->name);
    *published += deletes;
    return NULL;
}
