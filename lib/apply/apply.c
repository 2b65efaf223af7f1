/* Applying, from the first look to the last row: see apply.h. */
#include "apply/apply.h"

#include <apr_strings.h>

#include "node/altered.h"
#include "node/graves.h"
#include "outbox/aliases.h"
#include "outbox/overtaken.h"
#include "apply/lost.h"

cm_apply_t *cm_apply_create(cm_node_t *node, const char *peer, apr_pool_t *pool)
{
    cm_apply_t *run = apr_pcalloc(pool, sizeof(*run));

    run->node = node;
    run->peer = peer;
    run->pool = pool;
    run->known = apr_hash_make(pool);
    run->items = apr_array_make(pool, 64, sizeof(cm_item_t *));
    run->records = apr_array_make(pool, 64, sizeof(cm_record_t *));
    run->conflicts = apr_array_make(pool, 4, sizeof(cm_lost_t));
    run->again = apr_array_make(pool, 4, sizeof(cm_again_t));
    run->altered = apr_array_make(pool, 0, sizeof(cm_altered_t));
    run->burials = apr_array_make(run->pool, 4, sizeof(cm_burial_t));
    run->matched = apr_array_make(run->pool, 4, sizeof(cm_record_t *));
    run->graves = apr_array_make(run->pool, 4, sizeof(cm_grave_t));
    return run;
}

cm_item_t *cm_apply_add(cm_apply_t *run, cm_message_t *message,
                        apr_int64_t arrived, int attempts)
{
    cm_item_t *item = apr_pcalloc(run->pool, sizeof(*item));

    item->message = message;
    item->arrived = arrived;
    item->attempts = attempts;
    item->kept = attempts > 0;
    APR_ARRAY_PUSH(run->items, cm_item_t *) = item;
    return item;
}

static cm_error_t *bar(cm_apply_t *run)
{
    int i;

    for (i = 0; i < run->items->nelts; i++)
        CM_NTH(run->items, i, cm_item_t)->error = run->barred;
    return NULL;
}

cm_error_t *cm_apply_run(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    int i;

    if (run->barred)
        return bar(run);
    for (i = 0; i < run->items->nelts; i++)
        cm_check_item(run, CM_NTH(run->items, i, cm_item_t));
    CM_TRY(cm_lock_run(run, scratch_pool));
    CM_TRY(cm_rounds_settle(run, scratch_pool));
    CM_TRY(cm_cycle_run(run, scratch_pool));
    CM_TRY(cm_rounds_delete(run, scratch_pool));
    CM_TRY(cm_apply_retry(run, scratch_pool));
    return cm_node_applying(run->node, NULL, scratch_pool);
}

cm_error_t *cm_apply_finish(cm_apply_t *run, apr_pool_t *scratch_pool)
{
    apr_array_header_t *news;

    CM_TRY(cm_overtaken_delete(run->node, run->graves, scratch_pool));
    CM_TRY(cm_altered_keep(&news, run->node, run->altered, run->pool));
    run->altered = news;
    CM_TRY(cm_lost_write(run, scratch_pool));
    CM_TRY(cm_forward_run(run, scratch_pool));
    CM_TRY(cm_names_bury(run, scratch_pool));
    CM_TRY(cm_graves_add(run->node, run->graves, scratch_pool));
    return cm_forward_publish_again(run, scratch_pool);
}
