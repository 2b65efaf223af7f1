/* What a person says of a conflict: communicator-sync retry. */
#ifndef CM_RECORD_DECISION_H
#define CM_RECORD_DECISION_H

typedef enum cm_decision_e {
    CM_DECIDE_NOT, /* nothing: conflict=hold holds it */
    CM_DECIDE_THEIRS,
    CM_DECIDE_OURS
} cm_decision_e;

#endif
