/* The node: this database and its lock. See node.h. */
#include "node/node.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/clock.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "schema/migrate.h"

/* How long a connection remembers tables. */
#define TABLES_LAST apr_time_from_sec(10)

/* Fail unless PRESENT, the version of the database, is the one that this
 * program knows. */
static cm_error_t *check_version(int present, cm_store_t *store,
                                 apr_pool_t *pool)
{
    const int known = cm_migrate_files_known(store);

    if (present == known)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_SCHEMA,
                "Communicator's tables have version %d, version %d is needed",
                present, known),
        pool,
        present > known ? "install the newer program here too, and restart "
                          "httpd and --follow"
                        : "run 'communicator-sync migrate'");
}

/* Return what is kept of received messages. IN_DATABASE is "rows" where the gem
 * kept a row of each, which its users may read with SQL. */
static cm_history_e history_of(const cm_settings_t *settings,
                               const char *in_database)
{
    if (settings->history != CM_HISTORY_UNSET)
        return settings->history;
    return in_database && !strcmp(in_database, "rows") ? CM_HISTORY_ROWS
                                                       : CM_HISTORY_PACKED;
}

cm_error_t *cm_node_open(cm_node_t **node, const cm_settings_t *settings,
                         cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *opened;
    cm_error_t *err;
    cm_rows_t *rows;

    err = cm_statement_select(
        &rows, store,
        "SELECT epoch, life, (SELECT max(version) FROM communicator_schema),"
        " paused_at, history FROM communicator_node WHERE id = 1",
        NULL, 0, pool);
    if (err && err->code == CM_SCHEMA)
        return cm_error_hint(cm_error_make(pool, CM_SCHEMA, err, __FILE__,
                                           __LINE__,
                                           "Communicator's tables are missing"),
                             pool, "run 'communicator-sync migrate'");
    CM_TRY_FOR(err, pool, "cannot open the database");
    CM_TRY(check_version(rows->count ? (int)cm_cell_number(rows, 0, 2) : 0,
                         store, pool));
    opened = apr_pcalloc(pool, sizeof(*opened));
    opened->settings = settings;
    opened->store = store;
    opened->epoch = cm_cell_text(rows, 0, 0);
    opened->life = (int)cm_cell_number(rows, 0, 1);
    opened->paused_at = cm_cell_number(rows, 0, 3);
    opened->history = history_of(settings, cm_cell_text(rows, 0, 4));
    opened->pool = pool;
    apr_pool_create(&opened->tables.pool, pool);
    apr_pool_tag(opened->tables.pool, "cm_node_tables");
    apr_pool_create(&opened->tables.records_pool, pool);
    apr_pool_tag(opened->tables.records_pool, "cm_node_records");
    apr_pool_create(&opened->outbox.pool, pool);
    apr_pool_tag(opened->outbox.pool, "cm_node_row");
    apr_pool_create(&opened->tables.failed_pool, pool);
    apr_pool_tag(opened->tables.failed_pool, "cm_node_failed");
    opened->tables.failed = apr_hash_make(opened->tables.failed_pool);
    opened->tables.by_model = apr_hash_make(opened->tables.pool);
    opened->tables.numbered = apr_hash_make(opened->tables.pool);
    *node = opened;
    return NULL;
}

/* Return the version of the schema; 0: it is not known. */
static apr_int64_t schema_version(const cm_node_t *node)
{
    const char *sql = cm_dialect_of_store(node->store)->schema_version;
    apr_int64_t version = 0;
    apr_pool_t *scratch_pool;

    if (!sql)
        return 0;
    apr_pool_create(&scratch_pool, node->pool);
    if (cm_statement_number(&version, node->store, sql, NULL, 0, scratch_pool))
        version = 0;
    apr_pool_destroy(scratch_pool);
    return version;
}

/* Read the table of MODEL into the cache. That there is none is remembered,
 * too: thousands of messages may be for it. */
static cm_error_t *read_table(cm_table_t **table, cm_node_t *node,
                              const cm_model_t *model, apr_pool_t *scratch_pool)
{
    cm_node_tables_t *tables = &node->tables;
    apr_pool_t *pool;
    cm_error_t *err;

    if (!apr_hash_count(tables->by_model)) {
        tables->read_at = cm_clock_now();
        tables->version = schema_version(node);
    }
    apr_pool_create(&pool, tables->pool);
    err = cm_table_read(table, node->store, model, pool, scratch_pool);
    if (!err) {
        apr_hash_set(tables->by_model, model->name, APR_HASH_KEY_STRING,
                     *table);
        return NULL;
    }
    apr_pool_destroy(pool);
    if (err->code == CM_SCHEMA)
        apr_hash_set(tables->failed, model->name, APR_HASH_KEY_STRING,
                     cm_error_copy(err, tables->failed_pool));
    return err;
}

cm_error_t *cm_node_table(const cm_table_t **table, cm_node_t *node,
                          const cm_model_t *model, apr_pool_t *scratch_pool)
{
    cm_table_t *known =
        apr_hash_get(node->tables.by_model, model->name, APR_HASH_KEY_STRING);
    const cm_error_t *failed;

    if (!known) {
        failed =
            apr_hash_get(node->tables.failed, model->name, APR_HASH_KEY_STRING);
        if (failed)
            return cm_error_copy(failed, scratch_pool);
        CM_TRY(read_table(&known, node, model, scratch_pool));
    }
    *table = known;
    return NULL;
}

cm_error_t *cm_node_sequences(apr_array_header_t **list, cm_node_t *node,
                              const cm_model_t *model, apr_pool_t *scratch_pool)
{
    cm_error_t *err;

    *list =
        apr_hash_get(node->tables.numbered, model->name, APR_HASH_KEY_STRING);
    if (*list)
        return NULL;
    err = cm_sequence_list(list, node->store, model, node->tables.pool);
    if (err)
        return cm_error_copy(err, scratch_pool);
    apr_hash_set(node->tables.numbered, model->name, APR_HASH_KEY_STRING,
                 *list);
    return NULL;
}

cm_error_t *cm_node_records(const cm_records_t **records, cm_node_t *node,
                            const char *type, apr_pool_t *scratch_pool)
{
    apr_hash_t *read;
    cm_error_t *err;

    if (!node->tables.records) {
        err = cm_records_read(&read, node->store, node->tables.records_pool);
        if (err)
            return cm_error_copy(err, scratch_pool);
        node->tables.records = read;
    }
    *records = apr_hash_get(node->tables.records, type, APR_HASH_KEY_STRING);
    if (*records)
        return NULL;
    return cm_error_hint(
        CM_FAIL(scratch_pool, CM_SCHEMA,
                "there is no table for the records of class '%s'", type),
        scratch_pool, "run 'communicator-sync migrate'");
}

void cm_node_forget_records(cm_node_t *node)
{
    node->tables.records = NULL;
}

/* Return whether the tables are as they were when they were read. */
static int is_current(const cm_node_t *node)
{
    return node->tables.version && node->tables.version == schema_version(node);
}

static void forget_failed(cm_node_tables_t *tables)
{
    apr_pool_clear(tables->failed_pool);
    tables->failed = apr_hash_make(tables->failed_pool);
}

void cm_node_forget(cm_node_t *node)
{
    forget_failed(&node->tables);
    cm_node_forget_records(node);
    apr_pool_clear(node->tables.records_pool);
    if (is_current(node)) {
        node->tables.read_at = cm_clock_now();
        return;
    }
    apr_pool_clear(node->tables.pool);
    node->tables.by_model = apr_hash_make(node->tables.pool);
    node->tables.numbered = apr_hash_make(node->tables.pool);
    cm_store_forget(node->store);
}

void cm_node_renew(cm_node_t *node)
{
    forget_failed(&node->tables);
    if (apr_hash_count(node->tables.by_model) &&
        cm_clock_now() - node->tables.read_at > TABLES_LAST)
        cm_node_forget(node);
}

/* Read the row of communicator_node; LOCK is the end of the SQL. Another
 * program may have migrated the tables since the node was opened: this one must
 * not write them then. */
static cm_error_t *read_row(apr_int64_t *last_seq, cm_node_t *node,
                            const char *lock, apr_pool_t *scratch_pool)
{
    const char *sql =
        apr_pstrcat(scratch_pool,
                    "SELECT last_seq, epoch, life, paused_at,"
                    " mappings_version, stamped_id, passed, met_at,"
                    " (SELECT max(version) FROM communicator_schema)"
                    " FROM communicator_node"
                    " WHERE id = 1",
                    lock, NULL);
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(&rows, node->store, sql, NULL, 0, scratch_pool));
    if (!rows->count)
        return cm_error_hint(
            CM_FAIL(scratch_pool, CM_SCHEMA, "communicator_node has no row"),
            scratch_pool,
            "restore it from a backup: it holds the last number used");
    CM_TRY(check_version((int)cm_cell_number(rows, 0, 8), node->store,
                         scratch_pool));
    *last_seq = cm_cell_number(rows, 0, 0);
    if (strcmp(node->epoch, cm_cell_text(rows, 0, 1)))
        node->epoch = apr_pstrdup(node->pool, cm_cell_text(rows, 0, 1));
    node->life = (int)cm_cell_number(rows, 0, 2);
    node->paused_at = cm_cell_number(rows, 0, 3);
    node->mappings_version = cm_cell_number(rows, 0, 4);
    node->outbox.stamped_id = cm_cell_number(rows, 0, 5);
    apr_pool_clear(node->outbox.pool);
    node->outbox.passed =
        apr_pstrdup(node->outbox.pool, cm_cell_text(rows, 0, 6));
    node->met_at = cm_cell_number(rows, 0, 7);
    return NULL;
}

cm_error_t *cm_node_refresh(apr_int64_t *last_seq, cm_node_t *node,
                            apr_pool_t *scratch_pool)
{
    CM_TRY_FOR(read_row(last_seq, node, "", scratch_pool), scratch_pool,
               "cannot read the epoch of this database");
    return NULL;
}

cm_error_t *cm_node_lock(apr_int64_t *last_seq, cm_node_t *node,
                         apr_pool_t *scratch_pool)
{
    CM_TRY_FOR(read_row(last_seq, node,
                        cm_dialect_of_store(node->store)->for_update,
                        scratch_pool),
               scratch_pool, "cannot take the node's lock");
    return NULL;
}

cm_error_t *cm_node_set_last_seq(cm_node_t *node, apr_int64_t last_seq,
                                 apr_pool_t *scratch_pool)
{
    cm_datum_t argument = cm_datum_number(last_seq, scratch_pool);

    return cm_statement_run(NULL, node->store,
                            "UPDATE communicator_node SET last_seq = %s"
                            " WHERE id = 1",
                            &argument, 1, scratch_pool);
}

cm_error_t *cm_node_migrated_seq(apr_int64_t *seq, cm_node_t *node,
                                 apr_pool_t *scratch_pool)
{
    return cm_statement_number(
        seq, node->store,
        "SELECT migrated_seq FROM communicator_node WHERE id = 1", NULL, 0,
        scratch_pool);
}

cm_error_t *cm_node_set_met(cm_node_t *node, apr_int64_t met_at,
                            apr_pool_t *scratch_pool)
{
    cm_datum_t argument = cm_datum_number(met_at, scratch_pool);

    node->met_at = met_at;
    return cm_statement_run(NULL, node->store,
                            "UPDATE communicator_node SET met_at = %s"
                            " WHERE id = 1",
                            &argument, 1, scratch_pool);
}

cm_error_t *cm_node_set_stamped(cm_node_t *node, apr_int64_t last_seq,
                                apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_number(last_seq, scratch_pool),
        cm_datum_number(node->outbox.stamped_id, scratch_pool),
        cm_datum_text(node->outbox.passed)};

    return cm_statement_run(NULL, node->store,
                            "UPDATE communicator_node SET last_seq = %s,"
                            " stamped_id = %s, passed = %s WHERE id = 1",
                            arguments, 3, scratch_pool);
}

cm_error_t *cm_node_set_epoch(cm_node_t *node, const char *epoch, int life,
                              apr_int64_t last_seq, apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(epoch),
                                    cm_datum_number(life, scratch_pool),
                                    cm_datum_number(last_seq, scratch_pool)};

    return cm_statement_run(NULL, node->store,
                            "UPDATE communicator_node SET epoch = %s,"
                            " life = %s, last_seq = %s WHERE id = 1",
                            arguments, 3, scratch_pool);
}

cm_error_t *cm_node_set_paused(cm_node_t *node, apr_int64_t at,
                               apr_pool_t *scratch_pool)
{
    const cm_datum_t argument = cm_datum_number(at, scratch_pool);

    CM_TRY_FOR(
        cm_statement_run(NULL, node->store,
                         at ? "UPDATE communicator_node SET paused_at = %s"
                              " WHERE id = 1 AND paused_at = 0"
                            : "UPDATE communicator_node SET paused_at = %s"
                              " WHERE id = 1",
                         &argument, 1, scratch_pool),
        scratch_pool, "cannot %s '%s'", at ? "pause" : "resume",
        node->settings->name);
    if (!at || !node->paused_at)
        node->paused_at = at;
    return NULL;
}

cm_error_t *cm_node_check_paused(const cm_node_t *node, apr_pool_t *pool)
{
    char since[APR_RFC822_DATE_LEN];

    if (!node->paused_at)
        return NULL;
    apr_rfc822_date(since, node->paused_at);
    return cm_error_hint(CM_FAIL(pool, CM_PAUSED, "'%s' is paused since %s",
                                 node->settings->name, since),
                         pool, "communicator-sync resume");
}

cm_error_t *cm_node_mappings_change(cm_node_t *node, apr_pool_t *scratch_pool)
{
    node->mappings_version++;
    return cm_statement_run(NULL, node->store,
                            "UPDATE communicator_node SET mappings_version ="
                            " mappings_version + 1 WHERE id = 1",
                            NULL, 0, scratch_pool);
}

/* SQLite has no variables, so a row in the same transaction is used. */
static cm_error_t *set_applying_row(cm_store_t *store, const char *name,
                                    apr_pool_t *scratch_pool)
{
    cm_datum_t argument = cm_datum_text(name);

    CM_TRY(cm_statement_run(NULL, store, "DELETE FROM communicator_applying",
                            NULL, 0, scratch_pool));
    if (!name)
        return NULL;
    return cm_statement_run(
        NULL, store, "INSERT INTO communicator_applying (name) VALUES (%s)",
        &argument, 1, scratch_pool);
}

cm_error_t *cm_node_applying(cm_node_t *node, const cm_table_t *table,
                             apr_pool_t *scratch_pool)
{
    const char *sql = cm_dialect_of_store(node->store)->set_applying;
    const char *name = table ? table->model->table : NULL;
    cm_datum_t argument = cm_datum_text(name);

    if (!sql)
        return set_applying_row(node->store, name, scratch_pool);
    return cm_statement_run(NULL, node->store, sql, &argument, 1, scratch_pool);
}

cm_error_t *cm_node_deleting(cm_node_t *node, const cm_table_t *table,
                             const apr_array_header_t *keys,
                             apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"name", "text"}};
    cm_bulk_t *bulk;
    apr_int64_t inserted;
    int i;

    if (cm_dialect_of_store(node->store)->set_applying)
        return cm_node_applying(node, table, scratch_pool);
    CM_TRY(set_applying_row(node->store, NULL, scratch_pool));
    bulk = cm_bulk_create("communicator_applying", columns, 1, 1, scratch_pool);
    for (i = 0; i < keys->nelts; i++)
        cm_bulk_row(bulk, "t",
                    apr_pstrcat(scratch_pool, table->model->table, "\x1f",
                                APR_ARRAY_IDX(keys, i, const char *), NULL));
    return cm_bulk_insert(&inserted, node->store, bulk, CM_PRESENT_FAIL,
                          scratch_pool);
}
