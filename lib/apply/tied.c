/* Records that must refer to each other, so that none of them can come first.
 */
#include "apply/group_internal.h"

static void add_entry(apr_hash_t *entries, const cm_entry_t *entry,
                      apr_pool_t *pool)
{
    apr_hash_set(entries, apr_pmemdup(pool, &entry, sizeof(entry)),
                 sizeof(entry), entry);
}

int cm_tied_has(apr_hash_t *entries, const cm_entry_t *entry)
{
    return apr_hash_get(entries, &entry, sizeof(entry)) != NULL;
}

/* Return whether all that RECORD must refer to is among PRESENT. It may lack
 * only what may be empty: then another one that needs it ties it. */
static int has_parents(apr_hash_t *present, const cm_record_t *record)
{
    const apr_array_header_t *owed = record->effect->owed;
    int i;

    for (i = 0; owed && i < owed->nelts; i++)
        if (!cm_tied_has(present, CM_NTH(owed, i, const cm_entry_t)))
            return 0;
    return 1;
}

/* Return those of RECORDS that must refer to others of them only, and that
 * another one must refer to. */
static apr_array_header_t *tied_of(const apr_array_header_t *records,
                                   apr_pool_t *pool)
{
    apr_array_header_t *tied =
        apr_array_make(pool, records->nelts, sizeof(cm_record_t *));
    apr_hash_t *present = apr_hash_make(pool), *needed = apr_hash_make(pool);
    int i, j;

    for (i = 0; i < records->nelts; i++) {
        const cm_record_t *record = CM_NTH(records, i, const cm_record_t);
        const apr_array_header_t *owed = record->effect->owed;

        add_entry(present, record->entry, pool);
        for (j = 0; owed && j < owed->nelts; j++)
            add_entry(needed, CM_NTH(owed, j, const cm_entry_t), pool);
    }
    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        if (has_parents(present, record) && cm_tied_has(needed, record->entry))
            APR_ARRAY_PUSH(tied, cm_record_t *) = record;
    }
    return tied;
}

apr_array_header_t *cm_tied_records(cm_run_t *run, const cm_model_t *model,
                                    apr_pool_t *pool)
{
    apr_array_header_t *waiting = cm_group_waiting(run, CM_PARTIAL_ALL, pool);
    apr_array_header_t *tied = waiting;
    apr_array_header_t *chosen = apr_array_make(pool, 2, sizeof(cm_record_t *));
    apr_hash_t *entries = apr_hash_make(pool);
    int i, count;

    do {
        count = tied->nelts;
        tied = tied_of(tied, pool);
    } while (tied->nelts < count);
    for (i = 0; i < tied->nelts; i++)
        add_entry(entries, CM_NTH(tied, i, cm_record_t)->entry, pool);
    for (i = 0; i < waiting->nelts; i++) {
        cm_record_t *record = CM_NTH(waiting, i, cm_record_t);

        if (cm_tied_has(entries, record->entry) &&
            (!model || record->table->model == model))
            APR_ARRAY_PUSH(chosen, cm_record_t *) = record;
        else
            cm_group_leave(record);
    }
    return chosen;
}

/* Let RECORDS, which are tied, begin, with what is of COMPANY. *DONE counts
 * them; 0: none is written. */
static cm_error_t *write_from(int *done, cm_run_t *run,
                              const apr_array_header_t *records,
                              apr_hash_t *company, apr_pool_t *pool)
{
    apr_array_header_t *ready =
        apr_array_make(pool, records->nelts, sizeof(cm_record_t *));
    int refused, i;

    *done = 0;
    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        record->lacks = record->error;
        if (cm_rounds_ready(run, record, CM_PARTIAL_ALL) &&
            record->effect->kind != CM_EFFECT_DELETE) {
            record->aim = record->effect->until;
            APR_ARRAY_PUSH(ready, cm_record_t *) = record;
        }
        else {
            cm_group_leave(record);
        }
    }
    if (ready->nelts)
        CM_TRY(
            cm_group_write_with(done, &refused, run, ready, 1, company, pool));
    for (i = 0; i < ready->nelts && !*done; i++)
        cm_group_leave(CM_NTH(ready, i, cm_record_t));
    return NULL;
}

/* A record that is tied. */
typedef struct tied_t {
    cm_record_t *record;
    const apr_array_header_t *owed; /* what it must refer to: cm_entry_t */
    const cm_entry_t *tried; /* the last that needs it and was tried, or NULL */
} tied_t;

static tied_t *tied_by(apr_hash_t *all, const cm_entry_t *entry)
{
    return apr_hash_get(all, &entry, sizeof(entry));
}

/* Return what of ALL (tied_t) RECORD needs, and what these need, with itself:
 * cm_entry_t, also as *LISTED. */
static apr_hash_t *company_of(apr_array_header_t **listed, apr_hash_t *all,
                              const cm_record_t *record, apr_pool_t *pool)
{
    apr_hash_t *company = apr_hash_make(pool);
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(cm_entry_t *));
    int i, j;

    APR_ARRAY_PUSH(list, const cm_entry_t *) = record->entry;
    add_entry(company, record->entry, pool);
    for (i = 0; i < list->nelts; i++) {
        const apr_array_header_t *owed =
            tied_by(all, CM_NTH(list, i, const cm_entry_t))->owed;

        for (j = 0; owed && j < owed->nelts; j++) {
            const cm_entry_t *entry = CM_NTH(owed, j, const cm_entry_t);

            if (!tied_by(all, entry) || cm_tied_has(company, entry))
                continue;
            add_entry(company, entry, pool);
            APR_ARRAY_PUSH(list, const cm_entry_t *) = entry;
        }
    }
    *listed = list;
    return company;
}

/* Return the records of LIST, of ALL, that have the model of the first one, and
 * wait. */
static apr_array_header_t *
alike_of(apr_hash_t *all, const apr_array_header_t *list, apr_pool_t *pool)
{
    const cm_model_t *model = CM_NTH(list, 0, const cm_entry_t)->model;
    apr_array_header_t *alike =
        apr_array_make(pool, list->nelts, sizeof(cm_record_t *));
    int i;

    for (i = 0; i < list->nelts; i++) {
        cm_record_t *record =
            tied_by(all, CM_NTH(list, i, const cm_entry_t))->record;

        if (record->entry->model == model && cm_rounds_pending(record) &&
            record->error)
            APR_ARRAY_PUSH(alike, cm_record_t *) = record;
    }
    return alike;
}

/* Let TIED of ALL begin, then all of its model that it needs: a foreign key
 * that is checked at once may let only another one be first. Not if another one
 * of its model, which needs it and which it needs, was tried: that would be the
 * same. */
static cm_error_t *write_tied_one(cm_run_t *run, tied_t *tied, apr_hash_t *all,
                                  apr_pool_t *pool)
{
    cm_record_t *record = tied->record;
    apr_array_header_t *list, *one;
    apr_hash_t *company;
    int done, i;

    if (!cm_rounds_pending(record) || !record->error)
        return NULL;
    company = company_of(&list, all, record, pool);
    if (tied->tried && tied->tried->model == record->entry->model &&
        cm_tied_has(company, tied->tried))
        return NULL;
    for (i = 0; i < list->nelts; i++)
        tied_by(all, CM_NTH(list, i, const cm_entry_t))->tried = record->entry;
    one = apr_array_make(pool, 1, sizeof(cm_record_t *));
    APR_ARRAY_PUSH(one, cm_record_t *) = record;
    CM_TRY(write_from(&done, run, one, company, pool));
    list = alike_of(all, list, pool);
    if (done || list->nelts < 2)
        return NULL;
    return write_from(&done, run, list, company, pool);
}

/* Tied records may be refused because of one of them, or of what came along:
 * let each begin, with those that tie it. */
static cm_error_t *write_each(cm_run_t *run, apr_pool_t *scratch_pool)
{
    const apr_array_header_t *records;
    apr_hash_t *all = apr_hash_make(scratch_pool);
    apr_pool_t *iterpool;
    tied_t *tied;
    int i;

    cm_group_begin(run);
    records = cm_tied_records(run, NULL, scratch_pool);
    tied = apr_pcalloc(scratch_pool, records->nelts * sizeof(*tied));
    for (i = 0; i < records->nelts; i++) {
        cm_record_t *record = CM_NTH(records, i, cm_record_t);

        tied[i] = (tied_t){record, record->effect->owed, NULL};
        apr_hash_set(all, &record->entry, sizeof(record->entry), &tied[i]);
        cm_group_leave(record);
    }
    apr_pool_create(&iterpool, scratch_pool);
    for (i = 0; i < records->nelts; i++) {
        apr_pool_clear(iterpool);
        CM_TRY(write_tied_one(run, &tied[i], all, iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_tied_write(cm_run_t *run, apr_pool_t *scratch_pool)
{
    const apr_array_header_t *tied;
    apr_hash_t *tried = apr_hash_make(scratch_pool);
    int i;

    cm_group_begin(run);
    tied = cm_tied_records(run, NULL, scratch_pool);
    for (i = 0; i < tied->nelts; i++)
        cm_group_leave(CM_NTH(tied, i, cm_record_t));
    for (i = 0; i < tied->nelts; i++) {
        cm_record_t *record = CM_NTH(tied, i, cm_record_t);
        const cm_model_t *model = record->table->model;

        if (!cm_rounds_pending(record) ||
            apr_hash_get(tried, model->name, APR_HASH_KEY_STRING))
            continue;
        apr_hash_set(tried, model->name, APR_HASH_KEY_STRING, model);
        CM_TRY(cm_group_write_waiting(run, model, scratch_pool));
    }
    return tied->nelts ? write_each(run, scratch_pool) : NULL;
}
