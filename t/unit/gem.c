/* See gem.h. */
#include "gem.h"

#include <apr_hash.h>

#include "store/sql.h"

/* What the gem's four migrations make; {later}: the newer two of them. */
static const char gem_tables[] =
    "CREATE TABLE outbound_messages (id {auto}, body text NOT NULL,"
    " delivered_at {time}, created_at {time} {strict},"
    " updated_at {time} {strict} {later}) {old};\n"
    "CREATE TABLE inbound_messages (id {auto}, body text NOT NULL,"
    " processed_at {time}, created_at {time}, updated_at {time} {later});\n"
    "INSERT INTO outbound_messages (body, created_at, updated_at) VALUES"
    " ('caf\xc3\xa9', '2011-06-22 10:11:12', '2011-06-22 10:11:12'),"
    " ('b', {when}, {when}), ('c', {when}, {when}), ('d', {when}, {when}),"
    " ('e', {when}, {when}), ('f', {when}, {when}), ('g', {when}, {when}),"
    " ('h', {when}, {when}), ('i', {when}, {when});\n"
    "DELETE FROM outbound_messages WHERE id IN (2, 5, 6, 9);\n"
    "UPDATE outbound_messages SET delivered_at = {when}"
    " WHERE id IN (1, 3, 4, 8);\n"
    "INSERT INTO inbound_messages (id, body, processed_at, created_at)"
    " VALUES (50, 'x', {when}, '2011-06-22 10:11:12'),"
    " (51, 'y', {when}, {when}), (53, 'z', {when}, {when});\n";

static const char gem_mappings[] =
    "CREATE TABLE communicator_mappings (id {auto},"
    " origin varchar(255) NOT NULL, original_id integer NOT NULL,"
    " local_record_type varchar(255) NOT NULL,"
    " local_record_id integer NOT NULL, created_at {time},"
    " updated_at {time});\n"
    "CREATE UNIQUE INDEX remote_record_unique_index ON communicator_mappings"
    " (local_record_type, origin, original_id);\n"
    "CREATE UNIQUE INDEX local_record_unique_index ON communicator_mappings"
    " (local_record_type, local_record_id);\n"
    "UPDATE outbound_messages SET origin = 'here', original_id = id + 10;\n"
    "INSERT INTO communicator_mappings"
    " (origin, original_id, local_record_type, local_record_id)"
    " VALUES ('here', 7, 'Post', 7), ('there', 7, 'Post', 8),"
    " ('there', 7, 'Comment', 8);\n";

static void gem_word(apr_hash_t *words, const char *name, const char *value)
{
    apr_hash_set(words, name, APR_HASH_KEY_STRING, value);
}

static void gem_run(cm_store_t *store, const char *text, apr_hash_t *words,
                    apr_pool_t *pool)
{
    apr_array_header_t *statements =
        cm_sql_statements(cm_sql_fill(text, words, pool), pool);
    int i;

    for (i = 0; i < statements->nelts; i++)
        database_run(store, APR_ARRAY_IDX(statements, i, const char *));
}

void gem_make(cm_store_t *store, int old, apr_pool_t *pool)
{
    apr_hash_t *words = apr_hash_make(pool);

    gem_word(words, "time", "datetime");
    gem_word(words, "strict", "");
    gem_word(words, "old", "");
    gem_word(words, "when", "'2012-01-01 00:00:00'");
    gem_word(words, "later",
             old ? "" : ", origin varchar(255), original_id integer");
    switch (cm_dialect_of_store(store)->database) {
    case CM_SQLITE3:
        gem_word(words, "auto", "integer PRIMARY KEY AUTOINCREMENT NOT NULL");
        break;
    case CM_PGSQL:
        gem_word(words, "auto", "serial PRIMARY KEY");
        gem_word(words, "time", "timestamp");
        gem_word(words, "strict", "NOT NULL");
        break;
    case CM_MYSQL:
        gem_word(words, "auto", "int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY");
        gem_word(words, "strict", "NOT NULL");
        gem_word(words, "old", "ENGINE=MyISAM DEFAULT CHARSET=latin1");
        break;
    }
    gem_run(store, gem_tables, words, pool);
    if (!old)
        gem_run(store, gem_mappings, words, pool);
}

/* Drop the tables of records, and the view or the old table of mappings. */
static void drop_records(cm_store_t *store, apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    database_must(cm_statement_section(&rows, store, "records.sql", "old", NULL,
                                       0, pool));
    database_run(store, rows->count
                            ? "DROP TABLE IF EXISTS communicator_mappings"
                            : "DROP VIEW IF EXISTS communicator_mappings");
    for (i = 1; i <= 4; i++)
        database_run(
            store,
            apr_psprintf(pool, "DROP TABLE IF EXISTS communicator_records_%d",
                         i));
    database_run(store, "DROP TABLE IF EXISTS communicator_models");
    database_run(store, "DROP TABLE IF EXISTS communicator_columns");
}

void gem_drop_upgraded(cm_store_t *store)
{
    static const char *const names[] = {
        "outbound_messages",     "inbound_messages",
        "communicator_peers",    "communicator_node",
        "communicator_schema",   "communicator_missing",
        "communicator_withheld", "communicator_problems",
        "communicator_altered",  "communicator_graves",
        "communicator_applying", "communicator_conflicts",
        "communicator_received",
    };
    apr_pool_t *pool;
    apr_size_t i;

    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        database_run(
            store, apr_pstrcat(pool, "DROP TABLE IF EXISTS ", names[i], NULL));
    drop_records(store, pool);
    apr_pool_destroy(pool);
}

void gem_old_mappings(cm_store_t *store, apr_pool_t *pool)
{
    const cm_database_e database = cm_dialect_of_store(store)->database;

    drop_records(store, pool);
    database_run(
        store,
        apr_psprintf(
            pool,
            "CREATE TABLE communicator_mappings (id %s,"
            " origin varchar(255) NOT NULL, original_id varchar(255) NOT NULL,"
            " local_record_type varchar(255) NOT NULL,"
            " local_record_id varchar(255), clock bigint NOT NULL DEFAULT 0,"
            " clocks text, deleted_at bigint NOT NULL DEFAULT 0,"
            " same_as bigint)%s",
            database == CM_PGSQL   ? "bigserial PRIMARY KEY"
            : database == CM_MYSQL ? "bigint AUTO_INCREMENT PRIMARY KEY"
                                   : "integer PRIMARY KEY AUTOINCREMENT",
            database == CM_MYSQL ? " DEFAULT CHARACTER SET utf8mb4"
                                   " COLLATE /*M! utf8mb4_nopad_bin */ "
                                   "/*!80017 utf8mb4_0900_bin */"
                                 : ""));
    database_run(store, "DELETE FROM communicator_schema WHERE version >= 12");
}

cm_settings_t *gem_settings(apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);

    settings_add_peer(settings, "facade", pool);
    return settings;
}
