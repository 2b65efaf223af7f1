/* Stamping: committed messages get their number, their record's clock and
 * identity. A chunk at a time, in a few statements. */
#include "outbox/internal.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "store/bulk.h"
#include "store/dialect.h"
#include "outbox/outbox.h"
#include "outbox/publication.h"
#include "outbox/unstamped.h"

#define CHUNK 1000

cm_error_t *cm_stamp_find_group(cm_stamp_model_t **found, cm_stamp_t *stamp,
                                const char *name)
{
    cm_stamp_model_t *group =
        apr_hash_get(stamp->models, name, APR_HASH_KEY_STRING);
    const cm_model_t *model = cm_settings_model(stamp->node->settings, name);
    cm_error_t *err;

    *found = group;
    if (group || !model)
        return NULL;
    *found = group = apr_pcalloc(stamp->pool, sizeof(*group));
    err = cm_node_table(&group->table, stamp->node, model, stamp->pool);
    if (err && err->code != CM_SCHEMA)
        return err;
    CM_TRY(cm_node_records(&group->records, stamp->node, model->type,
                           stamp->pool));
    group->model = model;
    group->ids = cm_id_set_create(16, stamp->pool);
    group->reused = cm_id_set_create(1, stamp->pool);
    group->lost = apr_hash_make(stamp->pool);
    group->moved = apr_array_make(stamp->pool, 4, sizeof(cm_moved_t));
    group->foreign = apr_array_make(stamp->pool, 4, sizeof(cm_identity_t));
    apr_hash_set(stamp->models, model->name, APR_HASH_KEY_STRING, group);
    return NULL;
}

/* Find out which record ROW is about, and note it to be looked up. */
static cm_error_t *note_record(cm_stamp_t *stamp, cm_stamp_row_t *row)
{
    cm_stamp_model_t *group;

    if (!row->model)
        return NULL;
    /* Deletes that are published again have an identity instead. */
    if (row->action && !row->local_id && !row->identity.origin) {
        row->action = CM_ACTION_KEYLESS;
        return NULL;
    }
    CM_TRY(cm_stamp_find_group(&group, stamp, row->model));
    if (!group)
        return NULL;
    if (!row->action) {
        row->local_id = NULL;
        if (!row->identity.origin || !row->identity.original_id)
            return NULL;
        if (!strcmp(row->identity.origin, stamp->node->settings->name) &&
            cm_records_holds(group->records, row->identity.original_id))
            row->local_id = row->identity.original_id;
    }
    row->group = group;
    if (!row->local_id)
        APR_ARRAY_PUSH(group->foreign, cm_identity_t) = row->identity;
    else
        cm_id_set_add(group->ids, row->local_id);
    if (row->former)
        cm_id_set_add(group->ids, row->former);
    return NULL;
}

/* Let each record have one mapping in memory, by whatever it was found. */
static void join_mappings(cm_stamp_model_t *group, apr_pool_t *pool)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(pool, group->named); at; at = apr_hash_next(at)) {
        cm_mapping_t *mapping = apr_hash_this_val(at), *same;

        if (!mapping->local_id)
            continue;
        same =
            apr_hash_get(group->alive, mapping->local_id, APR_HASH_KEY_STRING);
        if (same)
            apr_hash_set(group->named, apr_hash_this_key(at),
                         APR_HASH_KEY_STRING, same);
        else
            apr_hash_set(group->alive, mapping->local_id, APR_HASH_KEY_STRING,
                         mapping);
    }
}

/* Read the mappings of the records of GROUP. New lives are looked for where
 * one may begin: an id without a mapping, or created once more. */
static cm_error_t *find_mappings(cm_stamp_t *stamp, cm_stamp_model_t *group,
                                 const apr_array_header_t *rows)
{
    cm_id_set_t *unknown = cm_id_set_create(16, stamp->pool);
    int i;

    CM_TRY(cm_mapping_by_local_id(&group->alive, stamp->node,
                                  group->model->type, group->ids->ids,
                                  stamp->pool));
    CM_TRY(cm_mapping_by_identity(&group->named, stamp->node,
                                  group->model->type, group->foreign,
                                  stamp->pool));
    join_mappings(group, stamp->pool);
    CM_TRY(cm_twice_find(stamp, group, rows));
    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (row->group != group || !row->local_id)
            continue;
        if (row->former)
            cm_id_set_add(unknown, row->former);
        else if (apr_hash_get(group->alive, row->local_id,
                              APR_HASH_KEY_STRING) &&
                 (!row->action || !strcmp(row->action, "update")))
            continue;
        cm_id_set_add(unknown, row->local_id);
    }
    return cm_mapping_lives(&group->lives, stamp->node, group->model,
                            unknown->ids, stamp->pool);
}

static cm_error_t *find_records(cm_stamp_t *stamp, apr_array_header_t *rows)
{
    apr_hash_index_t *at;
    int i;

    for (i = 0; i < rows->nelts; i++)
        CM_TRY(note_record(stamp, &APR_ARRAY_IDX(rows, i, cm_stamp_row_t)));
    for (at = apr_hash_first(stamp->pool, stamp->models); at;
         at = apr_hash_next(at))
        CM_TRY(find_mappings(stamp, apr_hash_this_val(at), rows));
    return NULL;
}

/* Write what the node remembers when it is no longer PASSED. */
static cm_error_t *forget_ended(cm_stamp_t *stamp, const char *passed,
                                apr_int64_t last_seq)
{
    const char *left = stamp->node->outbox.passed;

    if (!passed || (left && !strcmp(left, passed)))
        return NULL;
    return cm_node_set_stamped(stamp->node, last_seq, stamp->pool);
}

/* The last columns only if the messages are sent at once, or have refs. */
static const cm_bulk_column_t row_columns[] = {
    {"id", "bigint"},      {"seq", "bigint"},
    {"model", NULL},       {"action", NULL},
    {"clock", "bigint"},   {"clocks", NULL},
    {"base", NULL},        {"origin", NULL},
    {"original_id", NULL}, {"delivered_at", "timestamp"}};

const char *cm_stamp_clocks(const cm_stamp_row_t *row, apr_pool_t *pool)
{
    const cm_clocks_t clocks = {.clock = row->clock, .older = row->older};

    return cm_clocks_list(&clocks, pool);
}

cm_outbox_row_t cm_stamp_stored(const cm_stamp_row_t *row, apr_int64_t seq)
{
    return (cm_outbox_row_t){.seq = seq,
                             .action = row->action,
                             .clock = row->clock,
                             .older = row->older,
                             .base = row->base,
                             .identity = row->identity,
                             .counterpart = row->counterpart,
                             .body = row->body,
                             .local_id = row->local_id};
}

cm_error_t *cm_stamp_check(int rows, apr_int64_t written, apr_pool_t *pool)
{
    if (written == rows)
        return NULL;
    return CM_FAIL(pool, CM_BUSY,
                   "%d messages were read to be stamped, but only "
                   "%" APR_INT64_T_FMT " are still there",
                   rows, written);
}

/* Return whether ROW may refer to records. */
static int has_references(const cm_stamp_row_t *row)
{
    return row->group && row->identity.origin &&
           row->group->model->columns.references->nelts;
}

/* Read the body of ROW, which is too large for a batch; NULL: its record is
 * read when it is sent. */
static cm_error_t *read_large(cm_datum_t *body, cm_stamp_t *stamp,
                              const cm_stamp_row_t *row, apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(
        &rows, stamp->node->store,
        apr_psprintf(pool,
                     "SELECT body FROM outbound_messages WHERE id ="
                     " %" APR_INT64_T_FMT " AND body IS NOT NULL",
                     row->id),
        NULL, 0, pool));
    if (rows->count)
        *body = *cm_cell(rows, 0, 0);
    return NULL;
}

/* Name what STORED (cm_outbox_row_t) refer to: REFS, at INDEXES. */
static cm_error_t *name_some(const char **refs, cm_stamp_t *stamp,
                             const apr_array_header_t *stored,
                             const int *indexes, apr_pool_t *result_pool,
                             apr_pool_t *pool)
{
    apr_array_header_t *made =
        apr_array_make(pool, stored->nelts, sizeof(cm_outgoing_t));
    int i, unknown = 0;

    for (i = 0; i < stored->nelts; i++)
        CM_TRY(cm_outgoing_make(
            &unknown, apr_array_push(made), stamp->node,
            &APR_ARRAY_IDX(stored, i, const cm_outbox_row_t), pool));
    CM_TRY(cm_references_name(stamp->node, stamp, made, pool, pool));
    for (i = 0; i < made->nelts; i++)
        refs[indexes[i]] = cm_message_write_refs(
            &APR_ARRAY_IDX(made, i, cm_outgoing_t).message, result_pool);
    return NULL;
}

/* The same for those of ROWS whose bodies are too large to be kept together. */
static cm_error_t *name_large(const char **refs, cm_stamp_t *stamp,
                              const apr_array_header_t *rows,
                              apr_int64_t last_seq, apr_pool_t *result_pool)
{
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, result_pool);
    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);
        apr_array_header_t *one;
        cm_outbox_row_t *stored;

        if (!has_references(row) || row->body.data)
            continue;
        apr_pool_clear(iterpool);
        one = apr_array_make(iterpool, 1, sizeof(cm_outbox_row_t));
        stored = apr_array_push(one);
        *stored = cm_stamp_stored(row, last_seq + 1 + i);
        CM_TRY(read_large(&stored->body, stamp, row, iterpool));
        if (stored->body.data)
            CM_TRY(name_some(refs, stamp, one, &i, result_pool, iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Set *REFS to the column refs of each of ROWS, numbered from LAST_SEQ + 1;
 * NULL: all are NULL. What a row refers to, or that it is not here, is said
 * now: another record may get the key before the row is sent. */
static cm_error_t *refs_of(const char ***refs, cm_stamp_t *stamp,
                           const apr_array_header_t *rows, apr_int64_t last_seq,
                           apr_pool_t *pool)
{
    apr_array_header_t *stored =
        apr_array_make(pool, rows->nelts, sizeof(cm_outbox_row_t));
    int *indexes = apr_palloc(pool, rows->nelts * sizeof(*indexes));
    int i, any = 0;

    *refs = apr_pcalloc(pool, rows->nelts * sizeof(**refs));
    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);
        const cm_message_t alone = {.model = row->model,
                                    .counterpart = row->counterpart};

        (*refs)[i] = cm_message_write_refs(&alone, pool);
        if (!has_references(row) || !row->body.data)
            continue;
        indexes[stored->nelts] = i;
        APR_ARRAY_PUSH(stored, cm_outbox_row_t) =
            cm_stamp_stored(row, last_seq + 1 + i);
    }
    CM_TRY(name_some(*refs, stamp, stored, indexes, pool, pool));
    CM_TRY(name_large(*refs, stamp, rows, last_seq, pool));
    for (i = 0; i < rows->nelts; i++)
        any |= (*refs)[i] != NULL;
    if (!any)
        *refs = NULL;
    return NULL;
}

/* Write ROWS (cm_stamp_row_t), numbered from LAST_SEQ + 1, and what follows
 * from them. Fails with CM_BUSY when rows are gone. */
static cm_error_t *write_rows(cm_stamp_t *stamp, const apr_array_header_t *rows,
                              apr_int64_t last_seq, apr_pool_t *scratch_pool)
{
    const int sent_now = stamp->stamping->peer != NULL;
    const cm_datum_t now = cm_datum_moment(cm_clock_now(), scratch_pool);
    const apr_array_header_t *none =
        apr_array_make(scratch_pool, 0, sizeof(cm_stamp_row_t));
    cm_bulk_column_t columns[11];
    const char **refs;
    cm_bulk_t *bulk;
    apr_int64_t updated;
    int i;

    memcpy(columns, row_columns, sizeof(row_columns));
    CM_TRY(refs_of(&refs, stamp, rows, last_seq, scratch_pool));
    if (refs)
        columns[9 + sent_now] = (cm_bulk_column_t){"refs", NULL};
    bulk = cm_bulk_create("outbound_messages", columns,
                          9 + sent_now + (refs != NULL), 1, scratch_pool);
    cm_bulk_reserve(bulk, rows->nelts);
    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        cm_bulk_row(bulk, "nnttntttt", row->id, ++last_seq, row->model,
                    row->action ? row->action : "update", row->clock,
                    cm_stamp_clocks(row, scratch_pool), row->base,
                    row->identity.origin, row->identity.original_id);
        if (sent_now)
            cm_bulk_add(bulk, now);
        if (refs)
            cm_bulk_add(bulk, cm_datum_text(refs[i]));
    }
    CM_TRY(cm_bulk_update(&updated, stamp->node->store, bulk, scratch_pool));
    CM_TRY(cm_stamp_check(rows->nelts, updated, scratch_pool));
    CM_TRY(cm_sift_write(stamp, rows, scratch_pool));
    CM_TRY(cm_take_away(stamp, none, scratch_pool));
    CM_TRY(
        cm_aliases_bury(&last_seq, stamp->node, stamp->burials, scratch_pool));
    return cm_node_set_stamped(stamp->node, last_seq, scratch_pool);
}

/* Stamp ROWS, numbered from LAST_SEQ + 1; those that are not sent are left
 * out. */
static void stamp_records(cm_stamp_t *stamp, apr_array_header_t *rows,
                          apr_int64_t last_seq)
{
    cm_stamp_row_t *all = (cm_stamp_row_t *)rows->elts;
    int i, count = 0;

    for (i = 0; i < rows->nelts; i++) {
        stamp->seq = last_seq + 1 + count;
        if (cm_sift_record(stamp, &all[i]))
            all[count++] = all[i];
        else if (all[i].id)
            APR_ARRAY_PUSH(stamp->folded, apr_int64_t) = all[i].id;
    }
    rows->nelts = count;
}

/* Write what ROWS have become, numbered from LAST_SEQ + 1. */
static cm_error_t *write_all(cm_stamp_t *stamp, const apr_array_header_t *rows,
                             apr_int64_t last_seq, apr_pool_t *scratch_pool)
{
    int packed;

    if (!rows->nelts) {
        CM_TRY(cm_take_away(stamp, rows, scratch_pool));
        return cm_node_set_stamped(stamp->node, last_seq, scratch_pool);
    }
    CM_TRY(cm_pack_rows(&packed, stamp, rows, last_seq, scratch_pool));
    return packed ? NULL : write_rows(stamp, rows, last_seq, scratch_pool);
}

/* Compute what ROWS become, numbered from LAST_SEQ + 1, and write what follows
 * for their records. */
static cm_error_t *number_rows(cm_stamp_t *stamp, apr_array_header_t *rows,
                               apr_int64_t last_seq, apr_pool_t *scratch_pool)
{
    CM_TRY(find_records(stamp, rows));
    CM_TRY(cm_sift_find(stamp, rows));
    stamp_records(stamp, rows, last_seq);
    CM_TRY(cm_mapping_save(stamp->node, stamp->mappings, scratch_pool));
    apr_pool_clear(scratch_pool);
    CM_TRY(cm_handed_note(stamp, scratch_pool));
    apr_pool_clear(scratch_pool);
    return NULL;
}

static cm_error_t *stamp_rows(int *stamped, cm_stamp_t *stamp)
{
    apr_array_header_t *rows;
    apr_int64_t last_seq;
    apr_pool_t *subpool;
    const char *passed;

    CM_TRY(cm_node_lock(&last_seq, stamp->node, stamp->pool));
    passed = stamp->node->outbox.passed;
    CM_TRY(cm_take_rows(&rows, stamp));
    *stamped = rows->nelts;
    if (!rows->nelts)
        return forget_ended(stamp, passed, last_seq);
    apr_pool_create(&subpool, stamp->pool);
    CM_TRY(number_rows(stamp, rows, last_seq, subpool));
    CM_TRY(write_all(stamp, rows, last_seq, subpool));
    apr_pool_destroy(subpool);
    return NULL;
}

/* Values become longer when they are made canonical. */
apr_int64_t cm_stamp_most_bytes(const cm_stamping_t *stamping)
{
    const apr_int64_t most = stamping->bytes - stamping->bytes / 8;

    return stamping->bytes && most < CM_STAMP_BATCH_BYTES
               ? most
               : CM_STAMP_BATCH_BYTES;
}

static cm_stamp_t make_stamp(cm_node_t *node, cm_stamping_t *stamping,
                             apr_pool_t *pool)
{
    return (cm_stamp_t){.node = node,
                        .stamping = stamping,
                        .models = apr_hash_make(pool),
                        .folded = apr_array_make(pool, 16, sizeof(apr_int64_t)),
                        .mappings =
                            apr_array_make(pool, 64, sizeof(cm_mapping_t *)),
                        .burials = apr_array_make(pool, 4, sizeof(cm_burial_t)),
                        .pool = pool};
}

cm_error_t *cm_stamp_some(int *stamped, cm_node_t *node,
                          cm_stamping_t *stamping, apr_pool_t *scratch_pool)
{
    cm_stamp_t stamp = make_stamp(node, stamping, scratch_pool);

    CM_TRY_FOR(stamp_rows(stamped, &stamp), scratch_pool,
               "cannot stamp the outbox");
    return NULL;
}

cm_error_t *cm_stamp_states(int *packed, cm_node_t *node,
                            cm_stamping_t *stamping, apr_array_header_t *rows,
                            apr_pool_t *pool)
{
    cm_stamp_t stamp = make_stamp(node, stamping, pool);
    apr_int64_t last_seq;
    apr_pool_t *subpool;

    CM_TRY(cm_node_lock(&last_seq, node, pool));
    apr_pool_create(&subpool, pool);
    CM_TRY(number_rows(&stamp, rows, last_seq, subpool));
    *packed = 1;
    if (rows->nelts)
        CM_TRY(cm_pack_rows(packed, &stamp, rows, last_seq, subpool));
    apr_pool_destroy(subpool);
    return NULL;
}

cm_error_t *cm_stamp_is_waiting(int *waiting, cm_node_t *node,
                                apr_pool_t *scratch_pool)
{
    int stale;

    CM_TRY(cm_unstamped_look(waiting, &stale, node, 0, scratch_pool));
    if (*waiting)
        return NULL;
    return cm_publication_is_waiting(waiting, node, scratch_pool);
}

/* The peer's row is locked before the node's: as where messages come in. */
static cm_error_t *confirm_and_stamp(int *stamped, cm_node_t *node,
                                     cm_stamping_t *stamping, apr_pool_t *pool)
{
    if (stamping->holds)
        CM_TRY_FOR(cm_outbox_move_cursor(node, stamping->peer, stamping->holds,
                                         stamping->holds, pool),
                   pool, "cannot confirm message %" APR_INT64_T_FMT,
                   stamping->holds);
    return cm_stamp_some(stamped, node, stamping, pool);
}

static cm_error_t *stamp_in_transaction(int *stamped, cm_node_t *node,
                                        cm_stamping_t *stamping,
                                        apr_pool_t *pool)
{
    cm_error_t *err;

    CM_TRY(cm_transaction_begin(node->store, pool));
    err = cm_transaction_end(
        node->store, confirm_and_stamp(stamped, node, stamping, pool), pool);
    if (err)
        stamping->stamped = NULL;
    else
        stamping->holds = 0;
    return err;
}

static cm_error_t *stamp_chunk(int *stamped, cm_node_t *node,
                               cm_stamping_t *stamping,
                               apr_pool_t *scratch_pool)
{
    const apr_time_t now = cm_clock_now();
    /* Where transactions leave gaps, what is known of these is read anew. */
    int waiting =
        stamping->left && !cm_dialect_of_store(node->store)->leaves_gaps;
    int stale = 0;

    *stamped = stamping->left = 0;
    stamping->stamped = NULL;
    stamping->all = cm_unstamped_is_due(node);
    if (!waiting)
        CM_TRY(cm_unstamped_look(&waiting, &stale, node, stamping->all,
                                 scratch_pool));
    CM_TRY_FOR(cm_unstamped_forget(node, scratch_pool), scratch_pool,
               "cannot examine the missing ids of the outbox");
    if (waiting || stale)
        CM_TRY(stamp_in_transaction(stamped, node, stamping, scratch_pool));
    if (stamping->all)
        node->outbox.searched_at = now;
    return NULL;
}

cm_error_t *cm_stamp_chunk(int *stamped, cm_node_t *node,
                           cm_stamping_t *stamping, apr_pool_t *scratch_pool)
{
    const int turn = stamping->took_all; /* of what is published */

    *stamped = stamping->took_all = 0;
    if (turn)
        CM_TRY(cm_publication_chunk(stamped, node, stamping, scratch_pool));
    if (!*stamped)
        CM_TRY(stamp_chunk(stamped, node, stamping, scratch_pool));
    if (*stamped || turn)
        return NULL;
    return cm_publication_chunk(stamped, node, stamping, scratch_pool);
}

cm_error_t *cm_stamp_all(apr_int64_t *stamped, cm_node_t *node,
                         apr_pool_t *scratch_pool)
{
    cm_stamping_t stamping = {.limit = CHUNK};
    apr_pool_t *iterpool;
    int some;

    *stamped = 0;
    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        CM_TRY(stamp_chunk(&some, node, &stamping, iterpool));
        *stamped += some;
    } while (some);
    apr_pool_destroy(iterpool);
    return NULL;
}
