/* Proposals: see propose.h. */
#include "schema/propose.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <apr_fnmatch.h>
#include <apr_strings.h>

#include "config/directive.h"
#include "config/option.h"
#include "schema/judge.h"
#include "schema/propose_internal.h"

void cm_propose_note(cm_proposal_t *proposal, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    APR_ARRAY_PUSH(proposal->notes, const char *) =
        apr_pvsprintf(proposal->notes->pool, format, args);
    va_end(args);
}

cm_proposal_t *cm_propose_of_table(const cm_proposing_t *proposing,
                                   const char *table)
{
    int i;

    for (i = 0; i < proposing->all->nelts; i++)
        if (!strcmp(cm_proposal(proposing->all, i)->table->name, table))
            return cm_proposal(proposing->all, i);
    return NULL;
}

static const cm_model_t *configured_for(const cm_settings_t *settings,
                                        const char *table)
{
    int i;

    for (i = 0; i < settings->models->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(settings->models, i, cm_model_t *)->table,
                    table))
            return APR_ARRAY_IDX(settings->models, i, cm_model_t *);
    return NULL;
}

/* Return why the table of PROPOSAL should not be a model, or NULL. */
static const char *reason(const cm_proposing_t *proposing,
                          const cm_proposal_t *proposal)
{
    const apr_array_header_t *patterns = proposing->options->patterns;
    const cm_catalog_table_t *table = proposal->table;
    int i;

    if (!strcmp(table->kind, "extension"))
        return apr_psprintf(proposing->pool, "it belongs to the extension %s",
                            table->detail);
    if (!strcmp(table->kind, "partition"))
        return apr_psprintf(proposing->pool,
                            "it is a partition of %s, whose model it shares",
                            table->detail);
    if (!strcmp(table->kind, "shadow"))
        return apr_psprintf(proposing->pool,
                            "it belongs to the virtual table %s",
                            table->detail);
    if (strcmp(table->kind, "table"))
        return apr_psprintf(proposing->pool, "it is a %s, not a table",
                            table->kind);
    if (!table->writable || strstr(table->name, "${"))
        return "its name cannot be written in table=";
    for (i = 0; patterns && i < patterns->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(patterns, i, const char *), table->name))
            return NULL;
    return proposal->configured ? NULL : cm_propose_names_unfit(table);
}

/* Make a proposal for each table of the catalog. Which are asked for is decided
 * later: others may be parents. */
static void make_all(cm_proposing_t *proposing)
{
    const apr_array_header_t *tables = proposing->catalog->tables;
    apr_pool_t *pool = proposing->pool;
    int i;

    proposing->all =
        apr_array_make(pool, tables->nelts, sizeof(cm_proposal_t *));
    for (i = 0; i < tables->nelts; i++) {
        const cm_catalog_table_t *table =
            APR_ARRAY_IDX(tables, i, const cm_catalog_table_t *);
        cm_proposal_t *proposal = apr_pcalloc(pool, sizeof(*proposal));

        if (cm_catalog_is_own(table))
            continue;
        proposal->table = table;
        proposal->configured = configured_for(proposing->settings, table->name);
        proposal->key = apr_array_make(pool, 1, sizeof(const char *));
        proposal->references = apr_array_make(pool, 2, sizeof(cm_reference_t));
        proposal->suggested = apr_array_make(pool, 2, sizeof(cm_reference_t));
        proposal->unexplained = apr_array_make(pool, 0, sizeof(const char *));
        proposal->notes = apr_array_make(pool, 2, sizeof(const char *));
        proposal->left_out = reason(proposing, proposal);
        APR_ARRAY_PUSH(proposing->all, cm_proposal_t *) = proposal;
    }
}

/* --- keys --- */

/* Return whether UNIQUE can be the key of TABLE: columns that are NOT NULL and
 * can be written in key=. */
static int can_be_key(const cm_catalog_table_t *table,
                      const cm_catalog_unique_t *unique)
{
    int i;

    for (i = 0; i < unique->columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(unique->columns, i, const char *);
        const cm_catalog_column_t *column =
            name ? cm_catalog_column(table, name) : NULL;

        if (!column || strpbrk(name, ",\"'\\") || strstr(name, "${") ||
            (column->nullable && !unique->primary))
            return 0;
    }
    return 1;
}

/* Return whether A is the better key: the primary one, the shorter one, the
 * first by its columns. */
static int is_better(const cm_catalog_unique_t *a, const cm_catalog_unique_t *b,
                     apr_pool_t *pool)
{
    if (!b || a->primary != b->primary)
        return !b || a->primary;
    if (a->columns->nelts != b->columns->nelts)
        return a->columns->nelts < b->columns->nelts;
    return strcmp(apr_array_pstrcat(pool, a->columns, ','),
                  apr_array_pstrcat(pool, b->columns, ',')) < 0;
}

static void find_key(cm_proposal_t *proposal, apr_pool_t *pool)
{
    const apr_array_header_t *uniques = proposal->table->uniques;
    const cm_catalog_unique_t *best = NULL;
    int i;

    for (i = 0; i < uniques->nelts; i++) {
        const cm_catalog_unique_t *unique =
            &APR_ARRAY_IDX(uniques, i, cm_catalog_unique_t);

        if (can_be_key(proposal->table, unique) &&
            is_better(unique, best, pool))
            best = unique;
    }
    if (best)
        proposal->key = apr_array_copy(pool, best->columns);
}

/* A table without an index that only joins others: all its columns are the key.
 */
static void join_tables(const cm_proposing_t *proposing)
{
    int i, j;

    for (i = 0; i < proposing->all->nelts; i++) {
        cm_proposal_t *proposal = cm_proposal(proposing->all, i);
        const apr_array_header_t *columns = proposal->table->columns;
        int joins = columns->nelts > 1;

        if (proposal->left_out || proposal->key->nelts)
            continue;
        for (j = 0; j < columns->nelts; j++) {
            const cm_catalog_column_t *column =
                &APR_ARRAY_IDX(columns, j, cm_catalog_column_t);

            joins &=
                !column->nullable &&
                cm_propose_references_of(proposal, column->name, 1) != NULL;
        }
        for (j = 0; joins && j < columns->nelts; j++)
            APR_ARRAY_PUSH(proposal->key, const char *) =
                APR_ARRAY_IDX(columns, j, cm_catalog_column_t).name;
        if (joins)
            cm_propose_note(proposal, "no unique index keeps two rows from "
                                      "having the same key");
        else
            proposal->left_out = "it has no key: no primary key, and no unique "
                                 "index on columns that are NOT NULL";
    }
}

/* Return whether both sides should use the same keys: they are data, not
 * numbers that a database gives. */
static int is_natural(const cm_proposal_t *proposal)
{
    int i, own = 0;

    for (i = 0; i < proposal->key->nelts; i++) {
        const char *name = APR_ARRAY_IDX(proposal->key, i, const char *);
        const cm_catalog_column_t *column =
            cm_catalog_column(proposal->table, name);

        if (cm_propose_references_of(proposal, name, 1))
            continue;
        own = 1;
        if (column->generated)
            return 0;
        if (column->value_class == CM_CLASS_INTEGER &&
            (column->given || proposal->key->nelts > 1))
            return 0;
    }
    return own;
}

static void share_keys(cm_proposal_t *proposal)
{
    const cm_catalog_column_t *column;

    if (proposal->left_out || !is_natural(proposal))
        return;
    column = cm_catalog_column(proposal->table,
                               APR_ARRAY_IDX(proposal->key, 0, const char *));
    proposal->counts_keys =
        proposal->key->nelts == 1 && column->value_class == CM_CLASS_INTEGER;
    proposal->shared = !proposal->counts_keys;
    if (proposal->counts_keys)
        cm_propose_note(proposal,
                        "the application gives %s its values: where both sides "
                        "gave the same one, the second record gets another "
                        "here; with keys=shared the two are one record",
                        column->name);
}

/* --- lines --- */

/* Return WORD for the configuration, in quotes if it needs them. */
static const char *quoted(const char *word, apr_pool_t *pool)
{
    return strpbrk(word, " \t\"'\\#") ? cm_option_quoted(word, pool) : word;
}

/* Return the words of the line that say which table it is, and its key. */
static const char *begin_line(const cm_proposal_t *proposal, apr_pool_t *pool)
{
    const char *key = apr_array_pstrcat(pool, proposal->key, ',');

    return apr_pstrcat(
        pool, cm_directive_table[CM_DIRECTIVE_MODEL].name, " ", proposal->model,
        " ",
        quoted(apr_pstrcat(pool, "table=", proposal->table->name, NULL), pool),
        strcmp(key, "id")
            ? apr_pstrcat(pool, " ",
                          quoted(apr_pstrcat(pool, "key=", key, NULL), pool),
                          NULL)
            : "",
        NULL);
}

static void finish_line(cm_proposal_t *proposal, apr_pool_t *pool)
{
    const char *line = begin_line(proposal, pool);
    int i;

    for (i = 0; i < proposal->references->nelts; i++)
        line = apr_pstrcat(
            pool, line, i ? "," : " references=",
            cm_settings_reference_text(
                &APR_ARRAY_IDX(proposal->references, i, cm_reference_t), pool),
            NULL);
    if (proposal->generic)
        line = apr_pstrcat(
            pool, line, " ",
            quoted(apr_pstrcat(pool, "except=", proposal->generic, NULL), pool),
            NULL);
    if (proposal->match)
        line = apr_pstrcat(
            pool, line, " ",
            quoted(apr_pstrcat(pool, "match=", proposal->match, NULL), pool),
            NULL);
    if (proposal->where)
        line = apr_pstrcat(
            pool, line, " ",
            quoted(apr_pstrcat(pool, "where=", proposal->where, NULL), pool),
            NULL);
    proposal->line =
        apr_pstrcat(pool, line, proposal->shared ? " keys=shared" : "",
                    proposal->counts_keys ? " newkey=max" : "", NULL);
}

/* Leave out what migrate would refuse. */
static cm_error_t *judge(const cm_proposing_t *proposing, cm_store_t *store,
                         cm_proposal_t *proposal)
{
    static const cm_place_t place = {"proposal", 1};
    apr_pool_t *pool = proposing->pool;
    cm_settings_t *settings = cm_settings_create(pool);
    apr_array_header_t *words, *findings;
    cm_table_t *table;
    cm_error_t *err;

    CM_TRY(cm_directive_words(&words, begin_line(proposal, pool), pool));
    CM_TRY(cm_directive_set(settings, &cm_directive_table[CM_DIRECTIVE_MODEL],
                            words->nelts - 1,
                            (const char *const *)words->elts + 1, place, pool));
    err = cm_table_read(&table, store,
                        APR_ARRAY_IDX(settings->models, 0, cm_model_t *), pool,
                        pool);
    if (!err)
        err = cm_judge_table(&findings, store, table, pool);
    if (!err)
        err = cm_judge_error(findings, 1, pool);
    if (err && err->code != CM_SCHEMA)
        return err;
    if (err) {
        proposal->left_out = cm_error_text(err, pool);
        proposal->hint = err->hint;
    }
    return NULL;
}

/* Judge all tables that have a key, and were not judged BEFORE. */
static cm_error_t *judge_all(const cm_proposing_t *proposing, cm_store_t *store,
                             apr_hash_t *before)
{
    int i;

    for (i = 0; i < proposing->all->nelts; i++) {
        cm_proposal_t *proposal = cm_proposal(proposing->all, i);

        if (proposal->left_out || !proposal->key->nelts ||
            apr_hash_get(before, proposal->table->name, APR_HASH_KEY_STRING))
            continue;
        CM_TRY(judge(proposing, store, proposal));
        apr_hash_set(before, proposal->table->name, APR_HASH_KEY_STRING,
                     proposal);
    }
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Return the columns of UNIQUE with commas, if match= can name them: they are
 * not the key, and no expressions. Else NULL. */
static const char *match_of(const cm_proposal_t *proposal,
                            const cm_catalog_unique_t *unique, apr_pool_t *pool)
{
    const char *text;
    int i;

    for (i = 0; i < unique->columns->nelts; i++)
        if (!APR_ARRAY_IDX(unique->columns, i, const char *))
            return NULL;
    text = apr_array_pstrcat(pool, unique->columns, ',');
    return unique->primary ||
                   !strcmp(text, apr_array_pstrcat(pool, proposal->key, ','))
               ? NULL
               : text;
}

/* Return whether all columns of UNIQUE are references: of a join table with an
 * id of its own, or a table that extends another one. */
static int joins(const cm_proposal_t *proposal,
                 const cm_catalog_unique_t *unique)
{
    int i;

    for (i = 0; i < unique->columns->nelts; i++)
        if (!cm_propose_references_of(
                proposal, APR_ARRAY_IDX(unique->columns, i, const char *), 0))
            return 0;
    return 1;
}

/* Unique columns may tell that two records are the same. If they only say which
 * records a row joins, they do, as a key would. */
static void propose_match(cm_proposal_t *proposal, apr_pool_t *pool)
{
    const apr_array_header_t *uniques = proposal->table->uniques;
    apr_array_header_t *texts = apr_array_make(pool, 2, sizeof(const char *));
    const char *match;
    int i;

    proposal->where = cm_propose_names_filter(&match, proposal->table);
    if (proposal->where) {
        proposal->match = match;
        cm_propose_note(proposal, "some rows belong to each host alone, or to "
                                  "its plugins: extend where= for yours");
    }
    for (i = 0; !proposal->shared && i < uniques->nelts; i++) {
        const cm_catalog_unique_t *unique =
            &APR_ARRAY_IDX(uniques, i, cm_catalog_unique_t);
        const char *text = match_of(proposal, unique, pool);

        if (!text || cm_propose_names_place(unique->columns))
            continue;
        if (joins(proposal, unique) &&
            (!proposal->match || strcmp(text, proposal->match) < 0))
            proposal->match = text;
        APR_ARRAY_PUSH(texts, const char *) = text;
    }
    qsort(texts->elts, texts->nelts, texts->elt_size, by_text);
    for (i = 0; i < texts->nelts; i++)
        if (!proposal->match)
            cm_propose_note(proposal,
                            "rows that both sides have already become one "
                            "record with match=%s, which is unique",
                            APR_ARRAY_IDX(texts, i, const char *));
}

/* --- order --- */

int cm_propose_wants(const apr_array_header_t *patterns, const char *table)
{
    int i;

    for (i = 0; patterns && i < patterns->nelts; i++)
        if (!apr_fnmatch(APR_ARRAY_IDX(patterns, i, const char *), table, 0))
            return 1;
    return !patterns || !patterns->nelts;
}

static int is_wanted(const cm_proposing_t *proposing,
                     const cm_proposal_t *proposal)
{
    return cm_propose_wants(proposing->options->patterns,
                            proposal->table->name);
}

/* Return the proposal for MODEL. */
static cm_proposal_t *of_model(const cm_proposing_t *proposing,
                               const char *model)
{
    int i;

    for (i = 0; i < proposing->all->nelts; i++)
        if (!strcmp(cm_proposal(proposing->all, i)->model, model))
            return cm_proposal(proposing->all, i);
    return NULL;
}

/* Drop references to models that are neither asked for nor configured. */
static void drop_unwanted(const cm_proposing_t *proposing,
                          cm_proposal_t *proposal)
{
    apr_array_header_t *kept =
        apr_array_make(proposing->pool, 2, sizeof(cm_reference_t));
    int i;

    for (i = 0; i < proposal->references->nelts; i++) {
        const cm_reference_t *one =
            &APR_ARRAY_IDX(proposal->references, i, cm_reference_t);
        const cm_proposal_t *parent =
            one->type ? NULL : of_model(proposing, one->model);

        if (!parent || parent->configured ||
            (is_wanted(proposing, parent) && !parent->left_out))
            APR_ARRAY_PUSH(kept, cm_reference_t) = *one;
        else if (parent->left_out)
            cm_propose_note(proposal,
                            "%s refers to %s, which is not a model: its values "
                            "are sent as they are",
                            one->column, parent->table->name);
        else
            cm_propose_note(proposal,
                            "%s refers to %s: propose both, or its values are "
                            "sent as they are",
                            one->column, parent->table->name);
    }
    proposal->references = kept;
}

/* Append PROPOSAL to LIST, its parents first, also those of foreign keys that
 * references= cannot name; in a cycle the first by name. */
static void place(const cm_proposing_t *proposing, apr_array_header_t *list,
                  cm_proposal_t *proposal)
{
    const apr_array_header_t *foreign = proposal->table->foreign;
    int i;

    if (proposal->placed || proposal->left_out ||
        !is_wanted(proposing, proposal))
        return;
    proposal->placed = 1;
    drop_unwanted(proposing, proposal);
    for (i = 0; i < proposal->references->nelts; i++) {
        const cm_reference_t *one =
            &APR_ARRAY_IDX(proposal->references, i, cm_reference_t);

        if (!one->type)
            place(proposing, list, of_model(proposing, one->model));
    }
    for (i = 0; i < foreign->nelts; i++) {
        cm_proposal_t *parent = cm_propose_of_table(
            proposing, APR_ARRAY_IDX(foreign, i, cm_catalog_foreign_t).parent);

        if (parent)
            place(proposing, list, parent);
    }
    propose_match(proposal, proposing->pool);
    finish_line(proposal, proposing->pool);
    APR_ARRAY_PUSH(list, cm_proposal_t *) = proposal;
}

cm_error_t *cm_propose_all(apr_array_header_t **proposals, cm_store_t *store,
                           const cm_settings_t *settings,
                           const cm_propose_options_t *options,
                           apr_pool_t *pool)
{
    cm_proposing_t proposing = {
        .settings = settings, .options = options, .pool = pool};
    apr_hash_t *judged = apr_hash_make(pool);
    cm_catalog_t *catalog;
    int i;

    CM_TRY(cm_catalog_read(&catalog, store, pool));
    proposing.catalog = catalog;
    make_all(&proposing);
    cm_propose_names(&proposing);
    for (i = 0; i < proposing.all->nelts; i++)
        find_key(cm_proposal(proposing.all, i), pool);
    CM_TRY(judge_all(&proposing, store, judged));
    cm_propose_references(&proposing);
    join_tables(&proposing);
    CM_TRY(judge_all(&proposing, store, judged));
    for (i = 0; i < proposing.all->nelts; i++)
        share_keys(cm_proposal(proposing.all, i));
    *proposals =
        apr_array_make(pool, proposing.all->nelts, sizeof(cm_proposal_t *));
    for (i = 0; i < proposing.all->nelts; i++)
        place(&proposing, *proposals, cm_proposal(proposing.all, i));
    for (i = 0; i < proposing.all->nelts; i++)
        if (cm_proposal(proposing.all, i)->left_out &&
            is_wanted(&proposing, cm_proposal(proposing.all, i)))
            APR_ARRAY_PUSH(*proposals, cm_proposal_t *) =
                cm_proposal(proposing.all, i);
    return NULL;
}
