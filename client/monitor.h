/* The state of a node as monitors want it. */
#ifndef MONITOR_H
#define MONITOR_H

#include "cm_health.h"
#include "command.h"

/* Read how this node is, towards the peer of --peer or all, with what only this
 * host knows: what the runs came to. Fails as cm_health_read(). */
cm_error_t *cm_monitor_read(cm_health_t **health, cm_client_t *client,
                            apr_pool_t *pool) CM_UNUSED_RESULT;

/* Add to HEALTH what only this host knows, before what is there. */
void cm_monitor_judge(cm_health_t *health, const cm_client_t *client,
                      apr_pool_t *pool);

/* Return why the last run with NAME failed, when that may pass by itself and
 * has not lasted long enough to be a problem yet; else NULL. */
const char *cm_monitor_young_failure(const cm_client_t *client,
                                     const char *name, apr_pool_t *pool);

/* Return why it is not known what the runs with the peer NAME came to, or NULL
 * when it is; *REMEDY gets what to do. */
const char *cm_monitor_blind(const char **remedy, const cm_client_t *client,
                             const char *name, apr_pool_t *pool);

/* Print HEALTH as a plugin of Nagios does, and return its status: 0 ok, 1
 * warning, 2 critical, 3 unknown. What is older than --warning and --critical
 * allow is a problem, too. */
int cm_monitor_nagios(const cm_client_t *client, cm_health_t *health,
                      apr_pool_t *pool);

/* Print that the state cannot be known, because of ERR; returns the status:
 * 2 when the database is away, else 3. */
int cm_monitor_unknown(const cm_error_t *err, apr_pool_t *pool);

/* Print HEALTH in Prometheus' text format, what the peers last said of
 * themselves, and what the runs came to. */
void cm_monitor_prometheus(const cm_client_t *client, const cm_health_t *health,
                           apr_pool_t *pool);

#endif
