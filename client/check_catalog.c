/* check: what the catalog of the database says about the models. */
#include "check_catalog.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "store/dialect.h"
#include "schema/judge.h"
#include "schema/propose.h"

void sync_check_catalog_warn(sync_check_catalog_t *on, const char *hint,
                             const char *what)
{
    on->warned = 1;
    sync_check_say(on->check, SYNC_VERDICT_WARN, hint, "model %s: %s",
                   on->model->name, what);
}

void sync_check_catalog_tell(const sync_check_catalog_t *on, const char *hint,
                             const char *what)
{
    sync_check_say(on->check, SYNC_VERDICT_OK, hint, "model %s: %s",
                   on->model->name, what);
}

const cm_model_t *sync_check_catalog_model(const sync_check_catalog_t *on,
                                           const char *name)
{
    const apr_array_header_t *models = on->check->client->settings->models;
    int i;

    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);
        const cm_catalog_table_t *table =
            cm_catalog_table(on->catalog, model->table);

        if (table && !strcmp(table->name, name))
            return model;
    }
    return NULL;
}

/* --- references --- */

/* REFERENCE is proposed for the model; CERTAIN: by a foreign key. Warn where
 * the model does not have it, and its values mean other records at the peer. */
static void check_reference(sync_check_catalog_t *on,
                            const cm_reference_t *reference, int certain)
{
    apr_pool_t *pool = on->check->client->pool;
    const char *column = reference->column;
    const cm_model_t *parent =
        reference->type
            ? NULL
            : cm_settings_model(on->check->client->settings, reference->model);

    if (!cm_settings_model_carries(on->model, column) ||
        cm_settings_model_reference(on->model, column) ||
        (!reference->type && (!parent || parent->shared_keys)))
        return;
    sync_check_catalog_warn(
        on,
        apr_psprintf(pool, "add references=%s",
                     cm_settings_reference_text(reference, pool)),
        reference->type
            ? apr_psprintf(pool,
                           "'%s' seems to refer to what '%s' names, and is "
                           "sent as it is: there it means another record",
                           column, reference->type)
            : apr_psprintf(pool,
                           "'%s' %s '%s', and is sent as it is: there it means "
                           "another record",
                           column, certain ? "refers to" : "seems to refer to",
                           parent->table));
}

/* COLUMN refers to what a row of another table names. */
static void check_generic(sync_check_catalog_t *on, const char *column)
{
    apr_pool_t *pool = on->check->client->pool;

    if (cm_settings_model_carries(on->model, column) &&
        !cm_settings_model_reference(on->model, column))
        sync_check_catalog_warn(
            on,
            apr_psprintf(pool,
                         "except=%s, or references=%s:MODEL if that is always "
                         "the same model",
                         column, column),
            apr_psprintf(pool,
                         "'%s' refers to what a row of the content types "
                         "names, and is sent as it is: there it means another "
                         "record",
                         column));
}

/* COLUMN has the name of a reference, but nothing says to what. It may as well
 * be a number of another system, so that is not a warning. */
static void tell_unexplained(const sync_check_catalog_t *on, const char *column)
{
    apr_pool_t *pool = on->check->client->pool;

    if (cm_settings_model_carries(on->model, column) &&
        !cm_settings_model_reference(on->model, column))
        sync_check_catalog_tell(
            on,
            apr_psprintf(pool,
                         "if it refers to records, declare references=%s:MODEL",
                         column),
            apr_psprintf(pool,
                         "'%s' may refer to another table, and is sent as it "
                         "is: there the number may mean another record",
                         column));
}

static void check_references(sync_check_catalog_t *on,
                             const cm_proposal_t *proposal)
{
    int i;

    if (proposal->generic)
        check_generic(on, proposal->generic);
    for (i = 0; i < proposal->unexplained->nelts; i++)
        tell_unexplained(on,
                         APR_ARRAY_IDX(proposal->unexplained, i, const char *));
    for (i = 0; i < proposal->references->nelts; i++)
        check_reference(
            on, &APR_ARRAY_IDX(proposal->references, i, cm_reference_t), 1);
    for (i = 0; i < proposal->suggested->nelts; i++)
        check_reference(
            on, &APR_ARRAY_IDX(proposal->suggested, i, cm_reference_t), 0);
}

/* A foreign key of one column, to a table that is not a model, or to another
 * one than references= says. */
static void check_foreign(sync_check_catalog_t *on,
                          const cm_catalog_foreign_t *foreign)
{
    apr_pool_t *pool = on->check->client->pool;
    const char *column = APR_ARRAY_IDX(foreign->columns, 0, const char *);
    const char *that = APR_ARRAY_IDX(foreign->those, 0, const char *);
    const cm_model_t *parent = sync_check_catalog_model(on, foreign->parent);
    const cm_reference_t *known =
        cm_settings_model_reference(on->model, column);

    if (foreign->columns->nelts > 1 ||
        !cm_settings_model_carries(on->model, column))
        return;
    if (!parent && !known)
        sync_check_catalog_warn(
            on,
            apr_psprintf(pool,
                         "declare a model for it and add references=, or leave "
                         "the column out: except=%s",
                         column),
            apr_psprintf(pool,
                         "'%s' refers to the table '%s', which is not a model, "
                         "and is sent as it is",
                         column, foreign->parent));
    else if (parent && known && known->model && that &&
             !strcmp(parent->key, that) && strcmp(known->model, parent->name))
        sync_check_catalog_warn(
            on, apr_psprintf(pool, "references=%s:%s", column, parent->name),
            apr_psprintf(pool,
                         "references=%s:%s, but the foreign key '%s' leads to "
                         "'%s'",
                         column, known->model, foreign->name, parent->table));
}

/* Return whether references= of CHILD says what FOREIGN does: then deletes of
 * the model do not wait for its rows. */
static int is_declared(const sync_check_catalog_t *on, const cm_model_t *child,
                       const cm_catalog_foreign_t *foreign)
{
    int i;

    for (i = 0; i < foreign->columns->nelts; i++) {
        const cm_reference_t *known = cm_settings_model_reference(
            child, APR_ARRAY_IDX(foreign->columns, i, const char *));

        if (known && known->model && !strcmp(known->model, on->model->name))
            return 1;
    }
    return 0;
}

/* Return whether that is asked for already: check_reference(). */
static int is_proposed(const sync_check_catalog_t *on, const cm_model_t *child,
                       const cm_catalog_foreign_t *foreign)
{
    return foreign->columns->nelts == 1 && !on->model->shared_keys &&
           cm_settings_model_carries(
               child, APR_ARRAY_IDX(foreign->columns, 0, const char *));
}

/* FOREIGN, of the table CHILD, refuses that records of the model are deleted.
 */
static void check_refusal(sync_check_catalog_t *on,
                          const cm_catalog_table_t *child,
                          const cm_catalog_foreign_t *foreign)
{
    apr_pool_t *pool = on->check->client->pool;
    const cm_model_t *model = sync_check_catalog_model(on, child->name);
    const char *columns = apr_array_pstrcat(pool, foreign->columns, ',');

    if (model &&
        (is_declared(on, model, foreign) || is_proposed(on, model, foreign)))
        return;
    sync_check_catalog_warn(
        on,
        apr_psprintf(pool,
                     "%s, or give the foreign key ON DELETE SET NULL or "
                     "CASCADE",
                     foreign->columns->nelts > 1 ? "use a foreign key of one "
                                                   "column and references="
                     : model
                         ? apr_psprintf(pool, "add references=%s:%s to '%s'",
                                        columns, on->model->name, model->name)
                         : apr_psprintf(pool,
                                        "declare a model for '%s' with "
                                        "references=%s:%s",
                                        child->name, columns, on->model->name)),
        apr_psprintf(pool,
                     "a delete of the peer is parked while a row of '%s' (%s) "
                     "refers to the record",
                     child->name, columns));
}

static void check_refusals(sync_check_catalog_t *on)
{
    int i, j;

    for (i = 0; i < on->catalog->tables->nelts; i++) {
        const cm_catalog_table_t *child =
            APR_ARRAY_IDX(on->catalog->tables, i, cm_catalog_table_t *);

        for (j = 0; j < child->foreign->nelts; j++) {
            const cm_catalog_foreign_t *foreign =
                &APR_ARRAY_IDX(child->foreign, j, cm_catalog_foreign_t);

            if (foreign->refuses && !strcmp(foreign->parent, on->table->name))
                check_refusal(on, child, foreign);
        }
    }
}

static int has_foreign(const cm_catalog_table_t *table, const char *column)
{
    int i;

    for (i = 0; i < table->foreign->nelts; i++) {
        const apr_array_header_t *columns =
            APR_ARRAY_IDX(table->foreign, i, cm_catalog_foreign_t).columns;

        if (columns->nelts == 1 &&
            !strcmp(APR_ARRAY_IDX(columns, 0, const char *), column))
            return 1;
    }
    return 0;
}

/* Rows that refer to nothing, though they may not: where no foreign key keeps
 * them away, old databases have some. */
static cm_error_t *check_orphans(sync_check_catalog_t *on)
{
    const sync_client_t *client = on->check->client;
    apr_array_header_t *findings =
        apr_array_make(client->pool, 2, sizeof(cm_finding_t));
    cm_table_t *table;
    int i;

    CM_TRY(cm_table_read(&table, client->store, on->model, client->pool,
                         client->pool));
    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if ((column->reference || column->named_by) && !column->none &&
            (!column->nullable || column->is_key) &&
            (column->carried || column->is_key) &&
            !has_foreign(on->table, column->name))
            CM_TRY(cm_judge_orphans(findings, client->store, client->settings,
                                    table, column, client->pool));
    }
    for (i = 0; i < findings->nelts; i++)
        sync_check_catalog_warn(on,
                                APR_ARRAY_IDX(findings, i, cm_finding_t).hint,
                                APR_ARRAY_IDX(findings, i, cm_finding_t).text);
    return NULL;
}

/* --- keys --- */

/* Return whether the database lets another one give numbers between its own. */
static int leaves_gaps(const sync_check_catalog_t *on, const char *column)
{
    int i;

    for (i = 0; i < on->table->hazards->nelts; i++) {
        const cm_catalog_hazard_t *hazard =
            &APR_ARRAY_IDX(on->table->hazards, i, cm_catalog_hazard_t);

        if (hazard->kind == CM_HAZARD_INCREMENT &&
            !strcmp(hazard->name, column))
            return 1;
    }
    return 0;
}

/* Return how the two sides can be kept from giving the same number. */
static const char *apart(const sync_check_catalog_t *on)
{
    switch (cm_dialect_of_store(on->check->client->store)->database) {
    case CM_PGSQL:
        return "use keys=mapped, or let the sequences give odd numbers on one "
               "side and even ones on the other (INCREMENT BY 2)";
    case CM_MYSQL:
        return "use keys=mapped, or let one side give odd numbers and the "
               "other even ones: auto_increment_increment=2 on both, "
               "auto_increment_offset=1 and 2";
    case CM_SQLITE3:
        break;
    }
    return "use keys=mapped, or let the application give the keys (UUIDs)";
}

/* Numbers that both databases give, and that keys=shared makes one record's. */
static void check_shared(sync_check_catalog_t *on)
{
    const apr_array_header_t *key = on->model->columns.key;
    const cm_catalog_column_t *column;

    if (!on->model->shared_keys || key->nelts > 1)
        return;
    column = cm_catalog_column(on->table, APR_ARRAY_IDX(key, 0, const char *));
    if (column && column->given && column->value_class == CM_CLASS_INTEGER &&
        !leaves_gaps(on, column->name))
        sync_check_catalog_warn(
            on, apart(on),
            apr_psprintf(on->check->client->pool,
                         "keys=shared, but this database gives '%s' its "
                         "numbers: where the peer's does, too, two records get "
                         "the same one",
                         column->name));
}

/* Numbers that the applications of both sides give, each to its own records. */
static void check_given(sync_check_catalog_t *on)
{
    const apr_array_header_t *key = on->model->columns.key;
    const cm_catalog_column_t *column;

    if (on->model->shared_keys || on->model->counts_keys || key->nelts > 1 ||
        cm_settings_model_key_travels(on->model) || !on->model->receives ||
        !on->model->publishes)
        return;
    column = cm_catalog_column(on->table, APR_ARRAY_IDX(key, 0, const char *));
    if (column && !column->given && !column->generated &&
        column->value_class == CM_CLASS_INTEGER)
        sync_check_catalog_warn(
            on,
            "newkey=max, or keys=shared if the same number means the same "
            "record on both sides",
            apr_psprintf(on->check->client->pool,
                         "the application gives '%s' its numbers: a new record "
                         "of the peer whose number is taken here is parked",
                         column->name));
}

/* --- columns --- */

/* Return whether NAME is that of a number that is counted up. */
static int is_counter(const char *name)
{
    static const char *const ends[] = {"_count", "_counter", "_hits", NULL};
    size_t size = strlen(name), i;

    for (i = 0; ends[i]; i++)
        if (size > strlen(ends[i]) &&
            !strcasecmp(name + size - strlen(ends[i]), ends[i]))
            return 1;
    return 0;
}

static void check_column(sync_check_catalog_t *on,
                         const cm_catalog_column_t *column)
{
    apr_pool_t *pool = on->check->client->pool;
    const cm_model_t *model = on->model;
    int carried = cm_settings_model_carries(model, column->name);
    int taken = carried && cm_settings_model_takes(model, column->name);

    if (cm_settings_model_is_key(model, column->name) || column->generated)
        return;
    if (model->receives && !taken && !column->nullable && !column->given)
        sync_check_catalog_warn(
            on, "give it a default, or carry it: change except= or only=",
            apr_psprintf(pool,
                         "'%s' is NOT NULL, has no default and is not "
                         "received: new records of the peer are parked",
                         column->name));
    if (model->receives && model->publishes && carried &&
        column->value_class == CM_CLASS_INTEGER && is_counter(column->name))
        sync_check_catalog_tell(
            on,
            apr_psprintf(pool, "let each side count for itself: except=%s",
                         column->name),
            apr_psprintf(pool,
                         "'%s' looks like a counter: where both sides count, "
                         "the newer number wins, they are not added up",
                         column->name));
}

/* Say which unique columns both sides can fill with the same values. */
static void tell_unique(const sync_check_catalog_t *on,
                        const cm_catalog_unique_t *unique)
{
    apr_pool_t *pool = on->check->client->pool;
    const char *columns;
    int i;

    for (i = 0; i < unique->columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(unique->columns, i, const char *);

        if (!name || cm_settings_model_is_key(on->model, name) ||
            !cm_settings_model_carries(on->model, name))
            return;
    }
    if (cm_propose_names_place(unique->columns))
        return;
    columns = apr_array_pstrcat(pool, unique->columns, ',');
    sync_check_catalog_tell(
        on, apr_psprintf(pool, "with match=%s both become one record", columns),
        apr_psprintf(pool,
                     "%s is unique: if both sides insert the same value, the "
                     "second record is parked",
                     columns));
}

/* --- all --- */

static void check_model(sync_check_catalog_t *on)
{
    const cm_catalog_table_t *table = on->table;
    cm_error_t *err;
    int i;

    for (i = 0; i < table->foreign->nelts; i++)
        check_foreign(on,
                      &APR_ARRAY_IDX(table->foreign, i, cm_catalog_foreign_t));
    if (on->model->receives && on->model->deletes)
        check_refusals(on);
    check_shared(on);
    check_given(on);
    for (i = 0; i < table->columns->nelts; i++)
        check_column(on,
                     &APR_ARRAY_IDX(table->columns, i, cm_catalog_column_t));
    for (i = 0; i < table->uniques->nelts; i++) {
        const cm_catalog_unique_t *unique =
            &APR_ARRAY_IDX(table->uniques, i, cm_catalog_unique_t);

        if (!unique->primary && !on->model->shared_keys &&
            on->model->receives && !on->model->columns.match->nelts)
            tell_unique(on, unique);
    }
    sync_check_hazards(on);
    sync_check_triggers(on);
    err = on->model->publishes ? check_orphans(on) : NULL;
    if (err)
        sync_check_went(on->check, err, "model %s", on->model->name);
}

static cm_error_t *read_all(cm_catalog_t **catalog,
                            apr_array_header_t **proposals,
                            const sync_client_t *client)
{
    const cm_propose_options_t options = {.patterns = NULL};

    CM_TRY(cm_catalog_read(catalog, client->store, client->pool));
    CM_TRY(cm_catalog_read_hazards(*catalog, client->store, client->pool));
    return cm_propose_all(proposals, client->store, client->settings, &options,
                          client->pool);
}

void sync_check_catalog(sync_check_t *check)
{
    const sync_client_t *client = check->client;
    const apr_array_header_t *models = client->settings->models;
    sync_check_catalog_t on = {.check = check};
    apr_array_header_t *proposals;
    cm_catalog_t *catalog;
    cm_error_t *err = read_all(&catalog, &proposals, client);
    int i;

    if (err)
        sync_check_went(check, err, "catalog");
    on.catalog = catalog;
    for (i = 0; !err && i < models->nelts; i++) {
        on.model = APR_ARRAY_IDX(models, i, cm_model_t *);
        on.table = cm_catalog_table(catalog, on.model->table);
        if (on.table) /* else that is said of the model */
            check_model(&on);
    }
    for (i = 0; !err && i < proposals->nelts; i++) {
        const cm_proposal_t *proposal =
            APR_ARRAY_IDX(proposals, i, const cm_proposal_t *);

        on.model = proposal->configured;
        if (on.model)
            check_references(&on, proposal);
    }
    if (!err && !on.warned && models->nelts)
        sync_check_went(check, NULL, "the catalog and the models agree");
}
