/* The state of a node as monitors want it. */
#ifndef MONITOR_H
#define MONITOR_H

#include "operate/health.h"
#include "command.h"

/* Read how this node is, towards the peer of --peer or all, with what only this
 * host knows: what the runs came to. Fails as cm_health_read(). */
cm_error_t *sync_monitor_read(cm_health_t **health, sync_client_t *client,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* Add to HEALTH what only this host knows, before what is there. */
void sync_monitor_judge(cm_health_t *health, const sync_client_t *client,
                        apr_pool_t *pool);

/* Return why the last run with NAME failed, when that may pass by itself and
 * has not lasted long enough to be a problem yet; else NULL. */
const char *sync_monitor_young_failure(const sync_client_t *client,
                                       const char *name, apr_pool_t *pool);

/* Return why it is not known what the runs with the peer NAME came to, or NULL
 * when it is; *HINT gets what to do. */
const char *sync_monitor_blind(const char **hint, const sync_client_t *client,
                               const char *name, apr_pool_t *pool);

/* Print HEALTH as a plugin of Nagios does, and return its status: 0 ok, 1
 * warning, 2 critical, 3 unknown. What is older than --warning and --critical
 * allow is a problem, too. */
int sync_monitor_print_nagios(const sync_client_t *client, cm_health_t *health,
                              apr_pool_t *pool);

/* Print that the state cannot be known, because of ERR; returns the status:
 * 2 when the database is away, else 3. */
int sync_monitor_print_unknown(const cm_error_t *err, apr_pool_t *pool);

/* Print HEALTH in Prometheus' text format, what the peers last said of
 * themselves, and what the runs came to. */
void sync_monitor_print_prometheus(const sync_client_t *client,
                                   const cm_health_t *health, apr_pool_t *pool);

#endif
