/* The sequences of the application's tables: see sequence.h. */
#include "schema/sequence.h"

#include <apr_strings.h>

#include "store/dialect.h"
#include "store/sql.h"

cm_error_t *cm_sequence_list(apr_array_header_t **list, cm_store_t *store,
                             const cm_model_t *model, apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    CM_TRY_FOR(cm_table_ask(&rows, store, "sequences.sql", "list", model, pool),
               pool, "cannot read the sequences of table '%s'", model->table);
    *list = apr_array_make(pool, rows->count, sizeof(cm_sequence_t));
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(*list, cm_sequence_t) = (cm_sequence_t){
            .column = cm_cell_text(rows, i, 0),
            .name = cm_cell_text(rows, i, 1),
            .id = cm_cell_text(rows, i, 2),
            .may_set = cm_cell_number(rows, i, 3) != 0,
            .may_read = cm_cell_number(rows, i, 4) != 0,
            .indexed = cm_cell_number(rows, i, 5) != 0,
            .user = cm_cell_text(rows, i, 6),
        };
    return NULL;
}

/* Run the query SECTION about SEQUENCE and NUMBER. */
static cm_error_t *ask(cm_rows_t **rows, cm_store_t *store, const char *section,
                       const cm_sequence_t *sequence, apr_int64_t number,
                       apr_pool_t *pool)
{
    apr_hash_t *values = apr_hash_make(pool);
    const char *sql = cm_sql_section(cm_dialect_of_store(store)->driver,
                                     "sequences.sql", section, pool);

    apr_hash_set(values, "sequence", APR_HASH_KEY_STRING,
                 cm_dialect_doubled(sequence->name, '%', pool));
    apr_hash_set(values, "id", APR_HASH_KEY_STRING, sequence->id);
    apr_hash_set(values, "number", APR_HASH_KEY_STRING,
                 apr_psprintf(pool, "%" APR_INT64_T_FMT, number));
    CM_TRY_FOR(cm_statement_select(rows, store, cm_sql_fill(sql, values, pool),
                                   NULL, 0, pool),
               pool, "cannot use the sequence '%s'", sequence->name);
    return NULL;
}

cm_error_t *cm_sequence_follow(int *refused, cm_store_t *store,
                               const cm_sequence_t *sequence,
                               apr_int64_t number, apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;

    CM_TRY(ask(&rows, store, "follow", sequence, number, scratch_pool));
    *refused = rows->count && !cm_cell_number(rows, 0, 0);
    return NULL;
}

/* Set *HIGHEST to the highest number in COLUMN of TABLE; NULL: it is empty. */
static cm_error_t *find_highest(const char **highest, cm_store_t *store,
                                const cm_table_t *table, const char *column,
                                apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY_FOR(
        cm_statement_select(&rows, store,
                            apr_pstrcat(pool, "SELECT max(",
                                        cm_store_quote(store, column, pool),
                                        ") FROM ", table->quoted, NULL),
                            NULL, 0, pool),
        pool, "cannot find the highest '%s' of table '%s'", column,
        table->model->table);
    *highest = cm_cell_text(rows, 0, 0);
    return NULL;
}

cm_error_t *cm_sequence_behind(apr_array_header_t **behind, cm_store_t *store,
                               const cm_table_t *table, apr_pool_t *pool)
{
    apr_array_header_t *all;
    int i;

    *behind = apr_array_make(pool, 1, sizeof(cm_behind_t));
    CM_TRY(cm_sequence_list(&all, store, table->model, pool));
    for (i = 0; i < all->nelts; i++) {
        const cm_sequence_t *one = &APR_ARRAY_IDX(all, i, cm_sequence_t);
        const char *highest = NULL;
        cm_rows_t *rows;

        if (!one->may_read || !one->indexed)
            continue;
        CM_TRY(ask(&rows, store, "next", one, 0, pool));
        CM_TRY(find_highest(&highest, store, table, one->column, pool));
        if (rows->count && highest &&
            apr_atoi64(highest) >= cm_cell_number(rows, 0, 1) &&
            apr_atoi64(highest) <= cm_cell_number(rows, 0, 2))
            APR_ARRAY_PUSH(*behind, cm_behind_t) = (cm_behind_t){
                *one, cm_cell_number(rows, 0, 0), apr_atoi64(highest)};
    }
    return NULL;
}

const char *cm_sequence_text(const cm_behind_t *behind, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "the sequence '%s' is at %" APR_INT64_T_FMT
                        ", behind the highest '%s', %" APR_INT64_T_FMT
                        ": it gives numbers that are taken",
                        behind->sequence.name, behind->last,
                        behind->sequence.column, behind->highest);
}

const char *cm_sequence_remedy(const cm_sequence_t *sequence, apr_pool_t *pool)
{
    return sequence->may_set
               ? "communicator-sync migrate"
               : apr_psprintf(pool,
                              "GRANT UPDATE ON SEQUENCE %s TO %s; "
                              "communicator-sync migrate",
                              sequence->name, sequence->user);
}
