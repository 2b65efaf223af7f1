/* Messages of the gem's time that wait: see inherit.h. */
#include "outbox/inherit.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "base/moment.h"
#include "base/number.h"
#include "store/bulk.h"
#include "node/peer.h"
#include "outbox/internal.h"

#define CHUNK 500

typedef struct inheritance_t {
    cm_node_t *node;
    int is_local;             /* the gem's times are local time */
    apr_int64_t after, until; /* the messages that are looked at */
    apr_hash_t *given;        /* identity key, model -> apr_int64_t *: clock */
    apr_int64_t count;
    int more;
    apr_pool_t *pool;
} inheritance_t;

/* Return CLOCK in UTC where it was made of local time as if that were UTC. */
static apr_int64_t from_local(apr_int64_t clock)
{
    apr_time_exp_t time;

    if (apr_time_exp_lt(&time, clock) ||
        apr_time_exp_lt(&time, clock - apr_time_from_sec(time.tm_gmtoff)))
        return clock;
    return clock - apr_time_from_sec(time.tm_gmtoff);
}

/* Return the clock of a time of the gem's tables, read as UTC; 0: none. */
static apr_int64_t clock_of(const inheritance_t *at, apr_int64_t clock)
{
    return clock && at->is_local ? from_local(clock) : clock;
}

/* Return the clock in TEXT, as a database writes it; 0: none. */
static apr_int64_t read_time(const inheritance_t *at, const char *text)
{
    cm_moment_t moment;

    return text && cm_moment_read(&moment, text, strlen(text))
               ? clock_of(at, cm_moment_clock(&moment))
               : 0;
}

/* Return whether the gem's application kept local time: times=local. */
static int is_local(const cm_settings_t *settings)
{
    int i;

    for (i = 0; i < settings->peers->nelts; i++)
        if (APR_ARRAY_IDX(settings->peers, i, cm_peer_settings_t *)
                ->local_times)
            return 1;
    return 0;
}

/* Find which messages wait: all that have a number of the gem's time and that
 * some peer has not confirmed. */
static cm_error_t *find_waiting(inheritance_t *at, apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(
        &rows, at->node->store,
        "SELECT n.migrated_seq, min(p.confirmed) FROM communicator_node n,"
        " communicator_peers p WHERE n.id = 1 GROUP BY n.migrated_seq",
        NULL, 0, pool));
    at->until = rows->count ? cm_cell_number(rows, 0, 0) : 0;
    at->after = rows->count ? cm_cell_number(rows, 0, 1) : 0;
    at->more = at->after < at->until;
    return NULL;
}

/* Note when the nodes met last, by the messages of the gem's time: until then
 * each had what the other one had changed. Their clocks may differ a little. */
static cm_error_t *find_meeting(const inheritance_t *at, apr_pool_t *pool)
{
    apr_int64_t met, sent;
    cm_rows_t *rows;

    if (at->node->met_at)
        return NULL;
    CM_TRY(cm_statement_select(
        &rows, at->node->store,
        apr_psprintf(pool,
                     "SELECT (SELECT max(received_at) FROM inbound_messages"
                     " WHERE action IS NULL),"
                     " (SELECT max(delivered_at) FROM outbound_messages"
                     " WHERE seq <= %" APR_INT64_T_FMT ")",
                     at->until),
        NULL, 0, pool));
    met = clock_of(at, cm_cell_number(rows, 0, 0));
    sent = read_time(at, cm_cell_text(rows, 0, 1));
    if (sent > met)
        met = sent;
    return met ? cm_node_set_met(at->node, met + CM_SKEW_LIMIT, pool) : NULL;
}

/* Return the clock of a message made at MADE_AT. The gem writes whole seconds:
 * it was made after the one before, which the peer may have received in the
 * same second. One that wrote local time must not be newer than what comes
 * next. */
static apr_int64_t raw_clock(const inheritance_t *at, const char *made_at)
{
    const apr_int64_t now = cm_clock_now();
    apr_int64_t clock = read_time(at, made_at);

    if (clock <= 0)
        return 1;
    if (clock % APR_USEC_PER_SEC == 0)
        clock += APR_USEC_PER_SEC - 1;
    return clock < now ? clock : now;
}

/* Make *ROW of row I of ROWS; without a group it stays as it is. */
static cm_error_t *read_row(cm_stamp_row_t *row, const inheritance_t *at,
                            cm_stamp_t *stamp, const cm_rows_t *rows, int i)
{
    memset(row, 0, sizeof(*row));
    row->id = cm_cell_number(rows, i, 0);
    row->identity.origin = cm_cell_text(rows, i, 2);
    row->identity.original_id = cm_cell_text(rows, i, 3);
    row->raw = raw_clock(at, cm_cell_text(rows, i, 4));
    cm_take_written(row, cm_cell(rows, i, 5), stamp->pool);
    if (!row->model || !row->identity.origin || !row->identity.original_id)
        return NULL;
    CM_TRY(cm_stamp_find_group(&row->group, stamp, row->model));
    if (row->group)
        APR_ARRAY_PUSH(row->group->foreign, cm_identity_t) = row->identity;
    return NULL;
}

/* Read the next messages (*FOUND: cm_stamp_row_t), and the mappings of their
 * records. */
static cm_error_t *read_chunk(apr_array_header_t **found, inheritance_t *at,
                              cm_stamp_t *stamp)
{
    apr_hash_index_t *index;
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(
        &rows, at->node->store,
        apr_psprintf(stamp->pool,
                     "SELECT id, seq, origin, original_id, created_at, body"
                     " FROM outbound_messages WHERE clock IS NULL"
                     " AND seq > %" APR_INT64_T_FMT
                     " AND seq <= %" APR_INT64_T_FMT " ORDER BY seq LIMIT %d",
                     at->after, at->until, CHUNK),
        NULL, 0, stamp->pool));
    *found = apr_array_make(stamp->pool, CHUNK, sizeof(cm_stamp_row_t));
    for (i = 0; i < rows->count; i++) {
        at->after = cm_cell_number(rows, i, 1);
        CM_TRY(read_row(apr_array_push(*found), at, stamp, rows, i));
    }
    at->more = rows->count == CHUNK;
    for (index = apr_hash_first(stamp->pool, stamp->models); index;
         index = apr_hash_next(index)) {
        cm_stamp_model_t *group = apr_hash_this_val(index);

        CM_TRY(cm_mapping_by_identity(&group->named, at->node,
                                      group->model->type, group->foreign,
                                      stamp->pool));
    }
    return NULL;
}

/* Return when the record of MAPPING (NULL: none) was changed by a message of
 * the gem's time before, and note that it is by ROW, of which KEY is the name;
 * -1: it is newer already. */
static apr_int64_t clock_before(const inheritance_t *at,
                                const cm_mapping_t *mapping,
                                const cm_stamp_row_t *row, const char *key)
{
    const apr_int64_t *given =
        apr_hash_get(at->given, key, APR_HASH_KEY_STRING);
    const apr_int64_t clock = mapping ? mapping->clocks.clock : 0;

    if (mapping && mapping->deleted_at)
        return -1;
    return clock < row->raw || (given && *given == clock) ? clock : -1;
}

/* Give ROW its clock, and its record, unless that was changed since. Its base
 * says that the gem knew what its peer had changed until they met last: no
 * message of the gem says which columns it changed. */
static void stamp_row(inheritance_t *at, cm_stamp_t *stamp, cm_stamp_row_t *row)
{
    const char *name = cm_identity_key(row->identity, stamp->pool);
    const char *key = apr_pstrcat(at->pool, row->model, "\n", name, NULL);
    const cm_mapping_t *mapping =
        apr_hash_get(row->group->named, name, APR_HASH_KEY_STRING);
    apr_int64_t base = clock_before(at, mapping, row, key);

    if (base < 0)
        row->clock = row->raw;
    else
        cm_stamp_record(stamp, row);
    if (base < at->node->met_at)
        base = at->node->met_at;
    if (base >= row->clock)
        base = row->clock - 1;
    row->base = apr_psprintf(stamp->pool, "%" APR_INT64_T_FMT, base);
    apr_hash_set(at->given, key, APR_HASH_KEY_STRING,
                 apr_pmemdup(at->pool, &row->clock, sizeof(row->clock)));
}

/* Write the clocks of ROWS and of their records. */
static cm_error_t *write_chunk(const inheritance_t *at, cm_stamp_t *stamp,
                               const apr_array_header_t *rows)
{
    static const cm_bulk_column_t columns[] = {
        {"id", "bigint"},    {"model", NULL},  {"action", NULL},
        {"clock", "bigint"}, {"clocks", NULL}, {"base", NULL}};
    cm_bulk_t *bulk =
        cm_bulk_create("outbound_messages", columns, 6, 1, stamp->pool);
    apr_int64_t written;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (row->group)
            cm_bulk_row(bulk, "nttntt", row->id, row->model, "update",
                        row->clock, cm_stamp_clocks(row, stamp->pool),
                        row->base);
    }
    if (!cm_bulk_rows(bulk))
        return NULL;
    CM_TRY(cm_mapping_save(at->node, stamp->mappings, stamp->pool));
    CM_TRY(cm_bulk_update(&written, at->node->store, bulk, stamp->pool));
    return cm_stamp_check(cm_bulk_rows(bulk), written, stamp->pool);
}

static cm_error_t *inherit_chunk(inheritance_t *at, apr_pool_t *pool)
{
    cm_stamp_t stamp = {.node = at->node,
                        .models = apr_hash_make(pool),
                        .mappings =
                            apr_array_make(pool, 64, sizeof(cm_mapping_t *)),
                        .pool = pool};
    apr_array_header_t *rows;
    apr_int64_t last_seq;
    int i;

    CM_TRY(cm_node_lock(&last_seq, at->node, pool));
    CM_TRY(read_chunk(&rows, at, &stamp));
    for (i = 0; i < rows->nelts; i++) {
        cm_stamp_row_t *row = &APR_ARRAY_IDX(rows, i, cm_stamp_row_t);

        if (!row->group)
            continue;
        stamp_row(at, &stamp, row);
        at->count++;
    }
    return write_chunk(at, &stamp, rows);
}

static cm_error_t *inherit(inheritance_t *at)
{
    cm_store_t *store = at->node->store;
    apr_int64_t last_seq;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, at->pool);
    CM_TRY(cm_node_refresh(&last_seq, at->node, iterpool));
    CM_TRY(find_waiting(at, iterpool));
    CM_TRY(find_meeting(at, iterpool));
    while (at->more) {
        apr_pool_clear(iterpool);
        CM_TRY(cm_transaction_begin(store, iterpool));
        CM_TRY(
            cm_transaction_end(store, inherit_chunk(at, iterpool), iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

cm_error_t *cm_inherit_clocks(apr_int64_t *count, cm_node_t *node,
                              apr_pool_t *scratch_pool)
{
    inheritance_t at = {.node = node,
                        .is_local = is_local(node->settings),
                        .given = apr_hash_make(scratch_pool),
                        .pool = scratch_pool};

    CM_TRY_FOR(inherit(&at), scratch_pool,
               "cannot give the messages of the gem's time their clocks");
    *count = at.count;
    return NULL;
}
