/* Writing the journal (operate/journal.h): how each run with a peer went. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "exchange/session.h"
#include "client.h"

/* Note that the run with PEER that began at BEGAN has ended with ERR or (NULL)
 * STATUS, to exit with. SESSION (may be NULL) says what moved. The first run of
 * this process is written at once, further ones once a minute
 * (operate/gather.h).
 *
 * If that fails, the operator gets an alert (alert.h), but not when the
 * database was busy, or away: then the run has said so. */
void sync_journal_write(sync_client_t *client, const char *peer,
                        const cm_session_t *session, const cm_error_t *err,
                        int status, apr_time_t began);

/* Write what is left, before the process ends. */
void sync_journal_end(sync_client_t *client);

#endif
