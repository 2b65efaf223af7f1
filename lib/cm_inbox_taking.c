/* One transaction of the inbox: see cm_inbox_taking.h. */
#include "cm_inbox_taking.h"

#include <apr_strings.h>

#include "cm_dialect.h"

cm_receipt_t *cm_taking_receipt(apr_pool_t *pool)
{
    cm_receipt_t *receipt = apr_pcalloc(pool, sizeof(*receipt));

    receipt->parked = apr_array_make(pool, 4, sizeof(cm_parked_t));
    return receipt;
}

cm_run_t *cm_taking_begin(const cm_taking_t *taking, apr_pool_t *pool)
{
    cm_run_t *run = cm_run_create(taking->node, taking->peer, pool);

    run->isolate_schema = taking->isolate_schema;
    return run;
}

static void note_parked(cm_taking_t *taking, const cm_item_t *item)
{
    cm_parked_t *parked = apr_array_push(taking->receipt->parked);
    const cm_message_t *message = item->message;
    apr_pool_t *pool = taking->result_pool;

    *parked = (cm_parked_t){
        .id = message->id,
        .model = apr_pstrdup(pool, message->model),
        .identity = {apr_pstrdup(pool, message->identity.origin),
                     apr_pstrdup(pool, message->identity.original_id)},
        .reason = apr_pstrdup(pool, cm_error_text(item->error, pool)),
        .transient = cm_code_is_transient(item->error->code)};
}

cm_error_t *cm_taking_finish(cm_taking_t *taking, cm_run_t *run, int attempts,
                             int note_kept, apr_pool_t *scratch_pool)
{
    int i;

    CM_TRY(cm_run_finish(run, scratch_pool));
    CM_TRY(cm_inbox_keep(run, attempts, scratch_pool));
    for (i = 0; i < run->items->nelts; i++) {
        const cm_item_t *item = CM_NTH(run->items, i, cm_item_t);

        taking->receipt->applied += item->done;
        taking->receipt->accepted += !item->kept;
        if (!item->done && (note_kept || !item->kept))
            note_parked(taking, item);
    }
    return NULL;
}

static cm_error_t *in_transaction(cm_taking_t *taking, cm_taking_work_t work,
                                  apr_pool_t *scratch_pool)
{
    cm_store_t *store = taking->node->store;
    cm_error_t *err;

    CM_TRY(cm_store_begin(store, scratch_pool));
    err = work(taking, scratch_pool);
    if (!err)
        return cm_store_commit(store, scratch_pool);
    cm_store_rollback(store);
    if (cm_store_dialect(store)->database == CM_MYSQL &&
        err->code != CM_UNAVAILABLE) {
        cm_error_t *ignored =
            cm_node_applying(taking->node, NULL, scratch_pool);

        (void)ignored;
    }
    return err;
}

cm_error_t *cm_taking_run(cm_taking_t *taking, cm_taking_work_t work,
                          apr_pool_t *scratch_pool)
{
    const cm_receipt_t receipt = *taking->receipt;
    const int parked = receipt.parked->nelts;
    const cm_page_t page = taking->page;
    apr_int64_t stamped;
    cm_error_t *err;

    CM_TRY(cm_outbox_stamp(&stamped, taking->node, scratch_pool));
    taking->isolate_schema = 0;
    err = in_transaction(taking, work, scratch_pool);
    if (!err || err->code != CM_SCHEMA)
        return err;
    cm_node_forget(taking->node);
    *taking->receipt = receipt;
    taking->receipt->parked->nelts = parked;
    taking->page = page;
    taking->isolate_schema = 1;
    return in_transaction(taking, work, scratch_pool);
}
