/* Records that have exchanged unique values, while this node was not told of
 * the third value that one of them had for a moment: each of them is refused,
 * since another one still has its value. This happens where a row filter
 * applies, or a record was too large to be captured (it is sent as it was when
 * it got its number), and where the present states of records are sent again.
 *
 * Within the transaction all of them give up these values, and then get their
 * new ones. Until then a column is NULL, or has a value that was made up. A
 * column to which a foreign key leads is left as it is: what refers to it would
 * change with it, and would not follow it back.
 *
 * A record that continues another one under a new key (heirs.c) is refused in
 * the same way, if the row of the other one could not be given that key: it
 * still has the values, and its delete must not come first, for what refers to
 * it is the heir's. So it gives them up, the heir comes, and it is deleted. */
#include "apply/heirs_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/fit.h"
#include "record/keys.h"
#include "record/reference.h"
#include "store/dialect.h"

#define SAVEPOINT "vacate"

/* The records of one table that are refused. */
typedef struct exchange_t {
    cm_run_t *run;
    const cm_table_t *table;
    char *apart;                 /* by column: rows must differ there */
    apr_array_header_t *records; /* cm_record_t *: those not given up yet */
    const cm_error_t **errors;   /* why each is refused */
    apr_pool_t *pool;
} exchange_t;

/* Find the columns in which rows must differ; *ANY: whether there are some. */
static cm_error_t *find_apart(int *any, exchange_t *exchange)
{
    const cm_table_t *table = exchange->table;
    cm_rows_t *names;
    int i;

    exchange->apart = apr_pcalloc(exchange->pool, table->column_count);
    CM_TRY(cm_table_ask(&names, exchange->run->node->store, "catalog.sql",
                        "apart", table->model, exchange->pool));
    *any = 0;
    for (i = 0; i < names->count; i++) {
        const cm_column_t *column =
            cm_table_column(table, cm_cell_text(names, i, 0));

        if (!column || column->is_key || column->generated)
            continue;
        exchange->apart[column - table->columns] = 1;
        *any = 1;
    }
    return NULL;
}

/* Return whether RECORD, now merged, is to give up its value of column I. */
static int gives_up(const exchange_t *exchange, const cm_record_t *record,
                    int i)
{
    return exchange->apart[i] && (record->effect->kind == CM_EFFECT_DELETE ||
                                  record->effect->writes[i]);
}

static int gives_up_any(const exchange_t *exchange, const cm_record_t *record)
{
    int i;

    for (i = 0; i < exchange->table->column_count; i++)
        if (gives_up(exchange, record, i))
            return 1;
    return 0;
}

static int is_refused(const cm_record_t *record)
{
    return record->entry && cm_rounds_pending(record) && record->error &&
           record->error->code == CM_REJECTED && record->here->exists &&
           !record->here->unreadable &&
           !CM_NTH(record->tasks, record->next, cm_task_t)->fault;
}

/* Merge RECORD, which was refused because of ERROR. Returns whether it may be
 * one of those that have exchanged values; if not, it is what it was. */
static int may_come(const exchange_t *exchange, cm_record_t *record,
                    const cm_error_t *error)
{
    record->alone = 0;
    record->aim =
        exchange->run->one_each ? record->next + 1 : record->tasks->nelts;
    record->in_no_cycle = 0;
    if (cm_rounds_ready(exchange->run, record, CM_PARTIAL_NONE) &&
        record->effect->kind == CM_EFFECT_UPDATE &&
        gives_up_any(exchange, record))
        return 1;
    record->error = error;
    record->effect = NULL;
    return 0;
}

/* Merge the refused records that are left. */
static void choose(exchange_t *exchange)
{
    cm_record_t **all = (cm_record_t **)(void *)exchange->records->elts;
    int i, count = 0;

    for (i = 0; i < exchange->records->nelts; i++) {
        cm_record_t *record = all[i];
        const cm_error_t *error = exchange->errors[i];

        if (record->in_no_cycle || !may_come(exchange, record, error))
            continue;
        all[count] = record;
        exchange->errors[count++] = error;
    }
    exchange->records->nelts = count;
}

/* Return a number for COLUMN of RECORD, another one with each attempt. */
static apr_uint64_t number_for(const cm_record_t *record,
                               const cm_column_t *column, int salt,
                               apr_pool_t *pool)
{
    const cm_task_t *task = CM_NTH(record->tasks, record->next, cm_task_t);
    const unsigned char *text = (const unsigned char *)apr_psprintf(
        pool, "%d %d %s %s", salt, task->item->attempts, column->name,
        record->here->local_id);
    apr_uint64_t hash = APR_UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (; *text; text++)
        hash = (hash ^ *text) * APR_UINT64_C(0x100000001b3);
    /* so that the first digits differ, too */
    hash = (hash ^ hash >> 33) * APR_UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * APR_UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

static const char *digits_below(apr_uint64_t number, int digits,
                                apr_pool_t *pool)
{
    apr_uint64_t limit = 1;

    for (; digits > 0 && limit < APR_UINT64_C(100000000000000000); digits--)
        limit *= 10;
    return apr_psprintf(pool, "%" APR_UINT64_T_FMT, number % limit);
}

/* Return NUMBER and MORE as text or bytes, in hexadecimal digits. */
static const char *hex_for(const cm_column_t *column, apr_uint64_t number,
                           apr_uint64_t more, apr_pool_t *pool)
{
    const int most = column->value_class == CM_CLASS_BINARY ? 2 * column->length
                                                            : column->length;
    char *text = apr_psprintf(
        pool, "%016" APR_UINT64_T_HEX_FMT "%016" APR_UINT64_T_HEX_FMT, number,
        more);

    if (!strcmp(column->type, "uuid"))
        return apr_psprintf(pool, "%.8s-%.4s-%.4s-%.4s-%.12s", text, text + 8,
                            text + 12, text + 16, text + 20);
    if (most > 0 && most < 32)
        text[most] = '\0';
    return text;
}

/* Return a value that no other row is likely to have in COLUMN; NULL: there is
 * no such value. */
static const char *make_up(const cm_record_t *record, const cm_column_t *column,
                           apr_pool_t *pool)
{
    const apr_uint64_t number = number_for(record, column, 0, pool);
    const int length = column->length ? column->length : 4;
    const char *day =
        apr_psprintf(pool, "%d-%02d-%02d", 1971 + (int)(number % 60),
                     1 + (int)(number / 60 % 12), 1 + (int)(number / 720 % 28));
    const char *hour = apr_psprintf(
        pool, "%02d:%02d:%02d", (int)(number / 20160 % 24),
        (int)(number / 483840 % 60), (int)(number / 29030400 % 60));

    switch (column->value_class) {
    case CM_CLASS_INTEGER:
        return column->is_bits ? NULL
                               : apr_psprintf(pool, "%" APR_UINT64_T_FMT,
                                              number >> (65 - 8 * length));
    case CM_CLASS_DECIMAL:
        return digits_below(
            number, column->precision ? column->precision - column->scale : 17,
            pool);
    case CM_CLASS_FLOAT:
        return digits_below(number, 6, pool);
    case CM_CLASS_DATE:
        return day;
    case CM_CLASS_TIME:
        return hour;
    case CM_CLASS_TIMESTAMP:
    case CM_CLASS_TIMESTAMP_ZONE:
        return apr_pstrcat(pool, day, " ", hour, NULL);
    case CM_CLASS_BOOLEAN:
    case CM_CLASS_JSON:
        return NULL;
    default:
        return hex_for(column, number, number_for(record, column, 1, pool),
                       pool);
    }
}

/* Set CELL to what COLUMN of RECORD holds meanwhile. Returns 0 if it has to
 * keep its value. */
static int vacant(cm_datum_t *cell, const cm_run_t *run,
                  const cm_record_t *record, const cm_column_t *column,
                  apr_pool_t *pool)
{
    cm_value_t value = {.kind = CM_NULL};
    cm_error_t *err;

    if (!column->nullable) {
        const char *text = cm_reference_is(column) || column->names
                               ? NULL
                               : make_up(record, column, pool);

        if (!text)
            return 0;
        value = cm_value_of(CM_TEXT, text);
    }
    err = cm_fit_value(cell, column, value,
                       cm_dialect_of_store(run->node->store), pool);
    return !err;
}

/* Let the row of RECORD give up its values. */
static cm_error_t *vacate_row(const exchange_t *exchange,
                              const cm_record_t *record, apr_pool_t *pool)
{
    const cm_table_t *table = exchange->table;
    const cm_dialect_t *dialect =
        cm_dialect_of_store(exchange->run->node->store);
    cm_bulk_column_t *columns =
        cm_keys_columns(table, table->column_count, pool);
    cm_datum_t *cells = apr_palloc(
        pool, (table->key_count + table->column_count) * sizeof(*cells));
    int count = table->key_count, i;
    apr_int64_t updated;
    cm_bulk_t *bulk;

    if (!cm_keys_cells(cells, table, record->here->local_id, dialect, pool))
        return NULL;
    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if (gives_up(exchange, record, i) &&
            vacant(&cells[count], exchange->run, record, column, pool))
            columns[count++] = (cm_bulk_column_t){column->quoted, column->type};
    }
    if (count == table->key_count)
        return NULL;
    bulk =
        cm_bulk_create(table->quoted, columns, count, table->key_count, pool);
    for (i = 0; i < count; i++)
        cm_bulk_add(bulk, cells[i]);
    return cm_bulk_update(&updated, exchange->run->node->store, bulk, pool);
}

/* Let all rows give up their values. One that cannot is left out: in_no_cycle.
 */
static cm_error_t *vacate_rows(const exchange_t *exchange, apr_pool_t *pool)
{
    cm_store_t *store = exchange->run->node->store;
    cm_error_t *err;
    int i;

    CM_TRY(cm_node_applying(exchange->run->node, exchange->table, pool));
    for (i = 0; i < exchange->records->nelts; i++) {
        cm_record_t *record = CM_NTH(exchange->records, i, cm_record_t);

        CM_TRY(cm_transaction_savepoint(store, "row", pool));
        err = vacate_row(exchange, record, pool);
        if (err && cm_write_is_fatal(exchange->run, err))
            return err;
        record->in_no_cycle = err != NULL;
        if (err)
            CM_TRY(cm_transaction_rollback_to(store, "row", pool));
        CM_TRY(cm_transaction_release(store, "row", pool));
    }
    return NULL;
}

static int all_come(const exchange_t *exchange)
{
    int i;

    for (i = 0; i < exchange->records->nelts; i++)
        if (CM_NTH(exchange->records, i, cm_record_t)->in_no_cycle)
            return 0;
    return 1;
}

/* Write the records that are left, all or none. *DONE counts them. */
static cm_error_t *write_once(int *done, const exchange_t *exchange,
                              apr_pool_t *pool)
{
    cm_store_t *store = exchange->run->node->store;

    *done = 0;
    CM_TRY(cm_transaction_savepoint(store, SAVEPOINT, pool));
    CM_TRY(vacate_rows(exchange, pool));
    if (all_come(exchange))
        CM_TRY(cm_group_write(done, exchange->run, exchange->records, 1, pool));
    if (!*done)
        CM_TRY(cm_transaction_rollback_to(store, SAVEPOINT, pool));
    return cm_transaction_release(store, SAVEPOINT, pool);
}

/* Let the records that are not done be refused as they were. */
static void leave(const exchange_t *exchange)
{
    int i;

    for (i = 0; i < exchange->records->nelts; i++) {
        cm_record_t *record = CM_NTH(exchange->records, i, cm_record_t);

        if (!cm_rounds_pending(record))
            continue;
        record->error = exchange->errors[i];
        record->effect = NULL;
    }
}

/* Write all; while that fails, those that did not fail. */
static cm_error_t *write_exchange(int *moved, exchange_t *exchange)
{
    apr_pool_t *iterpool;
    int done = 0, count;

    apr_pool_create(&iterpool, exchange->pool);
    choose(exchange);
    do {
        apr_pool_clear(iterpool);
        count = exchange->records->nelts;
        if (count > 1)
            CM_TRY(write_once(&done, exchange, iterpool));
        leave(exchange);
        if (!done)
            choose(exchange);
    } while (!done && exchange->records->nelts < count);
    leave(exchange);
    *moved += done;
    apr_pool_destroy(iterpool);
    return NULL;
}

/* The same with the refused records of TABLE. */
static cm_error_t *exchange_rows(int *moved, cm_run_t *run,
                                 const cm_table_t *table, apr_pool_t *pool)
{
    exchange_t exchange = {.run = run, .table = table, .pool = pool};
    int i, any;

    exchange.records = apr_array_make(pool, 8, sizeof(cm_record_t *));
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (record->table == table && is_refused(record))
            APR_ARRAY_PUSH(exchange.records, cm_record_t *) = record;
    }
    if (exchange.records->nelts < 2)
        return NULL;
    exchange.errors =
        apr_palloc(pool, exchange.records->nelts * sizeof(*exchange.errors));
    for (i = 0; i < exchange.records->nelts; i++) {
        cm_record_t *record = CM_NTH(exchange.records, i, cm_record_t);

        exchange.errors[i] = record->error;
        record->in_no_cycle = 0;
    }
    CM_TRY(find_apart(&any, &exchange));
    return any ? write_exchange(moved, &exchange) : NULL;
}

static cm_error_t *exchange_all(int *moved, cm_run_t *run,
                                apr_pool_t *scratch_pool)
{
    apr_hash_t *seen = apr_hash_make(scratch_pool);
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        const cm_record_t *record = CM_NTH(run->records, i, const cm_record_t);
        const char *name = record->table->model->name;

        if (!is_refused(record) ||
            apr_hash_get(seen, name, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(seen, name, APR_HASH_KEY_STRING, record->table);
        CM_TRY(exchange_rows(moved, run, record->table, scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_vacate_exchanged(int *moved, cm_run_t *run,
                                apr_pool_t *scratch_pool)
{
    cm_error_t *err;

    CM_TRY(exchange_all(moved, run, scratch_pool));
    if (*moved)
        return NULL;
    run->one_each = 1; /* later messages may be refused for good */
    err = exchange_all(moved, run, scratch_pool);
    run->one_each = 0;
    return err;
}

/* Write HEIR up to UNTIL and the delete of FORMER, the only one of EXCHANGE,
 * after its row has given up its values. *DONE: that worked. */
static cm_error_t *write_heir(int *done, const exchange_t *exchange,
                              cm_record_t *former, cm_record_t *heir, int until,
                              apr_pool_t *pool)
{
    apr_array_header_t *both = apr_array_make(pool, 2, sizeof(cm_record_t *));
    cm_run_t *run = exchange->run;
    cm_store_t *store = run->node->store;

    APR_ARRAY_PUSH(both, cm_record_t *) = heir;
    APR_ARRAY_PUSH(both, cm_record_t *) = former;
    *done = 0;
    heir->aim = until;
    former->aim = former->tasks->nelts;
    heir->error = cm_merge_record(run, heir, until, CM_PARTIAL_NONE);
    if (heir->error)
        return NULL;
    CM_TRY(cm_transaction_savepoint(store, SAVEPOINT, pool));
    CM_TRY(vacate_rows(exchange, pool));
    if (all_come(exchange))
        CM_TRY(cm_group_write(done, run, both, 1, pool));
    former->in_no_cycle = heir->in_no_cycle = 0;
    if (!*done)
        CM_TRY(cm_transaction_rollback_to(store, SAVEPOINT, pool));
    return cm_transaction_release(store, SAVEPOINT, pool);
}

/* Let HEIR come, which is not written, and FORMER be deleted, after its row has
 * given up its values: with all messages of HEIR, or with fewer, since later
 * ones may be refused for good. If that does not help, nothing changes. */
static cm_error_t *give_way(cm_run_t *run, cm_record_t *former,
                            cm_record_t *heir, apr_pool_t *pool)
{
    exchange_t exchange = {.run = run, .table = former->table, .pool = pool};
    const cm_error_t *refused = heir->error;
    const int first = heir->next + 1, count = heir->tasks->nelts;
    apr_pool_t *iterpool;
    int any, done = 0, until;

    exchange.records = apr_array_make(pool, 1, sizeof(cm_record_t *));
    APR_ARRAY_PUSH(exchange.records, cm_record_t *) = former;
    CM_TRY(find_apart(&any, &exchange));
    if (!any)
        return NULL;
    apr_pool_create(&iterpool, pool);
    for (until = count; !done && until >= first; until--) {
        if (until > first && until <= count - CM_MOST_TOGETHER)
            continue;
        apr_pool_clear(iterpool);
        CM_TRY(write_heir(&done, &exchange, former, heir, until, iterpool));
    }
    apr_pool_destroy(iterpool);
    if (!done) {
        heir->error = refused;
        heir->effect = NULL;
    }
    return NULL;
}

/* Return the record that continues RECORD, which is to be deleted, if the
 * database refuses it; or perhaps its first messages, while later ones wait.
 * Else NULL. */
static cm_record_t *refused_heir(cm_run_t *run, const cm_record_t *record)
{
    cm_record_t *heir;

    if (!record->effect || record->effect->kind != CM_EFFECT_DELETE ||
        !record->here->exists || !cm_heirs_are_coming(run, record))
        return NULL;
    heir = cm_heirs_last(run, record)->record;
    if (!heir->error || CM_NTH(heir->tasks, heir->next, cm_task_t)->fault)
        return NULL;
    return heir->error->code == CM_REJECTED ||
                   (heir->error->code == CM_WAITS &&
                    heir->tasks->nelts > heir->next + 1)
               ? heir
               : NULL;
}

cm_error_t *cm_vacate_formers(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);
        cm_record_t *heir = refused_heir(run, record);

        apr_pool_clear(iterpool);
        if (heir)
            CM_TRY(give_way(run, record, heir, iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}
