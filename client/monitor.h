/* The state of a node as monitors want it. */
#ifndef MONITOR_H
#define MONITOR_H

#include "cm_health.h"
#include "command.h"

/* Print STATE as a plugin of Nagios does, and return its status: 0 ok, 1
 * warning, 2 critical. */
int cm_monitor_nagios(const cm_client_t *client, const cm_state_t *state,
                      apr_pool_t *pool);

/* Print that the state cannot be known, because of ERR; returns the status:
 * 2 when the database is away, else 3. */
int cm_monitor_unknown(const cm_error_t *err, apr_pool_t *pool);

/* Print HEALTH in Prometheus' text format, what the peers last said of
 * themselves, and what the runs came to. */
void cm_monitor_prometheus(const cm_client_t *client, const cm_health_t *health,
                           apr_pool_t *pool);

#endif
