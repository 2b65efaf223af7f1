/* Batches become rows again: see unpack.h. */
#include "outbox/unpack.h"

#include <apr_strings.h>

#include "store/dialect.h"
#include "node/batches.h"
#include "outbox/append.h"

#define FMT "%" APR_INT64_T_FMT

/* Make a row of MESSAGE. Its references stand in it, and it needs nothing of
 * its record's row any more. */
static void add_row(cm_bulk_t *list, const cm_message_t *message,
                    apr_pool_t *pool)
{
    const cm_append_t row = {.seq = message->id,
                             .model = message->model,
                             .action = message->action,
                             .body = {message->body, message->body_size},
                             .clock = message->clocks.clock,
                             .clocks = cm_clocks_list(&message->clocks, pool),
                             .base = cm_message_write_base(message, pool),
                             .refs = cm_message_write_refs(message, pool),
                             .identity = message->identity};

    cm_append_add(list, &row);
}

/* Make rows of the first batch that reaches beyond AFTER; *RANGE says which. */
static cm_error_t *unpack_one(cm_batches_range_t *range, cm_node_t *node,
                              apr_int64_t after, apr_pool_t *pool)
{
    cm_bulk_t *list = cm_append_create(pool);
    apr_array_header_t *messages;
    int i;

    CM_TRY(cm_batches_read(&messages, range, node, after, pool));
    if (!range->first)
        return NULL;
    for (i = 0; i < messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(messages, i, cm_message_t *);

        CM_TRY(message->error);
        add_row(list, message, pool);
    }
    CM_TRY(cm_append_write(NULL, node, list, pool));
    CM_TRY(cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "UPDATE outbound_messages SET delivered_at = %s"
                     " WHERE seq >= " FMT " AND seq <= " FMT,
                     cm_dialect_of_store(node->store)->now, range->first,
                     range->last),
        NULL, 0, pool));
    return cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "DELETE FROM communicator_batches WHERE last_seq = " FMT,
                     range->last),
        NULL, 0, pool);
}

cm_error_t *cm_unpack_all(cm_node_t *node, apr_int64_t after,
                          apr_pool_t *scratch_pool)
{
    cm_batches_range_t range;
    apr_pool_t *iterpool;
    cm_error_t *err;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        err = unpack_one(&range, node, after, iterpool);
        if (err)
            return cm_error_copy(err, scratch_pool);
    } while (range.first);
    apr_pool_destroy(iterpool);
    return NULL;
}

static cm_error_t *unpack_locked(cm_batches_range_t *range, cm_node_t *node,
                                 apr_int64_t after, apr_pool_t *pool)
{
    apr_int64_t last_seq;

    CM_TRY(cm_node_lock(&last_seq, node, pool));
    return unpack_one(range, node, after, pool);
}

cm_error_t *cm_unpack_each(cm_node_t *node, apr_int64_t after,
                           apr_pool_t *scratch_pool)
{
    cm_batches_range_t range;
    apr_pool_t *iterpool;
    cm_error_t *err;

    CM_TRY(cm_batches_find(&range, node, after, scratch_pool));
    apr_pool_create(&iterpool, scratch_pool);
    while (range.first) {
        apr_pool_clear(iterpool);
        err = cm_transaction_begin(node->store, iterpool);
        if (!err)
            err = cm_transaction_end(
                node->store, unpack_locked(&range, node, after, iterpool),
                iterpool);
        if (err)
            return cm_error_copy(err, scratch_pool);
    }
    apr_pool_destroy(iterpool);
    return NULL;
}
