/* How a person decides a conflict: communicator-sync retry. */
#ifndef CM_RECORD_DECISION_H
#define CM_RECORD_DECISION_H

typedef enum cm_decision_e {
    CM_DECIDE_NOT, /* not yet: with conflict=hold it stays parked */
    CM_DECIDE_THEIRS,
    CM_DECIDE_OURS
} cm_decision_e;

#endif
