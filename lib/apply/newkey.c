/* newkey=max: where applications give the keys, both sides may give the same
 * one to different records. The one that comes second gets the highest number
 * of the table plus one here; its mapping says so, and references follow that.
 *
 * Another application may take the same number meanwhile. Then the database
 * refuses the row, and it is tried again with what is the highest number by
 * then (retry.c). */
#include "apply/internal.h"

#include <apr_strings.h>

#include "record/keys.h"

/* The new records of a table, and those of them that need another key. */
typedef struct giving_t {
    cm_run_t *run;
    const cm_table_t *table;
    cm_keys_t *keys;             /* the keys at their origins */
    apr_array_header_t *without; /* cm_record_t * */
    apr_int64_t highest;         /* of the keys at their origins */
    apr_pool_t *pool;
} giving_t;

static int ends_deleted(const cm_record_t *record)
{
    return CM_NTH(record->tasks, record->tasks->nelts - 1, const cm_task_t)
               ->message->action == CM_DELETE;
}

/* Return whether RECORD gets a row with a key that this node may choose. */
static int is_new(const cm_record_t *record)
{
    return record->table->model->counts_keys && cm_rounds_pending(record) &&
           !record->here->exists && !record->here->state->deleted_at &&
           !ends_deleted(record);
}

static giving_t begin(cm_run_t *run, const cm_table_t *table, apr_pool_t *pool)
{
    return (giving_t){.run = run,
                      .table = table,
                      .keys = cm_keys_create(run->node->store, table, pool),
                      .without = apr_array_make(pool, 4, sizeof(cm_record_t *)),
                      .pool = pool};
}

/* Add RECORD, which is new. Only one of two can have the same key. */
static void add(giving_t *giving, cm_record_t *record)
{
    const char *key = cm_cells_key(giving->run, record);
    apr_int64_t number = key ? apr_atoi64(key) : 0;

    if (!key || cm_keys_find(giving->keys, key) ||
        !cm_keys_add(giving->keys, key, record, 0))
        APR_ARRAY_PUSH(giving->without, cm_record_t *) = record;
    else if (number > giving->highest)
        giving->highest = number;
}

/* Return the keys of rows that this run is to delete: they will be free. */
static apr_hash_t *freed_keys(const giving_t *giving)
{
    apr_hash_t *freed = apr_hash_make(giving->pool);
    int i;

    for (i = 0; i < giving->run->records->nelts; i++) {
        const cm_record_t *record =
            CM_NTH(giving->run->records, i, const cm_record_t);

        if (record->table == giving->table && cm_rounds_pending(record) &&
            record->here && record->here->exists && ends_deleted(record))
            apr_hash_set(freed, record->here->local_id, APR_HASH_KEY_STRING,
                         record);
    }
    return freed;
}

/* Find the records whose keys rows here have; with WAIT not those that this run
 * is to delete. */
static cm_error_t *find_taken(giving_t *giving, int wait)
{
    apr_hash_t *freed;
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_keys_select(&rows, giving->keys, NULL, 0, giving->pool));
    if (!rows->count)
        return NULL;
    freed = wait ? freed_keys(giving) : apr_hash_make(giving->pool);
    for (i = 0; i < rows->count; i++) {
        const char *key = cm_cell_text(rows, i, 0);
        cm_record_t *record = cm_keys_find(giving->keys, key);

        if (record && !apr_hash_get(freed, key, APR_HASH_KEY_STRING))
            APR_ARRAY_PUSH(giving->without, cm_record_t *) = record;
    }
    return NULL;
}

/* Let the records that need a key count on from the highest one. Where there is
 * no higher number, they keep theirs, which the database refuses. */
static cm_error_t *count_on(giving_t *giving)
{
    const cm_table_t *table = giving->table;
    apr_int64_t highest;
    cm_rows_t *rows;
    int i;

    if (!giving->without->nelts)
        return NULL;
    CM_TRY_FOR(cm_statement_select(&rows, giving->run->node->store,
                                   apr_pstrcat(giving->pool, "SELECT max(",
                                               table->keys[0]->quoted,
                                               ") FROM ", table->quoted, NULL),
                                   NULL, 0, giving->pool),
               giving->pool, "cannot find the highest key of table '%s'",
               table->model->table);
    highest = cm_cell_text(rows, 0, 0) ? cm_cell_number(rows, 0, 0) : 0;
    if (highest < giving->highest)
        highest = giving->highest;
    for (i = 0; i < giving->without->nelts && highest < APR_INT64_MAX; i++)
        CM_NTH(giving->without, i, cm_record_t)->new_key =
            apr_psprintf(giving->run->pool, "%" APR_INT64_T_FMT, ++highest);
    return NULL;
}

/* Give keys to the new records of TABLE. */
static cm_error_t *give(cm_run_t *run, const cm_table_t *table,
                        apr_pool_t *pool)
{
    giving_t giving = begin(run, table, pool);
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->table == table && is_new(record))
            add(&giving, record);
    }
    CM_TRY(find_taken(&giving, 1));
    return count_on(&giving);
}

cm_error_t *cm_newkey_give(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_hash_t *seen = apr_hash_make(scratch_pool);
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, const cm_record_t);
        const char *name = record->table->model->name;

        if (!record->table->model->counts_keys ||
            apr_hash_get(seen, name, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, name, APR_HASH_KEY_STRING, record->table);
        CM_TRY(give(run, record->table, scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_newkey_give_again(int *given, cm_run_t *run, cm_record_t *record,
                                 apr_pool_t *scratch_pool)
{
    giving_t giving;

    *given = 0;
    if (!record->error || record->error->code != CM_REJECTED || !is_new(record))
        return NULL;
    giving = begin(run, record->table, scratch_pool);
    add(&giving, record);
    giving.highest = 0;
    CM_TRY(find_taken(&giving, 0));
    CM_TRY(count_on(&giving));
    *given = giving.without->nelts && record->new_key;
    return NULL;
}
