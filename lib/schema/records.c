/* The tables of records: see records.h. */
#include "schema/records.h"

#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"

/* The greatest integer of 64 bits. We do not take the least one for an id. */
static const char most[] = "9223372036854775807";

const char *cm_records_table(int number, apr_pool_t *pool)
{
    return apr_psprintf(pool, "communicator_records_%d", number);
}

/* On SQLite any column holds any text. */
static cm_records_t *make_records(const cm_store_t *store,
                                  const cm_rows_t *rows, int row,
                                  apr_pool_t *pool)
{
    cm_records_t *records = apr_pcalloc(pool, sizeof(*records));

    records->number = (int)cm_cell_number(rows, row, 0);
    records->type = cm_cell_text(rows, row, 1);
    records->table = cm_records_table(records->number, pool);
    records->keys_are_integers = (int)cm_cell_number(rows, row, 2);
    records->integer = records->keys_are_integers &&
                       cm_dialect_of_store(store)->database != CM_SQLITE3;
    records->numbers = apr_hash_make(pool);
    records->names = apr_array_make(pool, 16, sizeof(const char *));
    return records;
}

static void add_column(cm_records_t *records, int number, const char *name,
                       apr_pool_t *pool)
{
    while (records->names->nelts <= number)
        APR_ARRAY_PUSH(records->names, const char *) = NULL;
    APR_ARRAY_IDX(records->names, number, const char *) = name;
    apr_hash_set(records->numbers, name, APR_HASH_KEY_STRING,
                 apr_pmemdup(pool, &number, sizeof(number)));
}

cm_error_t *cm_records_read(apr_hash_t **records, cm_store_t *store,
                            apr_pool_t *result_pool)
{
    apr_hash_t *by_number = apr_hash_make(result_pool);
    cm_records_t *one;
    cm_rows_t *rows;
    int i, number;

    *records = apr_hash_make(result_pool);
    CM_TRY(cm_statement_section(&rows, store, "records.sql", "models", NULL, 0,
                                result_pool));
    for (i = 0; i < rows->count; i++) {
        one = make_records(store, rows, i, result_pool);
        apr_hash_set(*records, one->type, APR_HASH_KEY_STRING, one);
        apr_hash_set(by_number, &one->number, sizeof(one->number), one);
    }
    CM_TRY(cm_statement_section(&rows, store, "records.sql", "columns", NULL, 0,
                                result_pool));
    for (i = 0; i < rows->count; i++) {
        number = (int)cm_cell_number(rows, i, 0);
        one = apr_hash_get(by_number, &number, sizeof(number));
        if (one)
            add_column(one, (int)cm_cell_number(rows, i, 1),
                       cm_cell_text(rows, i, 2), result_pool);
    }
    return NULL;
}

static int is_claimed(const cm_settings_t *settings, const char *type)
{
    int i;

    for (i = 0; i < settings->models->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(settings->models, i, cm_model_t *)->type,
                    type))
            return 1;
    return 0;
}

cm_error_t *cm_records_unclaimed(apr_array_header_t **unclaimed,
                                 cm_store_t *store,
                                 const cm_settings_t *settings,
                                 apr_pool_t *result_pool)
{
    cm_rows_t *rows;
    cm_error_t *err;
    int i;

    *unclaimed = apr_array_make(result_pool, 4, sizeof(cm_unclaimed_t));
    err = cm_statement_select(
        &rows, store,
        "SELECT local_record_type, count(*) FROM communicator_mappings"
        " WHERE local_record_id IS NOT NULL GROUP BY local_record_type"
        " ORDER BY local_record_type",
        NULL, 0, result_pool);
    if (err && err->code == CM_SCHEMA)
        return NULL;
    CM_TRY(err);
    for (i = 0; i < rows->count; i++) {
        const char *type = cm_cell_text(rows, i, 0);

        if (!is_claimed(settings, type))
            APR_ARRAY_PUSH(*unclaimed, cm_unclaimed_t) =
                (cm_unclaimed_t){type, cm_cell_number(rows, i, 1)};
    }
    return NULL;
}

const char *cm_records_unclaimed_text(const cm_unclaimed_t *one,
                                      apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "no model has the class '%s', of which "
                        "communicator_mappings has %" APR_INT64_T_FMT " %s",
                        one->type, one->count,
                        one->count == 1 ? "record" : "records");
}

int cm_records_integer_keys(const cm_table_t *table)
{
    const cm_column_t *key = table->keys[0];

    return table->key_count == 1 && key->value_class == CM_CLASS_INTEGER &&
           !(key->is_unsigned && key->length >= 8);
}

int cm_records_holds(const cm_records_t *records, const char *local_id)
{
    const char *digits = local_id + (*local_id == '-');
    const apr_size_t length = strspn(digits, "0123456789");

    if (!records->integer || !strcmp(local_id, "0"))
        return 1;
    return length && !digits[length] && *digits != '0' &&
           (length < sizeof(most) - 1 ||
            (length == sizeof(most) - 1 && strcmp(digits, most) <= 0));
}

const char *cm_records_id(const cm_table_t *table, const cm_records_t *records,
                          apr_pool_t *pool)
{
    return records->integer
               ? apr_pstrcat(pool, "t.", table->keys[0]->quoted, NULL)
               : table->key_exact;
}

const char *cm_records_lack(const cm_table_t *table,
                            const cm_records_t *records, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "NOT EXISTS (SELECT 1 FROM ", records->table,
                       " AS m WHERE m.local_id = ",
                       cm_records_id(table, records, pool), ")", NULL);
}
