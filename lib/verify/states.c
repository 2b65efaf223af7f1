/* The states of records, one by one: see verify.h. */
#include <string.h>

#include <apr_strings.h>

#include "store/bulk.h"
#include "node/batches.h"
#include "node/peer.h"
#include "outbox/filter.h"
#include "outbox/stamp.h"
#include "outbox/publish.h"
#include "verify/verify.h"

/* A longer queue is not read: then any record may be under way. */
#define MOST_PENDING 10000

/* Add the identities that SQL finds to PENDING; *TOO_MANY when there are more
 * than MOST_PENDING. */
static cm_error_t *add_pending(apr_hash_t *pending, int *too_many,
                               const cm_verify_t *verify, const char *sql,
                               apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(verify->peer),
                                    cm_datum_text(verify->table->model->name)};
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(
        &rows, verify->node->store,
        apr_psprintf(pool, "%s LIMIT %d", sql, MOST_PENDING), arguments, 2,
        pool));
    *too_many |= rows->count == MOST_PENDING;
    for (i = 0; i < rows->count; i++) {
        cm_identity_t identity = {cm_cell_text(rows, i, 0),
                                  cm_cell_text(rows, i, 1)};

        apr_hash_set(pending, cm_identity_key(identity, pool),
                     APR_HASH_KEY_STRING, "");
    }
    return NULL;
}

/* Add the identities of the messages in batches above AFTER to PENDING. */
static cm_error_t *add_packed(apr_hash_t *pending, int *too_many,
                              const cm_verify_t *verify, apr_int64_t after,
                              apr_pool_t *pool)
{
    const char *name = verify->table->model->name;
    cm_batches_range_t range = {.last = after};
    apr_array_header_t *messages;
    int i, count = 0;

    while (count < MOST_PENDING) {
        CM_TRY(
            cm_batches_read(&messages, &range, verify->node, range.last, pool));
        if (!range.first)
            break;
        for (i = 0; i < messages->nelts; i++) {
            const cm_message_t *message =
                APR_ARRAY_IDX(messages, i, cm_message_t *);

            if (message->id > after && message->model &&
                !strcmp(message->model, name))
                apr_hash_set(pending, cm_identity_key(message->identity, pool),
                             APR_HASH_KEY_STRING, "");
        }
        count += messages->nelts;
    }
    *too_many |= count >= MOST_PENDING;
    return NULL;
}

/* Find the records with messages on their way to the peer: *PENDING, NULL when
 * they are too many. *PARKED: those with messages of the peer that are parked
 * here, or with messages of ours that are withheld from it. */
static cm_error_t *find_pending(apr_hash_t **pending, apr_hash_t **parked,
                                const cm_verify_t *verify, apr_pool_t *pool)
{
    cm_node_t *node = verify->node;
    apr_int64_t stamped;
    cm_peer_t *peer;
    int too_many = 0, more = 0;

    *pending = apr_hash_make(pool);
    *parked = apr_hash_make(pool);
    CM_TRY(cm_stamp_all(&stamped, node, pool));
    CM_TRY(cm_peer_load(&peer, node, verify->peer, 0, pool));
    CM_TRY_FOR(add_pending(*pending, &too_many, verify,
                           apr_psprintf(pool,
                                        "SELECT origin, original_id"
                                        " FROM outbound_messages"
                                        " WHERE seq > %" APR_INT64_T_FMT
                                        " AND coalesce(source, '') <> %%s"
                                        " AND model = %%s",
                                        peer->confirmed),
                           pool),
               pool, "cannot read the outbox");
    CM_TRY_FOR(add_packed(*pending, &too_many, verify, peer->confirmed, pool),
               pool, "cannot read the outbox");
    CM_TRY_FOR(add_pending(*parked, &more, verify,
                           "SELECT origin, original_id FROM inbound_messages"
                           " WHERE processed_at IS NULL AND peer = %s"
                           " AND model = %s",
                           pool),
               pool, "cannot read the inbox");
    CM_TRY_FOR(add_pending(*parked, &more, verify,
                           "SELECT origin, original_id"
                           " FROM communicator_withheld"
                           " WHERE ended_at = 0 AND peer = %s AND model = %s",
                           pool),
               pool, "cannot read what is withheld");
    if (too_many || more)
        *pending = NULL;
    return NULL;
}

static int is_pending(apr_hash_t *pending, cm_identity_t identity,
                      apr_pool_t *pool)
{
    return !pending || apr_hash_get(pending, cm_identity_key(identity, pool),
                                    APR_HASH_KEY_STRING);
}

static void begin_state(cm_verify_state_t *state, const cm_verify_t *verify,
                        cm_identity_t asked, apr_hash_t *found,
                        apr_hash_t *pending, apr_hash_t *parked,
                        apr_pool_t *pool)
{
    const cm_mapping_t *mapping =
        apr_hash_get(found, cm_identity_key(asked, pool), APR_HASH_KEY_STRING);
    apr_int64_t *clocks;
    int i;

    memset(state, 0, sizeof(*state));
    state->asked = asked;
    state->parked = is_pending(parked, state->asked, pool);
    state->pending = state->parked || is_pending(pending, state->asked, pool);
    if (!mapping)
        return;
    state->identity = mapping->identity;
    state->parked |= is_pending(parked, mapping->identity, pool);
    state->pending |=
        state->parked || is_pending(pending, mapping->identity, pool);
    state->clock = mapping->clocks.clock;
    state->deleted_at = mapping->deleted_at;
    clocks = apr_palloc(pool, (verify->columns->nelts + 1) * sizeof(*clocks));
    for (i = 0; i < verify->columns->nelts; i++)
        clocks[i] = cm_clocks_of(
            &mapping->clocks,
            APR_ARRAY_IDX(verify->columns, i, cm_verify_column_t).name);
    state->clocks = clocks;
}

/* Set OUTSIDE for those of COUNT records with LOCAL_IDS that the row filter
 * keeps here. */
static cm_error_t *find_outside(int *outside, const cm_verify_t *verify,
                                const char *const *local_ids, int count,
                                apr_pool_t *pool)
{
    const cm_model_t *model = verify->table->model;
    apr_array_header_t *ids = apr_array_make(pool, count, sizeof(char *));
    const cm_filter_row_t *row;
    apr_hash_t *found;
    int i, applies;

    CM_TRY(cm_filter_applies(&applies, verify->node, model, pool));
    if (!applies)
        return NULL;
    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(ids, const char *) = local_ids[i];
    CM_TRY(cm_filter_find(&found, verify->node, model, ids, 0, NULL, pool));
    for (i = 0; i < count; i++) {
        row = apr_hash_get(found, local_ids[i], APR_HASH_KEY_STRING);
        outside[i] = row && !row->inside;
    }
    return NULL;
}

/* Read the values of COUNT records of STATES from FIRST on; FOUND: their
 * mappings. */
static cm_error_t *add_values(apr_array_header_t *states, apr_size_t *bytes,
                              const cm_verify_t *verify, apr_hash_t *found,
                              int first, int count, apr_pool_t *pool)
{
    const char **ids = apr_palloc(pool, count * sizeof(*ids));
    int *places = apr_palloc(pool, count * sizeof(*places));
    int *outside = apr_pcalloc(pool, count * sizeof(*outside));
    const cm_value_t **values;
    int i, asked = 0;

    for (i = first; i < first + count; i++) {
        const cm_verify_state_t *state =
            &APR_ARRAY_IDX(states, i, cm_verify_state_t);
        const cm_mapping_t *mapping = apr_hash_get(
            found, cm_identity_key(state->asked, pool), APR_HASH_KEY_STRING);

        if (!mapping || !mapping->local_id || mapping->deleted_at)
            continue;
        places[asked] = i;
        ids[asked++] = mapping->local_id;
    }
    CM_TRY(cm_verify_values(&values, bytes, verify, ids, asked, pool));
    CM_TRY(find_outside(outside, verify, ids, asked, pool));
    for (i = 0; i < asked; i++) {
        cm_verify_state_t *state =
            &APR_ARRAY_IDX(states, places[i], cm_verify_state_t);

        state->outside = outside[i];
        state->values = outside[i] ? NULL : values[i];
    }
    return NULL;
}

cm_error_t *cm_verify_states(apr_array_header_t **states,
                             const cm_verify_t *verify,
                             const apr_array_header_t *names, apr_size_t most,
                             apr_pool_t *result_pool)
{
    apr_hash_t *found, *pending, *parked;
    apr_size_t bytes = 0, total = 0;
    int i, first, count = 0;

    *states = apr_array_make(result_pool, names->nelts + 1,
                             sizeof(cm_verify_state_t));
    CM_TRY(find_pending(&pending, &parked, verify, result_pool));
    CM_TRY(cm_mapping_by_identity(
        &found, verify->node, verify->table->model->type, names, result_pool));
    for (first = 0; first < names->nelts && total < most; first += count) {
        count = cm_verify_values_pace(count, bytes);
        if (count > names->nelts - first)
            count = names->nelts - first;
        for (i = first; i < first + count; i++)
            begin_state(apr_array_push(*states), verify,
                        APR_ARRAY_IDX(names, i, cm_identity_t), found, pending,
                        parked, result_pool);
        CM_TRY(add_values(*states, &bytes, verify, found, first, count,
                          result_pool));
        /* clocks take memory, too, where there are many columns */
        total += bytes + (apr_size_t)count * verify->columns->nelts *
                             sizeof(apr_int64_t);
    }
    return NULL;
}
