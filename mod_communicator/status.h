/* What the module shows of itself: the status page (status.c, its HTML in
 * status_page.c), the section in mod_status' page (status_hook.c), and the
 * task that checks at intervals (watchdog.c). */
#ifndef MOD_COMMUNICATOR_STATUS_H
#define MOD_COMMUNICATOR_STATUS_H

#include "mod_communicator.h"

#include "operate/health.h"

/* What the watchdog saw last, in memory that all processes share; a reader
 * may see a mixture of two samples. */
typedef struct mod_sample_t {
    apr_int64_t taken_at; /* microseconds; 0: nothing yet */
    int severity;         /* cm_severity_e */
    apr_int64_t pending, oldest, parked, last_contact; /* cm_health_sums_t */

    /* For the watchdog alone: what it has logged. */
    apr_int64_t checked_at, logged_at;
    apr_uint32_t logged; /* hash of the words; 0: all is well */
    apr_uint64_t silent; /* a bit per peer */
} mod_sample_t;

/* The status page's handler, and the hooks. */
int mod_status_handler(request_rec *r);
void mod_status_child_init(apr_pool_t *pool, server_rec *server);
int mod_status_hook(request_rec *r, int flags);
int mod_watchdog_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *server);
void mod_watchdog_child_init(apr_pool_t *pool, server_rec *server);

/* Append HEALTH as a page; the browser asks again after REFRESH seconds, 0:
 * never. */
void mod_status_page(cm_buffer_t *out, const cm_health_t *health, int refresh);

#endif
