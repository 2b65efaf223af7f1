/* What the files of the module share, file by file.
 *
 * A request at the endpoint passes through
 *   endpoint.c   is this URL ours? lib/exchange/ finds the answer; body,
 *                connection and log are httpd's
 *   database.c   the work is done on a connection of mod_dbd
 * allocator.c keeps the memory, and refusal.c rewrites what httpd itself
 * answers there. */
#ifndef MOD_COMMUNICATOR_H
#define MOD_COMMUNICATOR_H

#include <httpd.h>
#include <http_config.h>
#include <util_filter.h>

#include "config/settings.h"
#include "operate/journal.h"
#include "exchange/host.h"

extern module AP_MODULE_DECLARE_DATA communicator_module;

typedef struct mod_status_cache_t mod_status_cache_t; /* status.c */

/* What the watchdog saw last, in memory that all processes share; a reader
 * may see a mixture of two samples. */
typedef struct mod_sample_t {
    apr_int64_t taken_at; /* microseconds; 0: nothing yet */
    cm_severity_e severity;
    cm_health_sums_t sums;

    /* For the watchdog alone: what it has logged. */
    apr_int64_t checked_at, logged_at; /* microseconds; 0: never */
    apr_uint32_t logged;               /* hash of the words; 0: all is well */
    apr_uint64_t silent;               /* a bit per peer */
    int unwritten;                     /* the journal cannot be written */
} mod_sample_t;

/* Settings of a server or virtual host. */
typedef struct mod_server_t {
    cm_settings_t *settings;
    int endpoints;             /* number of <Location>s with Communicator On */
    mod_status_cache_t *cache; /* of this process; NULL: no name is set */
    mod_sample_t *sample;      /* of all processes; NULL: it is not watched */
} mod_server_t;

/* Settings of a section of the configuration; never from .htaccess. */
typedef struct mod_location_t {
    int on;           /* Communicator On, Off; -1: not set */
    const char *path; /* of the <Location> that sets it */
    int status;       /* CommunicatorStatus On, Off; -1: not set */
} mod_location_t;

/* --- server.c, check.c: the configuration --- */

extern const command_rec mod_server_directives[];

/* Create and merge what a server's and a section's directives set. */
void *mod_server_create(apr_pool_t *pool, server_rec *server);
void *mod_server_merge(apr_pool_t *pool, void *base, void *over);
void *mod_server_location_create(apr_pool_t *pool, char *path);
void *mod_server_location_merge(apr_pool_t *pool, void *base, void *over);

/* Return the module's settings of SERVER, or NULL when an earlier server in
 * httpd's list has the very same ones, or none has a name. */
mod_server_t *mod_server_own(server_rec *first, server_rec *server);

/* Hooks: check the configuration, and print it on request. */
int mod_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                     server_rec *server);
void mod_check_dump(apr_pool_t *pconf, server_rec *server);

/* --- endpoint.c: requests at the endpoint --- */

/* Hooks: keep the request from being mapped to anything else; handle it. */
int mod_endpoint_translate(request_rec *r);
int mod_endpoint_map(request_rec *r);
int mod_endpoint_type(request_rec *r);
int mod_endpoint_handler(request_rec *r);

/* Return the location's settings when R asks for exactly that path (whether
 * it is switched on there or off), else NULL. */
const mod_location_t *mod_endpoint_of(request_rec *r);

/* Return whether R comes from a gem. */
int mod_endpoint_is_gem(const request_rec *r);

/* --- database.c: a connection of mod_dbd --- */

/* Run WORK with a node of SERVER on a connection of mod_dbd's, which is given
 * back afterwards; again on another connection when the first is dead or the
 * database busy, unless the request BEGAN too long ago. Results and the error
 * live in POOL. */
cm_error_t *mod_database_use(server_rec *server, const cm_settings_t *settings,
                             apr_time_t began, cm_host_work_t work, void *baton,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* --- wait.c: requests that wait for the next message --- */

/* Reserve a place for a request that waits, with SETTINGS; returns 0 when
 * enough of them wait in this process. mod_wait_end() gives it back. */
int mod_wait_begin(const cm_settings_t *settings);
void mod_wait_end(void);

/* Wait for TIME, without a connection to the database. Returns 0 when R has to
 * be answered now: httpd is stopping or restarting, or its client has hung
 * up. */
int mod_wait_on(const request_rec *r, apr_interval_time_t time);

/* --- refusal.c: httpd's own answers at an endpoint --- */

/* Hooks and filter: make them answers that a gem understands. */
void mod_refusal_insert(request_rec *r);
void mod_refusal_insert_error(request_rec *r);
apr_status_t mod_refusal_filter(ap_filter_t *filter, apr_bucket_brigade *in);

/* --- allocator.c: the memory of exchanges --- */

/* Hook: create the allocator of this process. */
void mod_allocator_child_init(apr_pool_t *pool, server_rec *server);

/* Return a pool for the exchange in R: it goes with the request's. */
apr_pool_t *mod_allocator_pool(const request_rec *r);

/* Expect that R works on SIZE bytes: when they are many, the memory
 * goes back to the system when the request ends. */
void mod_allocator_expect(const request_rec *r, apr_size_t size);

/* --- status.c, status_page.c, status_chart.c: the status page --- */

int mod_status_handler(request_rec *r);
void mod_status_child_init(apr_pool_t *pool, server_rec *server);

/* Append HEALTH as a page, with the charts of DAYS (cm_journal_day_t; NULL:
 * none); the browser asks again after REFRESH seconds, 0: never. */
void mod_status_page(cm_buffer_t *out, const cm_health_t *health,
                     const apr_array_header_t *days, int refresh);

/* Return TEXT fit for HTML; NULL: a dash. */
const char *mod_status_page_safe(const char *text, apr_pool_t *pool);

/* Return VALUE as HTML, with narrow blanks between thousands. */
const char *mod_status_page_number(apr_int64_t value, apr_pool_t *pool);

/* Append a section with charts of DAYS: SVG that needs no script, and tables.
 * Nothing while fewer than two slots of any peer are known. */
void mod_status_chart(cm_buffer_t *out, const apr_array_header_t *days);

/* Their style sheet, which uses the colours of the page. */
extern const char mod_status_chart_style[];

/* --- status_hook.c: the section in mod_status' page --- */

int mod_status_hook(request_rec *r, int flags);

/* --- watchdog.c: the task that checks at intervals --- */

int mod_watchdog_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *server);
void mod_watchdog_child_init(apr_pool_t *pool, server_rec *server);

#endif
