/* The state of a node for monitors: its health (operate/health.h), with what
 * only this host knows, how the runs of communicator-sync ended. */
#ifndef MONITOR_H
#define MONITOR_H

#include "operate/health.h"
#include "client.h"

/* Read the health of this node, towards the peer of --peer or all. Fails as
 * cm_health_read(). */
cm_error_t *sync_monitor_read(cm_health_t **health,
                              sync_client_t *client) CM_UNUSED_RESULT;

/* Add to HEALTH what only this host knows, before what is there. */
void sync_monitor_judge(cm_health_t *health, const sync_client_t *client);

/* Return why the last run with NAME failed, when that may pass by itself and
 * has not lasted long enough to be a problem yet; else NULL. */
const char *sync_monitor_young_failure(const sync_client_t *client,
                                       const char *name);

/* Print HEALTH as a plugin of Nagios does, and return its status: 0 ok, 1
 * warning, 2 critical, 3 unknown. What is older than --warning and --critical
 * allow is a problem, too. */
int sync_monitor_nagios(const sync_client_t *client, cm_health_t *health);

/* Print that the state cannot be known, because of ERR; returns the status:
 * 2 when the database cannot be reached, else 3. */
int sync_monitor_unknown(const cm_error_t *err, apr_pool_t *pool);

/* Print HEALTH in Prometheus' text format, and how the runs ended. */
void sync_monitor_prometheus(const sync_client_t *client,
                             const cm_health_t *health);

#endif
