/* Pausing a node: see pause.h. */
#include "operate/pause.h"

#include <apr_strings.h>

cm_error_t *cm_pause_set(cm_node_t *node, apr_int64_t at,
                         apr_pool_t *scratch_pool)
{
    CM_TRY_FOR(cm_node_set_paused(node, at, scratch_pool), scratch_pool,
               "cannot %s '%s'", at ? "pause" : "resume", node->settings->name);
    return NULL;
}

cm_error_t *cm_pause_check(const cm_node_t *node, apr_pool_t *pool)
{
    char since[APR_RFC822_DATE_LEN];

    if (!node->paused_at)
        return NULL;
    apr_rfc822_date(since, node->paused_at);
    return cm_error_hint(CM_FAIL(pool, CM_PAUSED, "'%s' is paused since %s",
                                 node->settings->name, since),
                         pool, "communicator-sync resume");
}
