/* What a row filter (where=) does to the rows that are here: see judge.h. */
#include "schema/judge.h"

#include <apr_strings.h>

#include "store/dialect.h"
#include "schema/migrate.h"
#include "schema/records.h"

/* Return the condition of TABLE in SQL with parameters. */
static const char *where_of(const cm_table_t *table, apr_pool_t *pool)
{
    const char *where = table->model->where;

    return where ? apr_pstrcat(pool, "(", cm_dialect_doubled(where, '%', pool),
                               "\n)", NULL)
                 : "1 = 1";
}

cm_error_t *cm_judge_filter(cm_store_t *store, const cm_table_t *table,
                            apr_pool_t *pool)
{
    apr_int64_t inside;

    if (!table->model->where)
        return NULL;
    CM_TRY_FOR(cm_statement_number(&inside, store,
                                   apr_pstrcat(pool, "SELECT COUNT(*) FROM ",
                                               table->quoted, " AS t WHERE ",
                                               where_of(table, pool), NULL),
                                   NULL, 0, pool),
               pool, "where=%s", table->model->where);
    return NULL;
}

/* Count the rows of TABLE that fulfil CONDITION and that peers know, or
 * (KNOWN 0) do not know. */
static cm_error_t *count_rows(apr_int64_t *count, cm_store_t *store,
                              const cm_table_t *table, const char *condition,
                              const cm_records_t *records, int known,
                              apr_pool_t *pool)
{
    return cm_statement_number(
        count, store,
        apr_pstrcat(
            pool, "SELECT COUNT(*) FROM ", table->quoted, " AS t WHERE ",
            condition, known ? " AND" : " AND NOT", " EXISTS (SELECT 1 FROM ",
            records->table, " AS m WHERE m.local_id = ",
            cm_records_id(table, records, pool), " AND m.clock > 0)", NULL),
        NULL, 0, pool);
}

cm_error_t *cm_judge_filter_rows(apr_int64_t *unsent, apr_int64_t *outside,
                                 cm_store_t *store, const cm_table_t *table,
                                 apr_pool_t *pool)
{
    const cm_records_t *records;
    int present, known;
    apr_hash_t *all;

    *unsent = *outside = 0;
    CM_TRY(cm_migrate_version(&present, &known, store, pool));
    if (present < CM_RECORDS_VERSION)
        return NULL;
    CM_TRY(cm_records_read(&all, store, pool));
    records = apr_hash_get(all, table->model->type, APR_HASH_KEY_STRING);
    if (!records)
        return NULL;
    CM_TRY(count_rows(unsent, store, table, where_of(table, pool), records, 0,
                      pool));
    return count_rows(outside, store, table,
                      apr_pstrcat(pool, "CASE WHEN ", where_of(table, pool),
                                  " THEN 0 ELSE 1 END = 1", NULL),
                      records, 1, pool);
}
