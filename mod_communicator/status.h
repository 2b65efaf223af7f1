/* What the module shows of itself: the status page (status.c), its HTML
 * (status_page.c), the section in mod_status' page (status_hook.c), and the
 * task that looks by itself (watchdog.c). */
#ifndef STATUS_H
#define STATUS_H

#include "mod_communicator.h"

#include "operate/health.h"

/* What the watchdog saw last, in memory that all processes share; whoever
 * reads it may see the numbers of two moments. */
typedef struct mod_sample_t {
    apr_int64_t taken_at; /* microseconds; 0: nothing yet */
    int severity;         /* cm_severity_e */
    apr_int64_t pending, oldest, parked, last_contact; /* cm_health_sums_t */

    /* For the watchdog alone: what is in the log already. */
    apr_int64_t checked_at, logged_at;
    apr_uint32_t logged; /* hash of the words; 0: all is well */
    apr_uint64_t silent; /* a bit per peer */
} mod_sample_t;

/* The handler and hooks. */
int mod_status_handler(request_rec *r);
void mod_status_child_init(apr_pool_t *pool, server_rec *server);
int mod_status_hook(request_rec *r, int flags);
int mod_watchdog_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *server);
void mod_watchdog_child_init(apr_pool_t *pool, server_rec *server);
void mod_dump_config(apr_pool_t *pconf, server_rec *server);

/* Append HEALTH as a page; REFRESH seconds until the browser asks again, 0:
 * never. */
void mod_status_page(cm_buffer_t *out, const cm_health_t *health, int refresh);

/* The page's style sheet. */
extern const char mod_status_style[];

/* Return the module's settings of SERVER, or NULL when an earlier server in
 * httpd's list has the very same ones, or nothing is served there. */
mod_server_t *mod_server_own(server_rec *first, server_rec *server);

#endif
