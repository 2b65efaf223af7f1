/* Reporting a problem once, not at every run: what a peer's last runs came to
 * is remembered in CommunicatorStateDir/status.json, which monitors read too.
 *
 * With --cron a problem is reported when it starts (what may pass by itself:
 * when it has lasted three runs), once a day while it lasts, and when it ends.
 * One that comes and goes is reported as such, once a day, until it has stayed
 * away for six hours. A peer that cannot be reached is tried less and less
 * often, at least every 15 minutes. Without --cron each run reports what it
 * meets. */
#ifndef ALERT_H
#define ALERT_H

#include "command.h"
#include "exchange/session.h"

typedef struct sync_alert_t sync_alert_t;

/* Read what is remembered of PEER ("": of this node itself). A file that
 * cannot be read counts for none. */
sync_alert_t *sync_alert_open(const sync_client_t *client, const char *peer,
                              apr_pool_t *pool);

/* The same of something else than a peer. That of CM_ALERT_NOTIFY is kept from
 * the command that fails. */
#define CM_ALERT_FILES  "/files"
#define CM_ALERT_NOTIFY "/notify"
sync_alert_t *sync_alert_open_about(const sync_client_t *client,
                                    const char *what, apr_pool_t *pool);

/* Return whether to skip the run: the peer failed recently, and it is too early
 * to try again. *STATUS gets the exit status of that failure. */
int sync_alert_is_too_soon(int *status, const sync_alert_t *alert);

/* The run ended with ERR, or (NULL) well: report what has to be reported, run
 * CommunicatorNotifyCommand, remember. SESSION (may be NULL) says what moved,
 * PARKED how many messages here and there wait for a person now. */
void sync_alert_close(sync_alert_t *alert, const cm_error_t *err,
                      const cm_session_t *session, apr_int64_t parked);

/* Return whether to report the messages that this run parks one by one: not
 * while that is a known problem. */
int sync_alert_tells_parked(const sync_alert_t *alert);

#endif
