/* match=: the rows that match.c has found become the records of the peer. One
 * that has an identity of another origin gets a second one. A first load may do
 * that with every record of a batch, so that what is read, and written, takes
 * the same few statements for one of them or all. */
#include "apply/match_internal.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"
#include "store/dialect.h"
#include "outbox/aliases.h"

/* Records that are adopted together: no two of them match the same row. */
typedef struct adopting_t {
    const apr_array_header_t *records; /* cm_record_t * */
    apr_hash_t *mappings; /* type -> local id -> cm_mapping_t *: of the rows */
    apr_hash_t *named;    /* named_key() -> "": of which nodes they have names
                             besides */
    apr_hash_t *deletes;  /* record_key() -> apr_int64_t *: the number of the
                             first message that deletes the record; parked */
    apr_hash_t *changes;  /* record_key() -> apr_array_header_t of apr_int64_t:
                             its other messages that are parked */
    apr_array_header_t *saved; /* cm_mapping_t *: to be saved */
} adopting_t;

/* The matching row belongs to another record than RECORD. */
static void let_go(cm_run_t *run, cm_record_t *record)
{
    record->match = CM_MATCH_NONE;
    cm_lock_set_row(run, record, record->row->wanted, NULL,
                    record->row->local_id);
}

/* Return whether RECORD matches a row, and is no record here yet. */
static int is_found(const cm_record_t *record)
{
    return record->match == CM_MATCH_FOUND && !record->entry->found->mapping;
}

static const char *type_of(const cm_record_t *record)
{
    return record->table->model->type;
}

/* Return the mapping of the row that RECORD matches, or NULL. */
static const cm_mapping_t *mapping_of(const adopting_t *adopting,
                                      const cm_record_t *record)
{
    apr_hash_t *found =
        apr_hash_get(adopting->mappings, type_of(record), APR_HASH_KEY_STRING);

    return found
               ? apr_hash_get(found, record->row->local_id, APR_HASH_KEY_STRING)
               : NULL;
}

static const char *named_key(const char *type, cm_identity_t identity,
                             const char *origin, apr_pool_t *pool)
{
    return apr_pstrcat(pool, type, "\n", origin, "\n",
                       cm_identity_key(identity, pool), NULL);
}

/* Read what other names the records FOUND of TYPE have. */
static cm_error_t *read_names(adopting_t *adopting, cm_run_t *run,
                              const char *type, apr_hash_t *found,
                              apr_pool_t *pool)
{
    apr_array_header_t *identities = apr_array_make(
        pool, (int)apr_hash_count(found) + 1, sizeof(cm_identity_t));
    apr_array_header_t *aliases;
    apr_hash_index_t *index;
    int i;

    for (index = apr_hash_first(pool, found); index;
         index = apr_hash_next(index)) {
        const cm_mapping_t *mapping = apr_hash_this_val(index);

        APR_ARRAY_PUSH(identities, cm_identity_t) = mapping->identity;
    }
    if (!identities->nelts)
        return NULL;
    CM_TRY(cm_mapping_aliases(&aliases, run->node, type, identities, pool));
    for (i = 0; i < aliases->nelts; i++) {
        const cm_mapping_t *alias = CM_NTH(aliases, i, const cm_mapping_t);

        apr_hash_set(
            adopting->named,
            named_key(type, alias->same_as, alias->identity.origin, pool),
            APR_HASH_KEY_STRING, "");
    }
    return NULL;
}

/* Read the mappings of the rows. */
static cm_error_t *read_mappings(adopting_t *adopting, cm_run_t *run,
                                 apr_pool_t *pool)
{
    const apr_array_header_t *records = adopting->records;
    cm_id_set_t *types = cm_id_set_create(4, pool);
    int i, j;

    for (i = 0; i < records->nelts; i++)
        cm_id_set_add(types, type_of(CM_NTH(records, i, const cm_record_t)));
    for (i = 0; i < types->ids->nelts; i++) {
        const char *type = APR_ARRAY_IDX(types->ids, i, const char *);
        apr_array_header_t *ids =
            apr_array_make(pool, records->nelts, sizeof(const char *));
        apr_hash_t *found;

        for (j = 0; j < records->nelts; j++) {
            const cm_record_t *record = CM_NTH(records, j, const cm_record_t);

            if (!strcmp(type_of(record), type))
                APR_ARRAY_PUSH(ids, const char *) = record->row->local_id;
        }
        CM_TRY(cm_mapping_by_local_id(&found, run->node, type, ids, run->pool));
        apr_hash_set(adopting->mappings, type, APR_HASH_KEY_STRING, found);
        CM_TRY(read_names(adopting, run, type, found, pool));
    }
    return NULL;
}

static const char *record_key(const cm_model_t *model, cm_identity_t identity,
                              apr_pool_t *pool)
{
    return apr_pstrcat(pool, model->name, "\n", cm_identity_key(identity, pool),
                       NULL);
}

/* Note that the message ID, parked, is about the record KEY. */
static void note_message(adopting_t *adopting, const char *key, apr_int64_t id,
                         const char *action, apr_pool_t *pool)
{
    apr_array_header_t *changes;

    if (!strcmp(action, cm_message_action_name(CM_DELETE))) {
        if (!apr_hash_get(adopting->deletes, key, APR_HASH_KEY_STRING))
            apr_hash_set(adopting->deletes, key, APR_HASH_KEY_STRING,
                         apr_pmemdup(pool, &id, sizeof(id)));
        return;
    }
    changes = apr_hash_get(adopting->changes, key, APR_HASH_KEY_STRING);
    if (!changes) {
        changes = apr_array_make(pool, 2, sizeof(apr_int64_t));
        apr_hash_set(adopting->changes, key, APR_HASH_KEY_STRING, changes);
    }
    APR_ARRAY_PUSH(changes, apr_int64_t) = id;
}

/* Note the messages in ROWS that are of MODEL, under the identity that stayed:
 * the peer may have used another one. */
static cm_error_t *note_parked(adopting_t *adopting, cm_run_t *run,
                               const cm_model_t *model, const cm_rows_t *rows,
                               apr_pool_t *pool)
{
    apr_array_header_t *identities =
        apr_array_make(pool, rows->count + 1, sizeof(cm_identity_t));
    apr_hash_t *found;
    int i;

    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(identities, cm_identity_t) =
            (cm_identity_t){cm_cell_text(rows, i, 2), cm_cell_text(rows, i, 3)};
    CM_TRY(cm_mapping_by_identity(&found, run->node, model->type, identities,
                                  pool));
    for (i = 0; i < rows->count; i++) {
        const apr_int64_t id = cm_cell_number(rows, i, 0);
        const cm_mapping_t *mapping = apr_hash_get(
            found,
            cm_identity_key(APR_ARRAY_IDX(identities, i, cm_identity_t), pool),
            APR_HASH_KEY_STRING);
        const char *key =
            mapping ? record_key(model, mapping->identity, pool) : NULL;

        if (key && !strcmp(cm_cell_text(rows, i, 1), model->name))
            note_message(adopting, key, id, cm_cell_text(rows, i, 4), pool);
    }
    return NULL;
}

/* Read which messages of the peer are parked, of the models of these records.
 * What this run parks has no row yet: its messages are at hand. */
static cm_error_t *read_parked(adopting_t *adopting, cm_run_t *run,
                               apr_pool_t *pool)
{
    cm_id_set_t *models = cm_id_set_create(4, pool);
    apr_array_header_t *arguments;
    cm_rows_t *rows;
    int i;

    for (i = 0; run->apply.had_parked && i < adopting->records->nelts; i++) {
        const cm_record_t *record =
            CM_NTH(adopting->records, i, const cm_record_t);

        if (mapping_of(adopting, record))
            cm_id_set_add(models, record->table->model->name);
    }
    if (!models->ids->nelts)
        return NULL;
    arguments =
        apr_array_make(pool, 1 + models->ids->nelts, sizeof(cm_datum_t));
    APR_ARRAY_PUSH(arguments, cm_datum_t) = cm_datum_text(run->peer);
    for (i = 0; i < models->ids->nelts; i++)
        APR_ARRAY_PUSH(arguments, cm_datum_t) =
            cm_datum_text(APR_ARRAY_IDX(models->ids, i, const char *));
    CM_TRY(cm_statement_select(
        &rows, run->node->store,
        apr_pstrcat(pool,
                    "SELECT id, model, origin, original_id, action"
                    " FROM inbound_messages WHERE peer = %s AND processed_at"
                    " IS NULL AND original_id IS NOT NULL AND model IN (",
                    cm_dialect_repeat("%s", ", ", models->ids->nelts, pool),
                    ") ORDER BY id", NULL),
        (const cm_datum_t *)arguments->elts, arguments->nelts, pool));
    for (i = 0; rows->count && i < models->ids->nelts; i++)
        CM_TRY(note_parked(
            adopting, run,
            cm_settings_model(run->node->settings,
                              APR_ARRAY_IDX(models->ids, i, const char *)),
            rows, pool));
    return NULL;
}

/* Return whether the same peer, before it sent RECORD, deleted that of MAPPING,
 * and this is parked. What it has made since then is another record. */
static int delete_waits(const adopting_t *adopting, const cm_record_t *record,
                        const cm_mapping_t *mapping, apr_pool_t *pool)
{
    const apr_int64_t *id;

    if (!apr_hash_count(adopting->deletes))
        return 0;
    id = apr_hash_get(adopting->deletes,
                      record_key(record->entry->model, mapping->identity, pool),
                      APR_HASH_KEY_STRING);
    return id && *id < CM_NTH(record->tasks, 0, const cm_task_t)->message->id;
}

/* Set *FOUND to whether message ID of the peer, which is parked, gives its
 * record other values than RECORD has in the columns of match=. */
static cm_error_t *says_other(int *found, cm_run_t *run, apr_int64_t id,
                              const cm_record_t *record, apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(run->peer),
                                    cm_datum_number(id, pool)};
    cm_message_t message = {.id = id, .action = CM_UPDATE};
    cm_error_t *err;
    cm_rows_t *rows;

    *found = 0;
    CM_TRY(cm_statement_select(
        &rows, run->node->store,
        "SELECT body, refs FROM inbound_messages WHERE peer = %s AND id = %s",
        arguments, 2, pool));
    if (!rows->count || !cm_cell(rows, 0, 0)->data)
        return NULL;
    err = cm_message_read_stored(&message, cm_cell(rows, 0, 0)->data,
                                 cm_cell(rows, 0, 0)->size, NULL, NULL,
                                 cm_cell_text(rows, 0, 1), pool);
    *found = !err && message.attributes &&
             cm_match_is_other(run, message.attributes, record);
    return NULL;
}

/* Set *FOUND to whether the same peer, before it sent RECORD, gave the record
 * of MAPPING other values, and this is parked. */
static cm_error_t *change_waits(int *found, const adopting_t *adopting,
                                cm_run_t *run, const cm_record_t *record,
                                const cm_mapping_t *mapping, apr_pool_t *pool)
{
    const apr_int64_t first =
        CM_NTH(record->tasks, 0, const cm_task_t)->message->id;
    const apr_array_header_t *changes = NULL;
    int i;

    *found = 0;
    if (apr_hash_count(adopting->changes))
        changes = apr_hash_get(
            adopting->changes,
            record_key(record->entry->model, mapping->identity, pool),
            APR_HASH_KEY_STRING);
    for (i = 0; changes && i < changes->nelts && !*found; i++)
        if (APR_ARRAY_IDX(changes, i, apr_int64_t) < first)
            CM_TRY(says_other(found, run,
                              APR_ARRAY_IDX(changes, i, apr_int64_t), record,
                              pool));
    return NULL;
}

/* Return whether the record of MAPPING has a name of the origin of RECORD. Two
 * records of one origin are different ones. */
static int is_of_same_origin(const adopting_t *adopting,
                             const cm_record_t *record,
                             const cm_mapping_t *mapping, apr_pool_t *pool)
{
    const char *origin = record->entry->identity.origin;

    return !strcmp(mapping->identity.origin, origin) ||
           (apr_hash_count(adopting->named) &&
            apr_hash_get(
                adopting->named,
                named_key(type_of(record), mapping->identity, origin, pool),
                APR_HASH_KEY_STRING));
}

/* Have MAPPING saved; return it. */
static const cm_mapping_t *save(adopting_t *adopting, cm_mapping_t mapping,
                                apr_pool_t *pool)
{
    cm_mapping_t *saved = apr_pmemdup(pool, &mapping, sizeof(mapping));

    saved->changed = 1;
    APR_ARRAY_PUSH(adopting->saved, cm_mapping_t *) = saved;
    return saved;
}

/* The identity of ENTRY becomes an alias of that of MAIN, whose record has
 * MAPPING. */
static void point_to(cm_run_t *run, cm_entry_t *entry, cm_entry_t *main,
                     const cm_mapping_t *mapping)
{
    entry->alias_of = main;
    cm_directory_set(run, main, mapping,
                     mapping->deleted_at ? NULL : mapping->local_id);
}

/* ENTRY, the smaller identity, takes over the row of MAPPING, which becomes its
 * alias. */
static void rename_record(adopting_t *adopting, cm_run_t *run,
                          cm_entry_t *entry, cm_entry_t *named,
                          const cm_mapping_t *mapping)
{
    cm_mapping_t smaller = *mapping, alias = *mapping;

    alias.local_id = NULL;
    alias.same_as = entry->identity;
    (void)save(adopting, alias, run->pool);
    smaller.stored = 0;
    smaller.identity = entry->identity;
    point_to(run, named, entry, save(adopting, smaller, run->pool));
}

static void add_alias(adopting_t *adopting, cm_run_t *run, cm_entry_t *entry,
                      cm_entry_t *named, const cm_mapping_t *mapping)
{
    const cm_mapping_t alias = {.type = mapping->type,
                                .identity = entry->identity,
                                .same_as = mapping->identity};

    (void)save(adopting, alias, run->pool);
    point_to(run, entry, named, mapping);
}

static int compare_tasks(const void *a, const void *b)
{
    const apr_int64_t first = (*(cm_task_t *const *)a)->message->id;
    const apr_int64_t second = (*(cm_task_t *const *)b)->message->id;

    return (first > second) - (first < second);
}

/* The messages of RECORD are about OTHER, which other messages of this run are
 * about. They stay in order: an earlier one is in no conflict with one that
 * knew it. */
static void join_records(cm_run_t *run, cm_record_t *record, cm_record_t *other)
{
    int i;

    for (i = 0; i < record->tasks->nelts; i++)
        CM_NTH(record->tasks, i, cm_task_t)->record = other;
    apr_array_cat(other->tasks, record->tasks);
    qsort(other->tasks->elts, other->tasks->nelts, sizeof(cm_task_t *),
          compare_tasks);
    record->tasks->nelts = 0;
    let_go(run, record);
}

/* Give the record of MAPPING the identity of RECORD as a second one. */
static void name_twice(adopting_t *adopting, cm_run_t *run, cm_record_t *record,
                       cm_entry_t *named, const cm_mapping_t *mapping)
{
    cm_record_t *other = named->record;
    cm_entry_t *entry = record->entry;

    /* Forward it: from now on the other peers receive this record, and what
     * refers to it, under one of the two identities. */
    CM_NTH(record->tasks, 0, cm_task_t)->changed = 1;
    if (cm_aliases_compare(entry->identity, mapping->identity) < 0)
        rename_record(adopting, run, entry, named, mapping);
    else
        add_alias(adopting, run, entry, named, mapping);
    if (!other)
        other = record;
    else if (!record->same_as) /* else they wait for the next run */
        join_records(run, record, other);
    entry = cm_directory_main(entry);
    entry->record = other;
    other->entry = entry;
}

/* Adopt the row that RECORD matches, which has MAPPING (NULL: none). But two
 * records of one origin are different ones; and a record that a message
 * deletes, of this run or a parked one, or to which one gives other values,
 * makes room for its successor. */
static cm_error_t *adopt(adopting_t *adopting, cm_run_t *run,
                         cm_record_t *record, const cm_mapping_t *mapping,
                         apr_pool_t *pool)
{
    cm_entry_t *named;
    int waits;

    if (!mapping)
        return NULL;
    CM_TRY(change_waits(&waits, adopting, run, record, mapping, pool));
    named = cm_directory_get(run, record->entry->model, mapping->identity);
    if (named->record && cm_match_is_dying(named->record)) {
        record->former = named->record;
        let_go(run, record);
    }
    else if (waits || is_of_same_origin(adopting, record, mapping, pool) ||
             (named->record && cm_match_has_left(run, named->record, record)) ||
             delete_waits(adopting, record, mapping, pool))
        let_go(run, record);
    else
        name_twice(adopting, run, record, named, mapping);
    return NULL;
}

/* Adopt RECORDS, in their order: parents come first. */
static cm_error_t *adopt_some(cm_run_t *run, const apr_array_header_t *records,
                              apr_pool_t *pool)
{
    adopting_t adopting = {
        .records = records,
        .mappings = apr_hash_make(pool),
        .named = apr_hash_make(pool),
        .deletes = apr_hash_make(pool),
        .changes = apr_hash_make(pool),
        .saved = apr_array_make(pool, records->nelts, sizeof(cm_mapping_t *))};
    int i;

    CM_TRY(read_mappings(&adopting, run, pool));
    CM_TRY(read_parked(&adopting, run, pool));
    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        if (cm_match_stands(run, record))
            CM_TRY(adopt(&adopting, run, record, mapping_of(&adopting, record),
                         pool));
        else
            let_go(run, record);
    }
    return cm_mapping_save(run->node, adopting.saved, pool);
}

/* Return the records to be adopted from *FIRST on, which is increased by them:
 * up to one whose row an earlier one of them matches, too, since that may
 * change its mapping. */
static apr_array_header_t *next_records(int *first, const cm_run_t *run,
                                        apr_pool_t *pool)
{
    const int most = run->matched->nelts - *first;
    apr_array_header_t *records =
        apr_array_make(pool, most, sizeof(cm_record_t *));
    cm_id_set_t *rows = cm_id_set_create(most, pool);

    for (; *first < run->matched->nelts; ++*first) {
        cm_record_t *record = CM_NTH(run->matched, *first, cm_record_t);

        if (!is_found(record))
            continue;
        if (!cm_id_set_add(rows, apr_pstrcat(pool, type_of(record), "\n",
                                             record->row->local_id, NULL)))
            break;
        APR_ARRAY_PUSH(records, cm_record_t *) = record;
    }
    return records;
}

cm_error_t *cm_adopt_matching(cm_run_t *run, apr_pool_t *scratch_pool)
{
    int first = 0;

    while (first < run->matched->nelts)
        CM_TRY(adopt_some(run, next_records(&first, run, scratch_pool),
                          scratch_pool));
    return NULL;
}

/* RECORD matches the row of the record that it is, by its first message: return
 * whether that has one now. */
static int is_told(cm_run_t *run, cm_record_t *record)
{
    const char *id = record->same_as
                         ? cm_directory_main(record->same_as)->found->local_id
                         : NULL;

    if (!id || record->entry->found->mapping)
        return 0;
    cm_lock_set_row(run, record, record->row->wanted, NULL, id);
    record->match_before =
        CM_NTH(record->tasks, 0, const cm_task_t)->message->id + 1;
    return 1;
}

cm_error_t *cm_adopt_told(cm_run_t *run, apr_pool_t *scratch_pool)
{
    apr_array_header_t *one =
        apr_array_make(scratch_pool, 1, sizeof(cm_record_t *));
    int i;

    for (i = 0; i < run->records->nelts; i++) {
        cm_record_t *record = CM_NTH(run->records, i, cm_record_t);

        if (!is_told(run, record))
            continue;
        one->nelts = 0;
        APR_ARRAY_PUSH(one, cm_record_t *) = record;
        CM_TRY(adopt_some(run, one, scratch_pool));
    }
    return NULL;
}
