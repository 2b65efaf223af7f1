/* check: the database, Communicator's tables in it, and the models. */
#include "check.h"

#include <apr_strings.h>

#include "store/dialect.h"
#include "schema/capture.h"
#include "schema/gem_tables.h"
#include "schema/judge.h"
#include "schema/migrate.h"
#include "schema/records.h"
#include "schema/sequence.h"
#include "node/altered.h"
#include "inbox/nameless.h"
#include "operate/health.h"
#include "operate/rights.h"

static cm_error_t *schema_is_known(const sync_client_t *client,
                                   apr_pool_t *pool)
{
    int present, known;

    CM_TRY(cm_migrate_version(&present, &known, client->store, pool));
    if (present == known)
        return NULL;
    if (present > known)
        return cm_error_hint(CM_FAIL(pool, CM_SCHEMA,
                                     "version %d is newer than this program "
                                     "knows (%d)",
                                     present, known),
                             pool, "upgrade communicator-sync");
    return cm_error_hint(CM_FAIL(pool, CM_SCHEMA,
                                 "the database has version %d, %d is needed",
                                 present, known),
                         pool, "communicator-sync migrate");
}

/* Each judge looks at one aspect of a table: it fails, or prints a warning. */
static cm_error_t *triggers_are_there(sync_check_t *check,
                                      const cm_table_t *table)
{
    static const char *const words[] = {
        [CM_CAPTURE_MISSING] = "are missing: its changes are not published",
        [CM_CAPTURE_STALE] = "are disabled, or were made for other "
                             "columns or by another version",
        [CM_CAPTURE_PARTIAL] = "are not on all of its partitions: what is "
                               "written to those directly is not published"};
    apr_pool_t *pool = check->client->pool;
    cm_capture_e state;

    if (!cm_settings_model_captures(table->model))
        return NULL;
    if (!check->capture)
        CM_TRY(cm_capture_open(&check->capture, check->client->store, pool));
    CM_TRY(cm_capture_state(&state, check->capture, table, pool));
    if (state == CM_CAPTURE_CURRENT)
        return NULL;
    return cm_error_hint(CM_FAIL(pool, CM_SCHEMA, "the triggers of '%s' %s",
                                 table->model->table, words[state]),
                         pool, "communicator-sync migrate");
}

static cm_error_t *records_have_a_table(sync_check_t *check,
                                        const cm_table_t *table)
{
    apr_pool_t *pool = check->client->pool;
    cm_store_t *store = check->client->store;
    const cm_records_t *records;
    int present, known;

    if (!check->records) {
        CM_TRY(cm_migrate_version(&present, &known, store, pool));
        if (present < CM_RECORDS_VERSION) /* that is said of all tables */
            return NULL;
        CM_TRY(cm_records_read(&check->records, store, pool));
    }
    records =
        apr_hash_get(check->records, table->model->type, APR_HASH_KEY_STRING);
    if (records && records->keys_are_integers == cm_records_integer_keys(table))
        return NULL;
    return cm_error_hint(
        records ? CM_FAIL(pool, CM_SCHEMA,
                          "the key of '%s' has another type than when its "
                          "records were first known",
                          table->model->table)
                : CM_FAIL(pool, CM_SCHEMA,
                          "there is no table for the records of class '%s'",
                          table->model->type),
        pool, "communicator-sync migrate");
}

static cm_error_t *may_be_changed(sync_check_t *check, const cm_table_t *table)
{
    if (!table->model->receives || check->standby)
        return NULL;
    return cm_rights_check(check->client->store, table, check->client->pool);
}

/* What migrate would refuse, and what it only warns of. */
static cm_error_t *takes_part(sync_check_t *check, const cm_table_t *table)
{
    const cm_model_t *model = table->model;
    apr_pool_t *pool = check->client->pool;
    apr_array_header_t *findings;
    int i;

    CM_TRY(cm_judge_table(&findings, check->client->store, table, pool));
    CM_TRY(cm_judge_rows(findings, check->client->store, table, pool));
    CM_TRY(cm_judge_names(findings, check->client->store,
                          check->client->settings, table, pool));
    CM_TRY(cm_judge_filter(check->client->store, table, pool));
    for (i = 0; i < findings->nelts; i++) {
        const cm_finding_t *finding = &APR_ARRAY_IDX(findings, i, cm_finding_t);

        if (!finding->refused)
            sync_check_say(check, SYNC_VERDICT_WARN, finding->hint,
                           "model %s: %s", model->name, finding->text);
    }
    return cm_judge_error(findings, 1, pool);
}

/* A sequence that is behind gives numbers that rows have already. */
static cm_error_t *sequences_are_ahead(sync_check_t *check,
                                       const cm_table_t *table)
{
    apr_pool_t *pool = check->client->pool;
    apr_array_header_t *behind;
    int i;

    CM_TRY(cm_sequence_behind(&behind, check->client->store, table, pool));
    for (i = 0; i < behind->nelts; i++) {
        const cm_behind_t *one = &APR_ARRAY_IDX(behind, i, cm_behind_t);

        sync_check_say(check, SYNC_VERDICT_WARN,
                       cm_sequence_remedy(&one->sequence, pool), "model %s: %s",
                       table->model->name, cm_sequence_text(one, pool));
    }
    return NULL;
}

typedef cm_error_t *(*judge_t)(sync_check_t *check, const cm_table_t *table);
static const judge_t judges[] = {triggers_are_there, records_have_a_table,
                                 may_be_changed, takes_part,
                                 sequences_are_ahead};

/* Judge all aspects of MODEL: one that fails does not hide the others. */
static void check_model(sync_check_t *check, const cm_model_t *model)
{
    apr_pool_t *pool = check->client->pool;
    cm_table_t *table;
    cm_error_t *err =
        cm_table_read(&table, check->client->store, model, pool, pool);
    int failed = 0;
    size_t i;

    if (err) {
        sync_check_went(check, err, "model %s", model->name);
        return;
    }
    for (i = 0; i < sizeof(judges) / sizeof(*judges); i++) {
        err = judges[i](check, table);
        failed |= err && !sync_check_went(check, err, "model %s", model->name);
    }
    if (!failed)
        sync_check_went(check, NULL, "model %s", model->name);
}

/* Warn of messages that need a person, at either side. */
static void check_messages(sync_check_t *check, const cm_status_peer_t *peer)
{
    const apr_array_header_t *stuck =
        sync_client_stuck(peer, check->client->pool);
    int i;

    for (i = 0; i < stuck->nelts; i++) {
        const cm_problem_t *one = &APR_ARRAY_IDX(stuck, i, cm_problem_t);

        sync_check_say(check, SYNC_VERDICT_WARN, one->hint, "%s", one->text);
    }
}

/* Warn of columns in which the sides come to differ. */
static void check_altered(sync_check_t *check)
{
    apr_pool_t *pool = check->client->pool;
    apr_array_header_t *all;
    cm_error_t *err = cm_altered_list(&all, check->client->node, pool);
    int i;

    if (err)
        sync_check_went(check, err, "altered columns");
    for (i = 0; !err && i < all->nelts; i++) {
        const cm_altered_t *altered = &APR_ARRAY_IDX(all, i, cm_altered_t);

        sync_check_say(check, SYNC_VERDICT_WARN,
                       apr_psprintf(pool, CM_ALTERED_REMEDY, altered->column),
                       "%s", cm_altered_text(altered, pool));
    }
}

/* Warn of gems that name no records. */
static void check_nameless(sync_check_t *check)
{
    apr_array_header_t *kept;
    cm_error_t *err =
        cm_problem_list(&kept, check->client->node, check->client->pool);
    int i;

    if (err)
        sync_check_went(check, err, "problems");
    for (i = 0; !err && i < kept->nelts; i++) {
        const cm_problem_t *one = &APR_ARRAY_IDX(kept, i, cm_problem_t);

        if (!strcmp(one->kind, CM_NAMELESS))
            sync_check_say(check, SYNC_VERDICT_WARN, one->hint, "%s",
                           one->text);
    }
}

/* Warn of a pause, and of what needs a person. */
static void check_state(sync_check_t *check)
{
    sync_client_t *client = check->client;
    cm_status_t *state = NULL;
    int i;

    if (!sync_check_went(
            check, cm_status_read(&state, client->node, NULL, client->pool),
            "this node"))
        return;
    if (state->paused_at)
        sync_check_say(check, SYNC_VERDICT_WARN, "communicator-sync resume",
                       "%s is paused; the pause began %s", state->name,
                       sync_output_when(state->paused_at, client->pool));
    check_altered(check);
    check_nameless(check);
    for (i = 0; i < state->peers->nelts; i++)
        check_messages(check,
                       &APR_ARRAY_IDX(state->peers, i, cm_status_peer_t));
}

/* Find triggers on tables that are no longer published, or were renamed. */
static void check_leftovers(sync_check_t *check)
{
    apr_pool_t *pool = check->client->pool;
    apr_array_header_t *leftovers;
    cm_error_t *err = cm_migrate_triggers_leftovers(
        &leftovers, check->client->store, check->client->settings, pool);
    int i;

    if (err)
        sync_check_went(check, err, "triggers");
    for (i = 0; !err && i < leftovers->nelts; i++)
        sync_check_went(
            check,
            cm_error_hint(CM_FAIL(pool, CM_SCHEMA,
                                  "%s: what it captures is published twice, "
                                  "or not at all",
                                  APR_ARRAY_IDX(leftovers, i, const char *)),
                          pool, "communicator-sync migrate"),
            "triggers");
}

/* Warn of records of classes that no model has. */
static void check_classes(sync_check_t *check)
{
    apr_pool_t *pool = check->client->pool;
    apr_array_header_t *unclaimed;
    cm_error_t *err = cm_records_unclaimed(&unclaimed, check->client->store,
                                           check->client->settings, pool);
    int i;

    if (err)
        sync_check_went(check, err, "classes of records");
    for (i = 0; !err && i < unclaimed->nelts; i++) {
        const cm_unclaimed_t *one =
            &APR_ARRAY_IDX(unclaimed, i, cm_unclaimed_t);

        sync_check_say(check, SYNC_VERDICT_WARN,
                       apr_psprintf(pool, CM_UNCLAIMED_HINT, one->type), "%s",
                       cm_records_unclaimed_text(one, pool));
    }
}

/* Say which gem's tables are there, before they are upgraded. */
static void check_gem_tables(sync_check_t *check)
{
    cm_gem_tables_e kind;
    cm_error_t *err =
        cm_gem_tables_find(&kind, check->client->store, check->client->pool);

    if (err)
        sync_check_went(check, err, "tables of the gem");
    else if (kind == CM_GEM_TABLES_NAMED)
        sync_check_went(check, NULL,
                        "tables of the gem: its records have names, which go "
                        "on");
    else if (kind == CM_GEM_TABLES_NAMELESS)
        sync_check_say(check, SYNC_VERDICT_WARN, CM_GEM_TABLES_NAMELESS_HINT,
                       CM_GEM_TABLES_NAMELESS_TEXT);
}

/* Judge Communicator's own tables. Without them the models can still be judged.
 */
static void check_own(sync_check_t *check)
{
    sync_client_t *client = check->client;
    cm_error_t *err;

    check_gem_tables(check);
    check_classes(check);
    if (!sync_check_went(check, schema_is_known(client, client->pool),
                         "tables of Communicator"))
        return;
    check_leftovers(check);
    if (!check->standby)
        sync_check_went(check,
                        cm_rights_check(client->store, NULL, client->pool),
                        "rights on Communicator's tables");
    err = sync_client_node(client);
    if (err)
        sync_check_went(check, err, "this node");
    else
        check_state(check);
}

/* Find out whether the database is a standby, which takes no writes. */
static void check_standby(sync_check_t *check)
{
    apr_pool_t *pool = check->client->pool;
    const char *why;
    cm_error_t *err = cm_store_standby(&why, check->client->store, pool);

    if (!err && !why)
        return;
    check->standby = why != NULL;
    if (!err)
        err = cm_error_hint(
            CM_FAIL(pool, CM_UNAVAILABLE, "it takes no writes: %s", why), pool,
            "let DBDParams lead to the database that does (PostgreSQL: "
            "several hosts and target_session_attrs=read-write)");
    sync_check_went(check, err, "database");
}

void sync_check_database(sync_check_t *check)
{
    sync_client_t *client = check->client;
    const cm_settings_t *settings = client->settings;
    int i;

    if (!sync_check_went(check, sync_client_store(client), "database (%s)",
                         settings->database.driver ? settings->database.driver
                                                   : "none"))
        return;
    if (cm_store_is_pooled(client->store))
        sync_check_say(check, SYNC_VERDICT_OK, NULL,
                       "database: it is behind a pooler, so each transaction "
                       "makes its own settings");
    check_standby(check);
    check_own(check);
    if (cm_dialect_of_store(client->store)->truncate_hidden)
        sync_check_say(check, SYNC_VERDICT_OK,
                       "use DELETE instead; after a TRUNCATE, "
                       "`communicator-sync verify`",
                       "MariaDB's triggers do not see TRUNCATE: the records "
                       "stay at the peers");
    for (i = 0; i < settings->models->nelts; i++)
        check_model(check, APR_ARRAY_IDX(settings->models, i, cm_model_t *));
    sync_check_catalog(check);
}
