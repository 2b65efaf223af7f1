/* What a peer of ours says about a request that it refused, or about the
 * messages of a batch that it could not apply: the JSON in its replies. */
#ifndef CM_EXCHANGE_REMOTE_ERROR_H
#define CM_EXCHANGE_REMOTE_ERROR_H

#include "inbox/inbox.h"
#include "exchange/reply.h"

/* Return the error that the refusal REPLY ({"error","code","hint"}) stands
 * for. */
cm_error_t *cm_remote_error(const cm_reply_t *reply, apr_pool_t *pool);

/* Return what REPLY, the answer to a batch, says was parked there:
 * cm_parked_t, empty when it does not say. Counts not given are 0. */
apr_array_header_t *cm_remote_error_parked(const cm_reply_t *reply,
                                           int *applied, apr_pool_t *pool);

#endif
