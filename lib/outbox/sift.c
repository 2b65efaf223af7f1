/* What the row filter means for the rows of a chunk: see internal.h.
 *
 * A message is sent if the row, as it is now, matches, and with the values that
 * it has now: those that were captured may be of a moment when it did not. The
 * rest is as if the row had been captured incompletely: later changes have
 * messages of their own.
 *
 * What happens to a known record outside of the filter gets its clocks as any
 * change, and no message. So the record stays the same one, and once it is
 * inside again, its next message carries all that has changed. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"

static int is_action(const cm_stamp_row_t *row, const char *action)
{
    return !strcmp(row->action, action);
}

/* An application that writes messages decides itself; a peer's message is only
 * forwarded. */
int cm_sift_decides(const cm_stamp_row_t *row)
{
    return row->group && row->local_id && row->action && !row->identity.origin;
}

/* Return whether ROW has the values that its record has now: a state that is
 * being published, of a record that is locked. */
static int is_present(const cm_stamp_row_t *row)
{
    return !row->id;
}

/* Return the body {"post":REST} of ROW; REST NULL: it is read when it is sent.
 */
static cm_datum_t body_of(const cm_stamp_row_t *row, const cm_datum_t *rest,
                          apr_pool_t *pool)
{
    if (!rest || !rest->data)
        return (cm_datum_t){0};
    return cm_datum_text(
        apr_pstrcat(pool, "{\"", row->model, "\":", rest->data, "}", NULL));
}

/* Return whether ROW was captured with another body, or may have been. */
static int is_other(const cm_stamp_row_t *row, const cm_datum_t *body)
{
    return !body->data || !row->body.data || row->body.size != body->size ||
           memcmp(row->body.data, body->data, body->size) != 0;
}

static void set_body(cm_stamp_row_t *row, const cm_datum_t *rest,
                     apr_pool_t *pool)
{
    const cm_datum_t body = body_of(row, rest, pool);

    row->reread = is_other(row, &body);
    row->body = body;
}

/* Note which rows of GROUP end the use of a local id: what was captured before
 * is of a record that has it no more. A new record ends it, too, where deletes
 * are not captured. Where a record continues another one, the delete of that
 * one ends the use of its id, and only of that. */
static void find_ends(cm_stamp_t *stamp, cm_stamp_model_t *group,
                      const apr_array_header_t *rows)
{
    int i;

    group->ends = apr_hash_make(stamp->pool);
    group->made = apr_hash_make(stamp->pool);
    group->given_up = apr_hash_make(stamp->pool);
    group->passed = apr_hash_make(stamp->pool);
    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (!cm_sift_decides(row) || row->group != group)
            continue;
        if (!is_action(row, "update"))
            apr_hash_set(group->ends, row->local_id, APR_HASH_KEY_STRING, row);
        else if (row->former)
            apr_hash_set(group->ends, row->former, APR_HASH_KEY_STRING, row);
        if (is_action(row, "create"))
            apr_hash_set(group->made, row->local_id, APR_HASH_KEY_STRING, row);
        else if (is_action(row, "delete") && row->former)
            apr_hash_set(group->given_up, row->local_id, APR_HASH_KEY_STRING,
                         row);
    }
}

/* Return the ids of those rows here that others may have by now: ROWS were
 * captured with other values. */
static apr_array_header_t *doubtful(const cm_stamp_t *stamp,
                                    const cm_stamp_model_t *group,
                                    const apr_array_header_t *rows)
{
    cm_id_set_t *set = cm_id_set_create(4, stamp->pool);
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);
        const cm_filter_row_t *here;
        cm_datum_t body;

        if (row->group != group || !cm_sift_decides(row) || is_present(row))
            continue;
        here = apr_hash_get(group->here, row->local_id, APR_HASH_KEY_STRING);
        if (!here || (!here->inside && !here->orphan))
            continue;
        body = body_of(row, here->capture, stamp->pool);
        if (is_other(row, &body))
            cm_id_set_add(set, row->local_id);
    }
    return set->ids;
}

/* Note which messages after AFTER, for which CONDITION holds, end the use of
 * one of IDS, which they have in COLUMN. */
static cm_error_t *find_later(cm_stamp_t *stamp, cm_stamp_model_t *group,
                              const apr_array_header_t *ids, const char *column,
                              const char *condition, apr_int64_t after)
{
    const cm_bulk_column_t columns[] = {{"model", NULL}, {column, NULL}};
    cm_bulk_t *keys =
        cm_bulk_create("outbound_messages", columns, 2, 2, stamp->pool);
    cm_rows_t *rows;
    int i;

    for (i = 0; i < ids->nelts; i++)
        cm_bulk_row(keys, "tt", group->model->name,
                    APR_ARRAY_IDX(ids, i, const char *));
    CM_TRY(
        cm_bulk_select(&rows, stamp->node->store,
                       apr_pstrcat(stamp->pool, "t.id, t.", column, NULL), keys,
                       apr_psprintf(stamp->pool,
                                    "t.seq IS NULL AND t.id > %" APR_INT64_T_FMT
                                    " AND t.action %s",
                                    after, condition),
                       0, stamp->pool));
    for (i = 0; i < rows->count; i++) {
        cm_stamp_row_t *end = apr_pcalloc(stamp->pool, sizeof(*end));

        end->id = cm_cell_number(rows, i, 0);
        apr_hash_set(group->ends, cm_cell_text(rows, i, 1), APR_HASH_KEY_STRING,
                     end);
    }
    return NULL;
}

/* The same of messages that are in a later chunk: asked for only where a row
 * here is not as it was captured. States that are published (without an id)
 * have nothing behind them. */
static cm_error_t *find_later_ends(cm_stamp_t *stamp, cm_stamp_model_t *group,
                                   const apr_array_header_t *rows)
{
    const apr_int64_t last =
        rows->nelts ? APR_ARRAY_IDX(rows, rows->nelts - 1, cm_stamp_row_t).id
                    : 0;
    const apr_array_header_t *ids = doubtful(stamp, group, rows);

    if (!last || !ids->nelts)
        return NULL;
    CM_TRY(
        find_later(stamp, group, ids, "local_record_id", "<> 'update'", last));
    return find_later(stamp, group, ids, "former_record_id", "= 'update'",
                      last);
}

/* Return the row here of the record of ROW; NULL: it is gone. Another record
 * may have its key now. */
static const cm_filter_row_t *row_here(const cm_stamp_row_t *row)
{
    const cm_stamp_row_t *end =
        apr_hash_get(row->group->ends, row->local_id, APR_HASH_KEY_STRING);

    return end && end->id > row->id
               ? NULL
               : apr_hash_get(row->group->here, row->local_id,
                              APR_HASH_KEY_STRING);
}

/* Ask about the records of GROUP. The present values of those whose rows were
 * all small enough to be read are read, too, but not of states that are
 * published: these were just read. */
static cm_error_t *find_here(cm_stamp_t *stamp, cm_stamp_model_t *group,
                             const apr_array_header_t *rows,
                             apr_hash_t *changes)
{
    cm_id_set_t *sets[] = {cm_id_set_create(16, stamp->pool),
                           cm_id_set_create(4, stamp->pool)};
    apr_hash_t *large = apr_hash_make(stamp->pool), *more;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (row->group == group && cm_sift_decides(row) &&
            (!row->body.data || is_present(row)))
            apr_hash_set(large, row->local_id, APR_HASH_KEY_STRING, "");
    }
    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (row->group == group && cm_sift_decides(row))
            cm_id_set_add(sets[apr_hash_get(large, row->local_id,
                                            APR_HASH_KEY_STRING) != NULL],
                          row->local_id);
    }
    CM_TRY(cm_filter_find(&group->here, stamp->node, group->model, sets[0]->ids,
                          1, changes, stamp->pool));
    CM_TRY(cm_filter_find(&more, stamp->node, group->model, sets[1]->ids, 0,
                          changes, stamp->pool));
    group->here = apr_hash_overlay(stamp->pool, more, group->here);
    find_ends(stamp, group, rows);
    return find_later_ends(stamp, group, rows);
}

cm_error_t *cm_sift_find(cm_stamp_t *stamp, const apr_array_header_t *rows)
{
    apr_hash_t *changes = NULL;
    apr_hash_index_t *at;
    int applies;

    for (at = apr_hash_first(stamp->pool, stamp->models); at;
         at = apr_hash_next(at)) {
        cm_stamp_model_t *group = apr_hash_this_val(at);

        if (!group->table)
            continue;
        CM_TRY(cm_filter_applies(&applies, stamp->node, group->model,
                                 stamp->pool));
        if (!applies)
            continue;
        if (!changes)
            changes = cm_known_find(stamp, rows);
        CM_TRY(find_here(stamp, group, rows, changes));
    }
    return NULL;
}

const cm_mapping_t *cm_sift_knows(const cm_stamp_model_t *group,
                                  const char *local_id)
{
    const cm_mapping_t *mapping =
        local_id ? apr_hash_get(group->alive, local_id, APR_HASH_KEY_STRING)
                 : NULL;

    return mapping && mapping->clocks.clock ? mapping : NULL;
}

/* The record leaves: ROW becomes its delete, under the key that it had. */
static void make_delete(cm_stamp_row_t *row, apr_pool_t *pool)
{
    const cm_datum_t empty = cm_datum_text("{}");

    if (row->former && cm_sift_knows(row->group, row->former))
        row->local_id = row->former;
    row->former = NULL;
    row->action = "delete";
    row->changed = row->seen = NULL;
    set_body(row, &empty, pool);
}

/* Return whether the peers shall delete the record of MAPPING when it leaves. A
 * record that another node has made is that node's. */
static int is_ours(const cm_stamp_t *stamp, const cm_stamp_model_t *group,
                   const cm_mapping_t *mapping)
{
    return group->model->leave_deletes &&
           (group->model->shared_keys ||
            !strcmp(mapping->identity.origin, stamp->node->settings->name));
}

/* The record of ROW is outside of the filter, or gone (HERE NULL). */
static int stays(cm_stamp_t *stamp, cm_stamp_row_t *row,
                 const cm_filter_row_t *here)
{
    const cm_mapping_t *mapping = cm_sift_knows(row->group, row->local_id);

    if (!mapping && is_action(row, "update"))
        mapping = cm_sift_knows(row->group, row->former);
    if (!mapping)
        return 0;
    if (here && !here->failed && is_ours(stamp, row->group, mapping)) {
        make_delete(row, stamp->pool);
        cm_stamp_record(stamp, row);
        return 1;
    }
    if (cm_stamp_record_ends(stamp, row))
        return 0;
    if (is_action(row, "create")) {
        row->action = "update";
        row->changed = NULL;
        row->former = NULL;
    }
    cm_stamp_record(stamp, row);
    return 0;
}

/* If no peer knows the record of ROW, which was outside until now, all of it is
 * as new as the change that let it in: its other columns have no clock yet. */
static void let_in(cm_stamp_row_t *row)
{
    if (!is_action(row, "update") || cm_stamp_record_is_state(row) ||
        cm_sift_knows(row->group, row->local_id) ||
        cm_sift_knows(row->group, row->former))
        return;
    row->action = "create";
    row->changed = NULL;
    row->former = NULL;
}

/* Return whether ROW changes the key of a record that peers know: then it is no
 * row that has never left, though it needs a parent that is gone. */
static int has_moved(const cm_stamp_row_t *row, const cm_filter_row_t *here)
{
    return here->orphan && is_action(row, "update") &&
           cm_sift_knows(row->group, row->former);
}

/* Return the key under which peers know the record that has KEY (or NULL), if
 * it has got that by way of keys that they are not told of; else KEY. */
static const char *known_as(const cm_stamp_model_t *group, const char *key)
{
    const char *known =
        key ? apr_hash_get(group->passed, key, APR_HASH_KEY_STRING) : NULL;

    return known ? known : key;
}

/* Return whether one of ROWS, which are last rows of the chunk by local id, is
 * of KEY and comes after ROW. */
static int is_later(apr_hash_t *rows, const char *key,
                    const cm_stamp_row_t *row)
{
    const cm_stamp_row_t *last = apr_hash_get(rows, key, APR_HASH_KEY_STRING);

    return last && last->id > row->id;
}

/* Return whether ROW gives the record that peers know under the key FIRST one
 * which it gives up again in this chunk. No other record may get FIRST then. */
static int is_passing(const cm_stamp_row_t *row, const char *first)
{
    const cm_stamp_model_t *group = row->group;

    return is_action(row, "create") && first && cm_sift_knows(group, first) &&
           !cm_sift_knows(group, row->local_id) &&
           is_later(group->given_up, row->local_id, row) &&
           !is_later(group->made, first, row);
}

/* Where a key makes a record, one that peers know may get several keys, one
 * after the other. No row has those between, so they are not sent: then the
 * record with the last key continues that with the first one, which is deleted
 * behind it. Return whether ROW is not sent for that. */
static int passes(cm_stamp_row_t *row)
{
    apr_hash_t *passed = row->group->passed;
    const char *first = known_as(row->group, row->former), *key;

    if (is_passing(row, first)) {
        apr_hash_set(passed, row->local_id, APR_HASH_KEY_STRING, first);
        return 1;
    }
    if (is_action(row, "create"))
        row->former = first;
    if (!is_action(row, "delete"))
        return 0;
    if (first != row->former)
        return 1;
    key = row->local_id;
    row->local_id = known_as(row->group, key);
    apr_hash_set(passed, key, APR_HASH_KEY_STRING, NULL);
    return 0;
}

int cm_sift_record(cm_stamp_t *stamp, cm_stamp_row_t *row)
{
    const cm_filter_row_t *here;

    if (!cm_sift_decides(row) || !row->group->here) {
        cm_stamp_record(stamp, row);
        return 1;
    }
    if (passes(row))
        return 0;
    here = row_here(row);
    if (is_action(row, "delete")) {
        if (!cm_sift_knows(row->group, row->local_id))
            return 0;
    }
    else if (here && (here->inside || has_moved(row, here))) {
        if (!is_present(row))
            set_body(row, here->capture, stamp->pool);
        let_in(row);
    }
    else
        return stays(stamp, row, here);
    cm_stamp_record(stamp, row);
    return 1;
}

cm_error_t *cm_sift_write(const cm_stamp_t *stamp,
                          const apr_array_header_t *rows,
                          apr_pool_t *scratch_pool)
{
    static const cm_bulk_column_t columns[] = {{"id", "bigint"},
                                               {"body", NULL}};
    cm_bulk_t *bulk =
        cm_bulk_create("outbound_messages", columns, 2, 1, scratch_pool);
    apr_int64_t updated;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (row->reread)
            cm_bulk_row(bulk, "nt", row->id,
                        row->body.data
                            ? row->body.data
                            : apr_pstrcat(scratch_pool, "{\"", row->model,
                                          "\":true}", NULL));
    }
    if (!cm_bulk_rows(bulk))
        return NULL;
    CM_TRY(cm_bulk_update(&updated, stamp->node->store, bulk, scratch_pool));
    return cm_stamp_check(cm_bulk_rows(bulk), updated, scratch_pool);
}
