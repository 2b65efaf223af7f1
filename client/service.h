/* Telling systemd how a process that stays is, as sd_notify(3) does: by a
 * datagram to the socket that $NOTIFY_SOCKET names. Without that, nothing is
 * done here. */
#ifndef SERVICE_H
#define SERVICE_H

#include "base/error.h"

/* Send STATE, such as "READY=1" or "STATUS=...". A failure changes nothing. */
void sync_service_notify(const char *state);

/* Say that the process works, when the watchdog ($WATCHDOG_USEC) wants to know
 * that. May be called at any rate. */
void sync_service_live(void);

/* The same, and sync_stop_check(): between two batches. */
cm_error_t *sync_service_check(apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
