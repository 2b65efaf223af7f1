/* What a process that stays remembers of a peer from one run to the next, so
 * that it need not greet it again. */
#ifndef CM_EXCHANGE_MET_H
#define CM_EXCHANGE_MET_H

#include "exchange/session.h"

/* All 0: nothing is remembered. */
typedef struct cm_met_t {
    char epoch[40], its_epoch[40];   /* of this database, and of the peer's */
    apr_int64_t newest;              /* the last number used here, at least */
    apr_int64_t confirmed, received; /* as in the peer's row */
    apr_int64_t held;                /* the peer holds ours up to this seq; its
                                        row may say less for a moment */
    int accepts_gzip;
} cm_met_t;

/* Keep in *MET what SESSION has learned, after a run that went well. A gem, and
 * a peer whose epoch is not known, are not remembered: *MET is cleared. */
void cm_met_keep(cm_met_t *met, const cm_session_t *session);

/* Let SESSION, which is loaded, know what MET says, and return whether it need
 * not greet the peer. It has to if anything here is less than it was: this
 * database was restored meanwhile, and may have lost what the peer holds. What
 * the peer has lost it says itself, when the next batch comes. */
int cm_met_recall(cm_session_t *session, const cm_met_t *met);

#endif
