/* Reporting a problem once, not at every run: how the last runs with a peer
 * ended is remembered in CommunicatorStateDir/status.json (memory.h), which
 * monitors read too.
 *
 * With --cron a problem is reported when it starts (one that may pass by
 * itself: when it has lasted three runs), once a day while it lasts, and when
 * it ends. One that comes and goes is reported as such, once a day, until it
 * has stayed away for six hours. A peer that cannot be reached is tried less
 * and less often, at least every 15 minutes. Without --cron each run reports
 * its problems. */
#ifndef ALERT_H
#define ALERT_H

#include "exchange/session.h"
#include "client.h"

typedef struct sync_alert_t sync_alert_t;

/* Names of what can have problems besides peers and this node: its files, its
 * journal, CommunicatorAfterApply, and CommunicatorNotifyCommand, which is not
 * run about its own problems. */
#define SYNC_ALERT_FILES   "/files"
#define SYNC_ALERT_JOURNAL "/journal"
#define SYNC_ALERT_AFTER   "/after"
#define SYNC_ALERT_NOTIFY  "/notify"

/* So many runs in a row may fail for a cause that may pass by itself, before
 * that is a problem. */
#define SYNC_ALERT_PATIENCE 3

/* Read what is remembered of NAME: a peer, this node, or one of the above. A
 * file that cannot be read is as good as none. */
sync_alert_t *sync_alert_open(const sync_client_t *client, const char *name,
                              apr_pool_t *pool);

/* Return whether to skip the run: the peer failed recently, and it is too early
 * to try again. *STATUS gets the exit status of that failure. */
int sync_alert_is_too_soon(int *status, const sync_alert_t *alert);

/* The run ended with ERR, or (NULL) well: report what has to be reported, run
 * CommunicatorNotifyCommand, remember. SESSION (may be NULL) says what moved,
 * PARKED how many messages here and there now need a person. */
void sync_alert_close(sync_alert_t *alert, const cm_error_t *err,
                      const cm_session_t *session, apr_int64_t parked);

/* Return whether to report the messages that this run parks one by one: not
 * while that is a known problem. */
int sync_alert_tells_parked(const sync_alert_t *alert);

#endif
