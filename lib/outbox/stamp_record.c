/* The clock and the life of a record that changed: see stamp.h. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "record/captured.h"
#include "store/dialect.h"

/* Keep MAPPING for saving, once. */
static void touch(cm_stamp_t *stamp, cm_mapping_t *mapping)
{
    if (!mapping->changed)
        APR_ARRAY_PUSH(stamp->mappings, cm_mapping_t *) = mapping;
    mapping->changed = 1;
}

/* The record of MAPPING loses its local id with the present row. */
static void note_lost(const cm_stamp_t *stamp, cm_stamp_model_t *group,
                      const cm_mapping_t *mapping)
{
    apr_array_header_t *lost =
        apr_hash_get(group->lost, mapping->local_id, APR_HASH_KEY_STRING);

    if (!lost) {
        lost = apr_array_make(stamp->pool, 1, sizeof(cm_lost_t));
        apr_hash_set(group->lost, mapping->local_id, APR_HASH_KEY_STRING, lost);
    }
    APR_ARRAY_PUSH(lost, cm_lost_t) =
        (cm_lost_t){stamp->seq, mapping->identity};
}

/* The record is gone: MAPPING becomes a tombstone without a local id. */
static void bury(cm_stamp_t *stamp, cm_stamp_model_t *group,
                 cm_mapping_t *mapping, apr_int64_t clock)
{
    if (mapping->stored && group->model->columns.match->nelts)
        APR_ARRAY_PUSH(stamp->burials, cm_burial_t) = (cm_burial_t){
            .model = group->model, .mapping = *mapping, .clock = clock};
    apr_hash_set(group->alive, mapping->local_id, APR_HASH_KEY_STRING, NULL);
    cm_id_set_add(group->reused, mapping->local_id);
    note_lost(stamp, group, mapping);
    mapping->local_id = NULL;
    mapping->deleted_at = clock;
    mapping->clocks = (cm_clocks_t){.clock = clock};
    touch(stamp, mapping);
}

/* Make the mapping of a record that has none alive, in its next life. */
static cm_mapping_t *begin_life(cm_stamp_t *stamp, cm_stamp_model_t *group,
                                const char *local_id)
{
    int *life = apr_hash_get(group->lives, local_id, APR_HASH_KEY_STRING);
    cm_mapping_t *mapping = apr_pcalloc(stamp->pool, sizeof(*mapping));

    if (!life) {
        life = apr_palloc(stamp->pool, sizeof(*life));
        *life = cm_mapping_first_life(stamp->node, group->model);
        apr_hash_set(group->lives, local_id, APR_HASH_KEY_STRING, life);
    }
    if (*life > cm_mapping_first_life(stamp->node, group->model))
        cm_id_set_add(group->reused, local_id);
    mapping->type = group->model->type;
    mapping->local_id = local_id;
    mapping->identity = cm_mapping_identity_of_local(
        stamp->node, group->model, local_id, (*life)++, stamp->pool);
    apr_hash_set(group->alive, local_id, APR_HASH_KEY_STRING, mapping);
    touch(stamp, mapping);
    return mapping;
}

static int is_create(const cm_stamp_row_t *row)
{
    return row->action && !strcmp(row->action, "create");
}

static int is_delete(const cm_stamp_row_t *row)
{
    return row->action && !strcmp(row->action, "delete");
}

/* A record without a clock was only referred to. */
int cm_stamp_record_is_reborn(const cm_stamp_t *stamp,
                              const cm_stamp_row_t *row)
{
    const cm_model_t *model = row->group->model;
    const cm_mapping_t *mapping =
        apr_hash_get(row->group->alive, row->local_id, APR_HASH_KEY_STRING);

    return mapping && row->action && !strcmp(row->action, "create") &&
           mapping->clocks.clock &&
           (!cm_dialect_of_store(stamp->node->store)->replace_hidden ||
            (!model->deletes && !model->shared_keys));
}

int cm_stamp_record_ends(cm_stamp_t *stamp, const cm_stamp_row_t *row)
{
    cm_mapping_t *mapping =
        apr_hash_get(row->group->alive, row->local_id, APR_HASH_KEY_STRING);

    if (!cm_stamp_record_is_reborn(stamp, row))
        return 0;
    bury(stamp, row->group, mapping, mapping->clocks.clock + 1);
    return 1;
}

/* The record of ROW has another key than before, and stays the same record.
 * Whoever had that key is gone, without a delete that was captured. Rows come
 * in order: the key that one gives up here, the next one may take. */
static void follow_key(cm_stamp_t *stamp, const cm_stamp_row_t *row)
{
    cm_stamp_model_t *group = row->group;
    cm_mapping_t *mapping =
        apr_hash_get(group->alive, row->former, APR_HASH_KEY_STRING);
    cm_mapping_t *other =
        apr_hash_get(group->alive, row->local_id, APR_HASH_KEY_STRING);

    if (other == mapping || (!mapping && !other->clocks.clock))
        return;
    if (other)
        bury(stamp, group, other, other->clocks.clock + 1);
    if (!mapping)
        return;
    note_lost(stamp, group, mapping);
    apr_hash_set(group->alive, row->former, APR_HASH_KEY_STRING, NULL);
    mapping->local_id = row->local_id;
    apr_hash_set(group->alive, row->local_id, APR_HASH_KEY_STRING, mapping);
    touch(stamp, mapping);
}

/* Return whether COLUMN has a clock: what an application writes into a body
 * need not be a column at all. */
static int is_carried(const cm_table_t *table, const char *name)
{
    const cm_column_t *column = table ? cm_table_column(table, name) : NULL;

    return !table || (column && column->carried);
}

/* Return the columns that ROW changed; all, if it does not name any. */
static apr_hash_t *changed_columns(const cm_stamp_row_t *row, apr_pool_t *pool)
{
    const cm_table_t *table = row->group->table;
    apr_hash_t *all;
    int i;

    if (row->changed)
        return row->changed;
    all = apr_hash_make(pool);
    for (i = 0; table && i < table->column_count; i++)
        apr_hash_set(all, table->columns[i].name, APR_HASH_KEY_STRING, "");
    return all;
}

/* Add to BASE which values of COLUMNS were known to whoever decided. */
static void add_seen(cm_clocks_t *base, apr_hash_t *seen, apr_pool_t *pool)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(pool, seen); at; at = apr_hash_next(at))
        apr_hash_set(
            base->older,
            apr_pstrcat(pool, apr_hash_this_key(at), CM_BASE_SEEN, NULL),
            APR_HASH_KEY_STRING, apr_hash_this_val(at));
}

/* Return which of a peer's changes were known of a column that had CLOCK. In
 * the gem's time there were no clocks: all until both sides met last. */
static apr_int64_t known_until(const cm_stamp_t *stamp,
                               const cm_stamp_row_t *row, apr_int64_t clock)
{
    const apr_int64_t met_at = stamp->node->met_at;

    if (clock || !met_at)
        return clock;
    return row->clock && met_at >= row->clock ? row->clock - 1 : met_at;
}

/* Return whether another record continues the one that ROW deletes. */
static int names_heir(const cm_stamp_row_t *row)
{
    return is_delete(row) && row->counterpart.original_id;
}

/* Set BASE to the clocks that the columns changed by ROW had. */
static void read_base(cm_clocks_t *base, const cm_stamp_t *stamp,
                      const cm_stamp_row_t *row, const cm_clocks_t *clocks)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(stamp->pool, changed_columns(row, stamp->pool));
         at; at = apr_hash_next(at)) {
        const char *column = apr_hash_this_key(at);

        if (is_carried(row->group->table, column))
            cm_clocks_name(
                base, column,
                known_until(stamp, row, cm_clocks_of(clocks, column)),
                stamp->pool);
    }
}

/* Return the clocks that the changed columns had; one number if all are equal.
 * A delete also says what is known here of other columns; that of a record
 * which another one continues, which columns there are. */
static const char *base_text(const cm_stamp_t *stamp, const cm_stamp_row_t *row,
                             const cm_clocks_t *clocks)
{
    apr_pool_t *pool = stamp->pool;
    cm_clocks_t base = {.clock = known_until(stamp, row, clocks->clock)};

    if (is_delete(row))
        base.elsewhere = known_until(stamp, row, cm_clocks_elsewhere(clocks));
    if (!clocks->older && !clocks->elsewhere && !row->seen && !names_heir(row))
        return cm_clocks_base(&base, pool);
    read_base(&base, stamp, row, clocks);
    if (!base.older || (!row->seen && !names_heir(row)))
        return cm_clocks_base(&base, pool);
    if (row->seen)
        add_seen(&base, row->seen, pool);
    return cm_clocks_text(&base, pool);
}

/* The new record of ROW continues another one, whose key was changed: say
 * which, and how new that is here. Its delete comes next. */
static void name_former(const cm_stamp_t *stamp, cm_stamp_row_t *row)
{
    const cm_stamp_model_t *group = row->group;
    const cm_mapping_t *mapping =
        apr_hash_get(group->alive, row->former, APR_HASH_KEY_STRING);

    if (!mapping || !mapping->clocks.clock ||
        apr_hash_get(group->alive, row->local_id, APR_HASH_KEY_STRING) ==
            mapping)
        return;
    row->counterpart = mapping->identity;
    row->base = base_text(stamp, row, &mapping->clocks);
    /* no trigger sees what refers to it */
    if (cm_dialect_of_store(stamp->node->store)->cascades_hidden)
        cm_id_set_add(group->reused, row->local_id);
}

/* The record of ROW is gone, because its key was changed: say which one
 * continues it. */
static void name_heir(cm_stamp_row_t *row)
{
    const cm_mapping_t *mapping =
        apr_hash_get(row->group->alive, row->former, APR_HASH_KEY_STRING);

    if (mapping && mapping->clocks.clock)
        row->counterpart = mapping->identity;
}

/* Note that OWNER (NULL: nobody) had the former key of ROW, and HEIR has the
 * new one. */
static void note_moved(const cm_stamp_row_t *row, const cm_mapping_t *owner,
                       const cm_mapping_t *heir)
{
    if (owner)
        APR_ARRAY_PUSH(row->group->moved, cm_moved_t) =
            (cm_moved_t){row->former, owner, heir};
}

/* Return the mapping of the row's record, or NULL: it has none and needs none
 * (a record of another node that is not here). */
static cm_mapping_t *mapping_of(cm_stamp_t *stamp, cm_stamp_row_t *row)
{
    cm_stamp_model_t *group = row->group;
    cm_mapping_t *mapping, *owner = NULL;

    if (row->former && !is_delete(row))
        owner = apr_hash_get(group->alive, row->former, APR_HASH_KEY_STRING);
    if (!row->local_id)
        return apr_hash_get(group->named,
                            cm_identity_key(row->identity, stamp->pool),
                            APR_HASH_KEY_STRING);
    if (row->former && is_create(row))
        name_former(stamp, row);
    else if (row->former && is_delete(row))
        name_heir(row);
    else if (row->former)
        follow_key(stamp, row);
    cm_stamp_record_ends(stamp, row);
    mapping = apr_hash_get(group->alive, row->local_id, APR_HASH_KEY_STRING);
    if (!mapping)
        mapping = begin_life(stamp, group, row->local_id);
    note_moved(row, owner, mapping);
    return mapping;
}

/* Return the clock of what is not here when a record of GROUP, which has
 * CLOCKS, is changed. If it is new here, another node may have made the same
 * record, with columns of which nothing is known. */
static apr_int64_t known_elsewhere(const cm_stamp_model_t *group,
                                   const cm_clocks_t *clocks)
{
    if (clocks->clock)
        return cm_clocks_elsewhere(clocks);
    return group->model->shared_keys || group->model->columns.match->nelts
               ? CM_CLOCK_OLDEST
               : 0;
}

/* Give the changed columns CLOCK, the others keep theirs. */
static void move_clocks(cm_stamp_t *stamp, const cm_stamp_row_t *row,
                        cm_clocks_t *clocks, apr_int64_t clock)
{
    cm_clocks_t moved = {.clock = clock,
                         .elsewhere = known_elsewhere(row->group, clocks)};
    const cm_table_t *table = row->group->table;
    int i;

    for (i = 0; row->changed && table && i < table->column_count; i++) {
        const char *name = table->columns[i].name;

        if (table->columns[i].carried &&
            !apr_hash_get(row->changed, name, APR_HASH_KEY_STRING))
            cm_clocks_set(&moved, name, cm_clocks_of(clocks, name),
                          stamp->pool);
    }
    *clocks = moved;
}

/* Return the columns that ROW was captured with; NULL: nobody knows. */
static apr_hash_t *captured_columns(const cm_stamp_t *stamp,
                                    const cm_stamp_row_t *row)
{
    apr_hash_t *names = apr_hash_make(stamp->pool);
    cm_message_t message = {.action = CM_UPDATE};
    cm_datum_t body;
    int i;

    if (row->reread || !row->body.data ||
        cm_complete_unread(&row->body, stamp->pool))
        return NULL;
    body = cm_captured_mend(row->body, cm_dialect_of_store(stamp->node->store),
                            stamp->pool);
    if (cm_message_read_stored(&message, body.data, body.size, NULL, NULL, NULL,
                               stamp->pool))
        return NULL;
    for (i = 0; i < message.attributes->nelts; i++)
        apr_hash_set(names,
                     APR_ARRAY_IDX(message.attributes, i, cm_attribute_t).name,
                     APR_HASH_KEY_STRING, "");
    return names;
}

/* Return whether ROW names a column that the table does not have. */
static int names_unknown(const cm_stamp_row_t *row, apr_pool_t *pool)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(pool, row->changed); at; at = apr_hash_next(at))
        if (!cm_table_column(row->group->table, apr_hash_this_key(at)))
            return 1;
    return 0;
}

/* Where ROW names a column that the table does not have, it was captured before
 * that was dropped, or renamed: then those have changed, too, with which it was
 * not captured; all, if nobody knows these. */
static void widen_changed(const cm_stamp_t *stamp, cm_stamp_row_t *row)
{
    const cm_table_t *table = row->group->table;
    apr_hash_t *captured, *changed;
    int i;

    if (!table || !row->action || !row->changed ||
        !names_unknown(row, stamp->pool))
        return;
    changed = row->changed;
    row->changed = NULL;
    captured = captured_columns(stamp, row);
    if (!captured)
        return;
    row->changed = apr_hash_make(stamp->pool);
    for (i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;

        if (apr_hash_get(changed, name, APR_HASH_KEY_STRING) ||
            (table->columns[i].carried &&
             !apr_hash_get(captured, name, APR_HASH_KEY_STRING)))
            apr_hash_set(row->changed, name, APR_HASH_KEY_STRING, "");
    }
}

/* Return the other column of a reference and the name of its model; NULL:
 * COLUMN is neither. */
static const cm_column_t *partner_of(const cm_column_t *column)
{
    return column->named_by ? column->named_by : column->names;
}

/* A reference and the name of its model are one value: with one of them both
 * have changed. Other rows have the same list of columns: it stays. */
static void join_changed(cm_stamp_row_t *row, apr_pool_t *pool)
{
    const cm_table_t *table = row->group->table;
    apr_hash_t *joined = NULL;
    int i;

    for (i = 0; row->changed && table && i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];
        const cm_column_t *partner = partner_of(column);

        if (!partner ||
            !apr_hash_get(row->changed, partner->name, APR_HASH_KEY_STRING))
            continue;
        if (!joined)
            joined = apr_hash_copy(pool, row->changed);
        apr_hash_set(joined, column->name, APR_HASH_KEY_STRING, "");
    }
    if (joined)
        row->changed = joined;
}

/* A change is newer than all earlier ones of its record. */
static void stamp_change(cm_stamp_t *stamp, cm_stamp_row_t *row,
                         cm_mapping_t *mapping)
{
    widen_changed(stamp, row);
    join_changed(row, stamp->pool);
    row->clock = mapping->clocks.clock + 1;
    if (row->raw > row->clock)
        row->clock = row->raw;
    if (!is_create(row))
        row->base = base_text(stamp, row, &mapping->clocks);
    if (is_delete(row)) {
        mapping->heir = row->counterpart;
        bury(stamp, row->group, mapping, row->clock);
        return;
    }
    move_clocks(stamp, row, &mapping->clocks, row->clock);
    row->older = mapping->clocks.older;
    touch(stamp, mapping);
}

/* Return CLOCKS as others that can be changed: an earlier row has the same. */
static cm_clocks_t copy_of(const cm_clocks_t *clocks, apr_pool_t *pool)
{
    cm_clocks_t copy = {.clock = clocks->clock, .elsewhere = clocks->elsewhere};
    apr_hash_index_t *at;

    if (clocks->older)
        for (at = apr_hash_first(pool, clocks->older); at;
             at = apr_hash_next(at))
            cm_clocks_set(&copy, apr_hash_this_key(at),
                          *(const apr_int64_t *)apr_hash_this_val(at), pool);
    return copy;
}

/* Let the clock of each column that ROW names move on by one. */
static void renew(cm_stamp_t *stamp, const cm_stamp_row_t *row,
                  cm_mapping_t *mapping)
{
    apr_hash_index_t *at;

    if (apr_hash_count(row->changed))
        mapping->clocks = copy_of(&mapping->clocks, stamp->pool);
    for (at = apr_hash_first(stamp->pool, row->changed); at;
         at = apr_hash_next(at)) {
        const char *name = apr_hash_this_key(at);
        apr_int64_t clock = cm_clocks_of(&mapping->clocks, name) + 1;

        if (!is_carried(row->group->table, name))
            continue;
        if (clock > mapping->clocks.clock)
            move_clocks(stamp, row, &mapping->clocks, clock);
        else
            cm_clocks_set(&mapping->clocks, name, clock, stamp->pool);
        touch(stamp, mapping);
    }
}

/* Return the base of a delete that is sent once more, of the record of MAPPING,
 * which another one continues. What was known of each column when it was
 * deleted, nobody remembers; but nothing that is later. */
static const char *base_again(const cm_stamp_t *stamp,
                              const cm_stamp_row_t *row,
                              const cm_mapping_t *mapping)
{
    const cm_clocks_t clocks = {.clock = mapping->deleted_at};
    cm_stamp_row_t all = *row;
    cm_clocks_t base = {.elsewhere = mapping->deleted_at};

    all.changed = NULL;
    read_base(&base, stamp, &all, &clocks);
    return base.older ? cm_clocks_text(&base, stamp->pool)
                      : cm_clocks_base(&clocks, stamp->pool);
}

/* The present state once more: no clock moves, but those of references that are
 * to be renewed; a record without a clock gets one. */
static void stamp_state(cm_stamp_t *stamp, cm_stamp_row_t *row,
                        cm_mapping_t *mapping)
{
    if (!mapping->clocks.clock) {
        mapping->clocks.clock = CM_CLOCK_OLDEST;
        touch(stamp, mapping);
    }
    renew(stamp, row, mapping);
    row->clock = mapping->clocks.clock;
    row->older = mapping->clocks.older;
    if (names_heir(row) && mapping->deleted_at)
        row->base = base_again(stamp, row, mapping);
}

int cm_stamp_record_is_state(const cm_stamp_row_t *row)
{
    return row->action && row->changed &&
           (!row->raw || !apr_hash_count(row->changed));
}

/* Return whether ROW is inserted beside another one with the same key. */
static int is_second(const cm_stamp_row_t *row)
{
    const cm_mapping_t *mapping;

    if (!row->group || !row->group->twice || !row->action ||
        strcmp(row->action, "create") ||
        !apr_hash_get(row->group->twice, row->local_id, APR_HASH_KEY_STRING))
        return 0;
    mapping =
        apr_hash_get(row->group->alive, row->local_id, APR_HASH_KEY_STRING);
    return mapping && mapping->clocks.clock;
}

/* Return whether ROW deletes the record of MAPPING, which is gone, once more.
 * It does so under one of the names of the record, which is not always that of
 * the mapping: a peer may know no other one. And it names the record that
 * continues it, as the first delete did: else its children go with it there. */
static int names_deleted(const cm_stamp_row_t *row, const cm_mapping_t *mapping)
{
    return mapping->deleted_at && is_delete(row) && !row->local_id;
}

void cm_stamp_record(cm_stamp_t *stamp, cm_stamp_row_t *row)
{
    cm_mapping_t *mapping;

    if (is_second(row)) {
        row->action = CM_ACTION_TWICE;
        row->group = NULL;
    }
    mapping = row->group ? mapping_of(stamp, row) : NULL;

    if (!mapping) {
        row->clock = row->raw > 0 ? row->raw : 1;
        return;
    }
    if (!names_deleted(row, mapping))
        row->identity = mapping->identity;
    else if (!row->counterpart.original_id)
        row->counterpart = mapping->heir;
    if (cm_stamp_record_is_state(row))
        stamp_state(stamp, row, mapping);
    else
        stamp_change(stamp, row, mapping);
}
